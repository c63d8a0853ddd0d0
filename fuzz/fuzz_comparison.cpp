#include "fuzz_target.h"
#include "serve/http/findings_api.h"
#include "store/uuid.h"

using namespace xray;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto ids = ids_to_compare(fuzz::as_text(data, size));
  if (!ids)
    fuzz::require(ids.error().code == ErrorCode::kInvalidArgument);
  else
    fuzz::require(is_uuid((*ids)[0]) && is_uuid((*ids)[1]));
  return 0;
}

std::vector<Bytes> xray::fuzz::seeds() {
  const std::string id = "01a208b8-5bd2-7390-9611-0770cac60196";
  return {to_bytes(R"({"before": ")" + id + R"(", "after": ")" + id + "\"}"), to_bytes("[]"),
          to_bytes(R"({"before": null})")};
}
