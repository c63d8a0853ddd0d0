#include "serve/inference/inference.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "serve/inference/pixels.h"

namespace xray {
namespace {

constexpr const char* kImage = "image";
constexpr const char* kPixels = "pixels";

/// Names come from outside; a message holds only so much of them.
std::string in_quotes(std::string_view name) {
  constexpr std::size_t kShown = 64;
  return "'" + std::string(name.substr(0, kShown)) + (name.size() > kShown ? "...'" : "'");
}

Error invalid(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

std::string names(std::span<const TensorSpec> specs) {
  std::string text;
  for (const TensorSpec& spec : specs) text += (text.empty() ? "" : ", ") + spec.name;
  return text;
}

/// Findings for `count` pictures, one after the other.
template <typename Diagnose>
Result<std::vector<Finding>> diagnose_each(std::size_t count, std::string_view tensor,
                                           const std::stop_token& abandoned, const Diagnose& diagnose) {
  std::vector<Finding> findings;
  for (std::size_t i = 0; i < count; ++i) {
    if (abandoned.stop_requested()) return Error{ErrorCode::kCancelled, "nobody waits for the answer"};
    Result<Finding> finding = diagnose(i);
    if (!finding) return with_context(finding.error(), std::string(tensor) + "[" + std::to_string(i) + "]");
    findings.push_back(std::move(*finding));
  }
  return findings;
}

float probability(const Finding& finding, double percent) {
  return finding.is_rejected() ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(percent / 100);
}

OutputTensor output(const TensorSpec& spec, std::span<const Finding> findings) {
  OutputTensor tensor{spec.name, {static_cast<std::int64_t>(findings.size()), 1}, {}};
  const auto fill = [&]<typename T>(std::vector<T> values, const auto& value) {
    for (const Finding& finding : findings) values.push_back(value(finding));
    tensor.elements = std::move(values);
  };
  if (spec.name == "normal")
    fill(std::vector<float>(), [](const Finding& f) { return probability(f, f.normal); });
  else if (spec.name == "pneumonia")
    fill(std::vector<float>(), [](const Finding& f) { return probability(f, f.pneumonia); });
  else if (spec.name == "verdict")
    fill(std::vector<std::string>(), [](const Finding& f) { return std::string(name(f.verdict)); });
  else
    fill(std::vector<std::string>(), [](const Finding& f) { return to_json(f).dump(); });
  return tensor;
}

/// The specifications of the outputs called `wanted`.
Result<std::vector<TensorSpec>> choose_outputs(std::span<const std::string> wanted) {
  const auto all = output_specs();
  if (wanted.empty()) return std::vector(all.begin(), all.end());
  std::vector<TensorSpec> chosen;
  for (const std::string& name : wanted) {
    const auto found = std::ranges::find(all, name, &TensorSpec::name);
    if (found == all.end())
      return invalid("there is no output " + in_quotes(name) + "; there are " + names(all));
    if (std::ranges::find(chosen, name, &TensorSpec::name) != chosen.end())
      return invalid("the output " + in_quotes(name) + " is asked for twice");
    chosen.push_back(*found);
  }
  return chosen;
}

}  // namespace

std::span<const TensorSpec> input_specs() {
  static const std::array<TensorSpec, 2> specs = {
      {{kImage, DataType::kBytes, {-1}}, {kPixels, DataType::kUint8, {-1, -1, -1, -1}}}};
  return specs;
}

std::span<const TensorSpec> output_specs() {
  static const std::array<TensorSpec, 4> specs = {{{"normal", DataType::kFp32, {-1, 1}},
                                                   {"pneumonia", DataType::kFp32, {-1, 1}},
                                                   {"verdict", DataType::kBytes, {-1, 1}},
                                                   {"finding", DataType::kBytes, {-1, 1}}}};
  return specs;
}

Result<std::vector<OutputTensor>> Inference::infer(const ServedModel& model,
                                                   std::span<const InputTensor> inputs,
                                                   std::span<const std::string> wanted,
                                                   const std::stop_token& abandoned) const {
  const auto outputs = choose_outputs(wanted);
  if (!outputs) return outputs.error();
  for (const InputTensor& input : inputs)
    if (std::ranges::find(input_specs(), input.name, &TensorSpec::name) == input_specs().end())
      return invalid("there is no input " + in_quotes(input.name) + "; there are " + names(input_specs()));
  if (inputs.size() != 1) return invalid("a request holds one input tensor: image or pixels");

  const InputTensor& input = inputs.front();
  const auto findings =
      input.name == kImage ? read_images(model, input, abandoned) : read_pixels(model, input, abandoned);
  if (!findings) return findings.error();
  std::vector<OutputTensor> tensors;
  tensors.reserve(outputs->size());
  for (const TensorSpec& spec : *outputs) tensors.push_back(output(spec, *findings));
  return tensors;
}

Result<Done> Inference::check_count(std::uint64_t pictures) const {
  if (pictures == 0) return invalid("the request holds no picture");
  if (pictures <= limits_.max_pictures) return Done{};
  return Error{ErrorCode::kTooLarge, "the request holds " + std::to_string(pictures) + " pictures; at most " +
                                         std::to_string(limits_.max_pictures) + " are read at one time"};
}

Result<std::vector<Finding>> Inference::read_images(const ServedModel& model, const InputTensor& tensor,
                                                    const std::stop_token& abandoned) const {
  const auto& shape = tensor.shape;
  if (tensor.type != DataType::kBytes)
    return invalid(std::string("image holds encoded pictures as BYTES, not ") + name(tensor.type) +
                   "; for gray levels there is the input pixels");
  if (shape.size() != 1 && !(shape.size() == 2 && shape[1] == 1))
    return invalid("image has the shape [pictures], not " + describe_shape(shape));
  const auto count = element_count(shape);
  if (!count) return count.error();
  if (const auto few = check_count(*count); !few) return few.error();

  const auto* given = std::get_if<StringElements>(&tensor.elements);
  auto strings = given != nullptr
                     ? Result<StringElements>(*given)
                     : split_strings(std::get<RawElements>(tensor.elements), limits_.max_pictures);
  if (!strings) return with_context(strings.error(), kImage);
  if (strings->size() != *count)
    return invalid("image holds " + std::to_string(strings->size()) + " strings, but its shape is " +
                   describe_shape(shape));
  return diagnose_each(strings->size(), kImage, abandoned,
                       [&](std::size_t i) { return models_.diagnose(model, (*strings)[i]); });
}

Result<std::vector<Finding>> Inference::read_pixels(const ServedModel& model, const InputTensor& tensor,
                                                    const std::stop_token& abandoned) const {
  const auto pixels = PixelTensor::open(tensor, model.diagnoser->limits());
  if (!pixels) return with_context(pixels.error(), kPixels);
  if (const auto few = check_count(pixels->pictures()); !few) return few.error();
  return diagnose_each(pixels->pictures(), kPixels, abandoned, [&](std::size_t i) -> Result<Finding> {
    const Result<Image> picture = pixels->picture(i);
    if (!picture) return picture.error();
    return models_.diagnose(model, *picture);
  });
}

}  // namespace xray
