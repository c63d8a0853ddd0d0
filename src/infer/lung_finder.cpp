#include "infer/lung_finder.h"

#include <cmath>
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
  OpenVinoLungFinder(ov::Core& core, const std::shared_ptr<ov::Model>& network, const InputSpec& spec,
                     const BackendOptions& options)
      : preprocessor_(spec), network_(core, network, options) {}

  Result<LungField> find(const Image& film) override {
    const InputSpec& spec = preprocessor_.spec();
    Plane plane = resize(film, spec.width, spec.height);
    preprocessor_.normalise(plane.values);
    LungField field{spec.width, spec.height, std::vector<float>(plane.values.size())};
    try {
      CompiledNetwork::Lease request = network_.acquire();
      request.run(plane.values);
      const ov::Tensor output = request.output(kLungs);
      const auto* log_odds = output.data<const float>();
      for (std::size_t i = 0; i < field.probability.size(); ++i)
        field.probability[i] = 1 / (1 + std::exp(-log_odds[i]));
    } catch (const ov::Exception& failure) {
      return Error{ErrorCode::kInternal, std::string("finding the lungs failed: ") + failure.what()};
    }
    return field;
  }

 private:
  Preprocessor preprocessor_;
  CompiledNetwork network_;
};

}  // namespace

Result<std::unique_ptr<LungFinder>> make_lung_finder(const std::filesystem::path& directory,
                                                     const LungModel& model, const BackendOptions& options) {
  const InputSpec& input = model.input;
  const auto file = model.network.file(options.precision);
  if (!file) return file.error();
  try {
    ov::Core core;
    const auto network = core.read_model((directory / *file).string());
    if (network->inputs().size() != 1)
      return Error{ErrorCode::kBadModel, "the lung network has not one input"};
    if (!has_output(*network, kLungs))
      return Error{ErrorCode::kBadModel, "the lung network has no output named 'lungs'"};
    const ov::PartialShape shape{1, 1, input.height, input.width};
    if (auto checked = check_port(network->input(), "input", shape); !checked) return checked.error();
    network->reshape(shape);
    if (auto checked = check_port(network->output(kLungs), kLungs, shape); !checked) return checked.error();
    return std::unique_ptr<LungFinder>(std::make_unique<OpenVinoLungFinder>(core, network, input, options));
  } catch (const std::exception& failure) {
    return Error{ErrorCode::kBadModel, *file + ": " + failure.what()};
  }
}

}  // namespace xray
