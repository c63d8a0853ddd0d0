#include "fuzz_target.h"
#include "image/exif.h"
#include "support/pictures.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const xray::Orientation orientation = xray::exif_orientation(std::as_bytes(std::span(data, size)));
  xray::fuzz::require(orientation >= xray::Orientation::kTopLeft &&
                      orientation <= xray::Orientation::kLeftBottom);
  return 0;
}

std::vector<xray::Bytes> xray::fuzz::seeds() {
  return {test::make_exif(3, true), test::make_exif(8, false)};
}
