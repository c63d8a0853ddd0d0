#include "infer/opacity_finder.h"

#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "infer/compiled_network.h"

namespace xray {
namespace {

constexpr const char* kOpacity = "opacity";
/// Pixels of the input per cell of the output.
constexpr int kCell = 8;

class OpenVinoOpacityFinder final : public OpacityFinder {
 public:
  OpenVinoOpacityFinder(const std::shared_ptr<ov::Model>& network, const InputSpec& spec,
                        const BackendOptions& options)
      : preprocessor_(spec), network_(network, options) {}

  Result<OpacityMap> find(const Image& film, const LungField& lungs) override {
    const InputSpec& spec = preprocessor_.spec();
    std::vector<float> input(preprocessor_.input_size());
    const auto frame = preprocessor_(film, lungs, input);
    if (!frame) return frame.error();
    try {
      return OpacityMap{spec.width / kCell, spec.height / kCell, probability_map(network_, input, kOpacity),
                        *frame};
    } catch (const ov::Exception& failure) {
      return Error{ErrorCode::kInternal, std::string("finding opacity failed: ") + failure.what()};
    }
  }

 private:
  Preprocessor preprocessor_;
  CompiledNetwork network_;
};

}  // namespace

Result<std::unique_ptr<OpacityFinder>> make_opacity_finder(const std::filesystem::path& directory,
                                                           const SeverityModel& model,
                                                           const BackendOptions& options) {
  const auto file = model.network.file(options.precision);
  if (!file) return file.error();
  try {
    const auto network = read_map_network(directory / *file, model.input, kOpacity, kCell);
    if (!network) return network.error();
    return std::unique_ptr<OpacityFinder>(
        std::make_unique<OpenVinoOpacityFinder>(*network, model.input, options));
  } catch (const std::exception& failure) {
    return Error{ErrorCode::kBadModel, *file + ": " + failure.what()};
  }
}

}  // namespace xray
