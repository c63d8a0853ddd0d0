#include "infer/opacity_finder.h"

#include <cmath>
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
  OpenVinoOpacityFinder(ov::Core& core, const std::shared_ptr<ov::Model>& network, const InputSpec& spec,
                        const BackendOptions& options)
      : preprocessor_(spec), network_(core, network, options) {}

  Result<OpacityMap> find(const Image& film, const LungField& lungs) override {
    const InputSpec& spec = preprocessor_.spec();
    std::vector<float> input(preprocessor_.input_size());
    const auto frame = preprocessor_(film, lungs, input);
    if (!frame) return frame.error();
    OpacityMap map{spec.width / kCell, spec.height / kCell, {}, *frame};
    try {
      CompiledNetwork::Lease request = network_.acquire();
      request.run(input);
      const ov::Tensor output = request.output(kOpacity);
      const auto* log_odds = output.data<const float>();
      for (int i = 0; i < map.width * map.height; ++i)
        map.opacity.push_back(1 / (1 + std::exp(-log_odds[i])));
    } catch (const ov::Exception& failure) {
      return Error{ErrorCode::kInternal, std::string("finding opacity failed: ") + failure.what()};
    }
    return map;
  }

 private:
  Preprocessor preprocessor_;
  CompiledNetwork network_;
};

}  // namespace

Result<std::unique_ptr<OpacityFinder>> make_opacity_finder(const std::filesystem::path& directory,
                                                           const SeverityModel& model,
                                                           const BackendOptions& options) {
  const InputSpec& input = model.input;
  const auto file = model.network.file(options.precision);
  if (!file) return file.error();
  try {
    ov::Core core;
    const auto network = core.read_model((directory / *file).string());
    if (network->inputs().size() != 1)
      return Error{ErrorCode::kBadModel, "the opacity network has not one input"};
    if (!has_output(*network, kOpacity))
      return Error{ErrorCode::kBadModel, "the opacity network has no output named 'opacity'"};
    const ov::PartialShape shape{1, 1, input.height, input.width};
    if (auto checked = check_port(network->input(), "input", shape); !checked) return checked.error();
    network->reshape(shape);
    const ov::PartialShape cells{1, 1, input.height / kCell, input.width / kCell};
    if (auto checked = check_port(network->output(kOpacity), kOpacity, cells); !checked)
      return checked.error();
    return std::unique_ptr<OpacityFinder>(
        std::make_unique<OpenVinoOpacityFinder>(core, network, input, options));
  } catch (const std::exception& failure) {
    return Error{ErrorCode::kBadModel, *file + ": " + failure.what()};
  }
}

}  // namespace xray
