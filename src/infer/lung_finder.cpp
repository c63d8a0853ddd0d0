#include "infer/lung_finder.h"

#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "infer/compiled_network.h"

namespace xray {
namespace {

constexpr const char* kLungs = "lungs";

class OpenVinoLungFinder final : public LungFinder {
 public:
  OpenVinoLungFinder(const std::shared_ptr<ov::Model>& network, const InputSpec& spec,
                     const BackendOptions& options)
      : preprocessor_(spec), network_(network, options) {}

  Result<LungField> find(const Image& film) override {
    const InputSpec& spec = preprocessor_.spec();
    Plane plane = resize(film, spec.width, spec.height);
    preprocessor_.normalise(plane.values);
    try {
      return LungField{spec.width, spec.height, probability_map(network_, plane.values, kLungs)};
    } catch (const ov::Exception& failure) {
      return Error{ErrorCode::kInternal, std::string("finding the lungs failed: ") + failure.what()};
    }
  }

 private:
  Preprocessor preprocessor_;
  CompiledNetwork network_;
};

}  // namespace

Result<std::unique_ptr<LungFinder>> make_lung_finder(const std::filesystem::path& directory,
                                                     const LungModel& model, const BackendOptions& options) {
  const auto file = model.network.file(options.precision);
  if (!file) return file.error();
  try {
    const auto network = read_map_network(directory / *file, model.input, kLungs, 1);
    if (!network) return network.error();
    return std::unique_ptr<LungFinder>(std::make_unique<OpenVinoLungFinder>(*network, model.input, options));
  } catch (const std::exception& failure) {
    return Error{ErrorCode::kBadModel, *file + ": " + failure.what()};
  }
}

}  // namespace xray
