#include "fuzz_target.h"
#include "tune/space.h"

using namespace xray;

// Whatever the TOML of a space holds: a space that was read gives values that it accepts, also when they come
// back from a database.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Result<Space> space = Space::parse(fuzz::as_text(data, size));
  if (!space) {
    fuzz::require(!space.error().message.empty());
    return 0;
  }
  Random random(size);
  for (int i = 0; i < 4; ++i) {
    const Configuration configuration = i == 0 ? space->defaults() : space->random(random);
    fuzz::require(space->accepts(configuration));
    fuzz::require(space->accepts(Configuration::parse(configuration.dump())));
    for (const double value : space->encode(configuration)) fuzz::require(value >= 0 && value <= 1);
    static_cast<void>(space->arguments(configuration));
  }
  fuzz::require(!space->summary().empty());
  return 0;
}

std::vector<Bytes> xray::fuzz::seeds() {
  return {to_bytes(R"(
[fixed]
input = 64
[fixed.augment]
gamma = 0.5
[parameters.arch]
type = "choice"
values = ["cnn3", "mobilenet-v2"]
default = "cnn3"
[parameters.cnn]
when = { arch = "cnn3" }
[parameters.cnn.filters]
type = "int"
min = 8
max = 32
step = 8
[parameters.lr]
type = "float"
min = 1e-4
max = 1e-2
scale = "log"
[parameters.late]
type = "float"
min = 1.0
max = 9.0
scale = "reverse-log"
step = 3.0
[parameters.no-augment]
type = "bool"
)"),
          to_bytes("[parameters]\na = { type = \"int\", min = -3, max = 3, default = 0 }\n"
                   "b = { type = \"fixed\", value = 1.5, when = { a = [1, 2] } }\n"),
          to_bytes("\n\xEF\xBB\xBD")};  // where the parser has no answer
}
