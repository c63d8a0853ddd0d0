#include "import/foreign_network.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <openvino/openvino.hpp>
#include <openvino/opsets/opset13.hpp>
#include <optional>
#include <span>
#include <utility>

#include "common/random.h"
#include "infer/compiled_network.h"

namespace xray {
namespace {

namespace op = ov::opset13;
using Json = nlohmann::ordered_json;
using Value = ov::Output<ov::Node>;

/// Libraries tell whole stories; what is wrong stands in front.
constexpr std::size_t kMaxReason = 600;

Error bad(std::string why) {
  if (why.size() > kMaxReason) why = why.substr(0, kMaxReason) + " ...";
  return {ErrorCode::kBadModel, std::move(why)};
}

template <typename Port>
std::string name_of(const Port& port) {
  const auto& names = port.get_names();
  // The shortest: TensorFlow gives one value several.
  const auto found = std::min_element(names.begin(), names.end(), [](const auto& a, const auto& b) {
    return std::pair(a.size(), a) < std::pair(b.size(), b);
  });
  return found == names.end() ? port.get_node()->get_friendly_name() : *found;
}

/// "1 x 150 x 150 x 3", "?" for what is free.
std::string to_text(const ov::PartialShape& shape) {
  if (shape.rank().is_dynamic()) return "any shape";
  std::string text;
  for (const ov::Dimension& dimension : shape)
    text += (text.empty() ? "" : " x ") +
            (dimension.is_static() ? std::to_string(dimension.get_length()) : std::string("?"));
  return text.empty() ? "one number" : text;
}

template <typename Port>
std::string to_text(const Port& port) {
  return fmt::format("'{}': {} of {}", name_of(port), to_text(port.get_partial_shape()),
                     port.get_element_type().to_string());
}

template <typename Ports>
std::string names_of(const Ports& ports) {
  std::string text;
  for (const auto& port : ports) text += (text.empty() ? "'" : ", '") + name_of(port) + "'";
  return text;
}

bool may_be(const ov::Dimension& dimension, std::int64_t length) {
  return dimension.compatible(ov::Dimension(length));
}

bool is_channels(const ov::Dimension& dimension) {
  return dimension.is_static() && (dimension.get_length() == 1 || dimension.get_length() == 3);
}

/// The layout where the shape leaves no doubt.
std::optional<Layout> layout_of(const ov::PartialShape& shape) {
  if (shape.rank().is_dynamic() || shape.size() != 4) return {};
  const bool last = is_channels(shape[3]);
  const bool second = is_channels(shape[1]);
  if (last == second) return {};
  return last ? Layout::kNhwc : Layout::kNchw;
}

const char* name(Layout layout) {
  return layout == Layout::kNhwc ? "nhwc" : "nchw";
}

/// Operations that pass on all values in their order.
bool only_passes_on(const ov::Node& node) {
  return ov::is_type<op::Reshape>(&node) || ov::is_type<op::Squeeze>(&node) ||
         ov::is_type<op::Unsqueeze>(&node) || ov::is_type<op::Convert>(&node);
}

/// The value that this one was before it was passed on.
Value origin_of(Value value) {
  while (only_passes_on(*value.get_node())) value = value.get_node()->input_value(0);
  return value;
}

enum class Head { kSigmoid, kSoftmax, kPlain };

Head head_of(const Value& value) {
  const ov::Node* const node = origin_of(value).get_node();
  if (ov::is_type<op::Sigmoid>(node)) return Head::kSigmoid;
  if (ov::is_type<op::Softmax>(node) || ov::is_type<ov::op::v1::Softmax>(node)) return Head::kSoftmax;
  return Head::kPlain;
}

/// The number by which the network divides its input itself, where that is the first thing it does.
std::optional<double> own_scale(const ov::Model& network) {
  Value value = network.get_parameters().front()->output(0);
  for (;;) {
    const auto targets = value.get_target_inputs();
    if (targets.size() != 1) return {};
    const ov::Input<ov::Node>& target = *targets.begin();
    ov::Node* const node = target.get_node();
    if (only_passes_on(*node) || ov::is_type<op::Transpose>(node)) {
      value = node->output(0);
      continue;
    }
    const bool divides = ov::is_type<op::Divide>(node) && target.get_index() == 0;
    if (!divides && !ov::is_type<op::Multiply>(node)) return {};
    const auto other = origin_of(node->input_value(1 - target.get_index()));
    const auto constant = ov::as_type_ptr<op::Constant>(other.get_node_shared_ptr());
    if (!constant || ov::shape_size(constant->get_shape()) != 1) return {};
    const double number = constant->cast_vector<double>().front();
    if (number == 0) return {};
    return divides ? number : 1 / number;
  }
}

/// A network that divides by as much as this is one for gray levels as they are.
constexpr double kOwnScale = 100;

/// Width and height as the shape has them; free ones are compatible with all.
struct Sides {
  ov::Dimension height;
  ov::Dimension width;
  ov::Dimension channels;
};

Sides sides_of(const ov::PartialShape& shape, Layout layout) {
  if (layout == Layout::kNhwc) return {shape[1], shape[2], shape[3]};
  return {shape[2], shape[3], shape[1]};
}

/// What the card says of the input, as in messages about it.
std::string told(const ForeignInput& input) {
  constexpr std::array kNames = {"gray", "rgb", "bgr"};
  return fmt::format("the card says {} x {} pixels, {}", input.width, input.height,
                     kNames[static_cast<std::size_t>(input.channels)]);
}

Result<Layout> layout_for(const ov::PartialShape& shape, const std::string& port, const ForeignInput& input) {
  if (shape.rank().is_static() && shape.size() != 4)
    return bad(fmt::format(
        "the network's input {} has not four dimensions: pictures, height, width, channels", port));
  const auto found = layout_of(shape);
  if (found && input.layout && *found != *input.layout)
    return bad(fmt::format("the card says layout {}, the network's input {} is {}", name(*input.layout), port,
                           name(*found)));
  if (!found && !input.layout)
    return bad(
        fmt::format("whether the channels of the network's input {} come last (nhwc) or first (nchw) "
                    "does not show; say so as 'layout' in the card's input",
                    port));
  return found ? *found : *input.layout;
}

/// Gray levels (1 x 1 x H x W) as the network was trained to see them.
Value as_trained(Value gray, const ForeignInput& input, Layout layout, const ov::element::Type& type) {
  const auto channels = static_cast<std::size_t>(input.channel_count());
  if (channels == 3) gray = std::make_shared<op::Concat>(ov::OutputVector{gray, gray, gray}, 1);
  if (!input.is_plain()) {
    const auto constant = [&](const std::array<double, 3>& values) {
      return op::Constant::create(ov::element::f32, {1, channels, 1, 1},
                                  std::vector<double>(values.begin(), values.begin() + channels));
    };
    gray = std::make_shared<op::Subtract>(gray, constant(input.mean));
    gray = std::make_shared<op::Divide>(gray, constant(input.scale));
  }
  if (layout == Layout::kNhwc)
    gray = std::make_shared<op::Transpose>(gray, op::Constant::create(ov::element::i64, {4}, {0, 2, 3, 1}));
  if (type == ov::element::u8) {
    gray = std::make_shared<op::Round>(gray, op::Round::RoundMode::HALF_TO_EVEN);
    gray = std::make_shared<op::Clamp>(gray, 0, 255);
  }
  if (type != ov::element::f32) gray = std::make_shared<op::Convert>(gray, type);
  return gray;
}

Value floats(Value value) {
  if (value.get_element_type() != ov::element::f32)
    value = std::make_shared<op::Convert>(value, ov::element::f32);
  return value;
}

Value number(float value) {
  return op::Constant::create(ov::element::f32, {1, 1}, {value});
}

/// 1 x count.
Value as_row(const Value& value, std::size_t count) {
  return std::make_shared<op::Reshape>(
      floats(value),
      op::Constant::create(ov::element::i64, {2}, std::vector<std::int64_t>{1, std::int64_t(count)}), false);
}

/// What stood before a sigmoid or softmax; where the graph has none the logarithms of the probabilities
/// themselves, of one its log-odds.
Value logits_of(const Value& output, std::size_t count, bool probabilities) {
  if (!probabilities) return as_row(output, count);
  if (head_of(output) != Head::kPlain) return as_row(origin_of(output).get_node()->input_value(0), count);
  // 1 - 1e-7 is the last but one 32-bit float below 1.
  const Value p = std::make_shared<op::Clamp>(as_row(output, count), 1e-7, 1 - 1e-7);
  Value log_p = std::make_shared<op::Log>(p);
  if (count > 1) return log_p;
  return std::make_shared<op::Subtract>(
      log_p, std::make_shared<op::Log>(std::make_shared<op::Subtract>(number(1), p)));
}

/// Logits in the order of the package's classes.
Value in_our_order(const Value& logits, const std::vector<std::string>& theirs,
                   const std::vector<std::string>& ours) {
  if (theirs.size() == 1) {
    // The log-odds of one class against the other, whose logit is 0.
    const bool first = theirs.front() == ours.front();
    return std::make_shared<op::Concat>(
        first ? ov::OutputVector{logits, number(0)} : ov::OutputVector{number(0), logits}, 1);
  }
  std::vector<std::int64_t> places;
  places.reserve(ours.size());
  for (const std::string& name : ours) places.push_back(std::ranges::find(theirs, name) - theirs.begin());
  return std::make_shared<op::Gather>(logits, op::Constant::create(ov::element::i64, {places.size()}, places),
                                      op::Constant::create(ov::element::i64, {}, {1}));
}

/// The input against the card; its layout.
Result<Layout> check_input(const ov::Model& network, const ForeignInput& input) {
  const std::string port = to_text(network.input());
  const ov::element::Type type = network.input().get_element_type();
  if (type != ov::element::f32 && type != ov::element::f16 && type != ov::element::u8)
    return bad(fmt::format("the network's input {} takes neither floats nor bytes", port));
  const ov::PartialShape shape = network.input().get_partial_shape();
  auto layout = layout_for(shape, port, input);
  if (!layout) return layout;
  if (shape.rank().is_static()) {
    const Sides sides = sides_of(shape, *layout);
    if (!may_be(sides.width, input.width) || !may_be(sides.height, input.height) ||
        !may_be(sides.channels, input.channel_count()) || !may_be(shape[0], 1))
      return bad(fmt::format("the network wants {}; {}", port, told(input)));
  }
  const auto scale = own_scale(network);
  if (scale && *scale >= kOwnScale && !input.is_plain())
    return bad(
        fmt::format("the network divides its input by {:.4g} itself, so it wants gray levels as they "
                    "are: the card's scaling has to be \"0..255\"",
                    *scale));
  return layout;
}

/// The output that the card means.
Result<Value> choose_output(ov::Model& network, const ForeignOutput& output) {
  const ov::OutputVector outputs = network.outputs();
  if (output.name.empty() && outputs.size() > 1)
    return bad(fmt::format("the network has {} outputs ({}); say which one as 'name' in the card's output",
                           outputs.size(), names_of(outputs)));
  if (output.name.empty()) return outputs.front();
  const auto found = std::ranges::find_if(
      outputs, [&](const Value& candidate) { return candidate.get_names().contains(output.name); });
  if (found == outputs.end())
    return bad(fmt::format("the network has no output '{}', but {}", output.name, names_of(outputs)));
  return *found;
}

/// What stands in front of the output `name` against the card.
Result<Done> check_answer(const Value& answer, const std::string& name, const ForeignOutput& output) {
  const std::size_t count = output.classes.size();
  if (answer.get_partial_shape().is_dynamic() || ov::shape_size(answer.get_shape()) != count)
    return bad(fmt::format("the network's output '{}' is {}, the card names {} class{}", name,
                           to_text(answer.get_partial_shape()), count, count == 1 ? "" : "es"));
  if (!answer.get_element_type().is_real())
    return bad(fmt::format("the network's output '{}' is no floats", name));
  const Head head = head_of(answer);
  if (!output.probabilities && head != Head::kPlain)
    return bad(fmt::format("the card says logits, the network's output '{}' comes from a {}", name,
                           head == Head::kSigmoid ? "sigmoid" : "softmax"));
  if (count > 1 && head == Head::kSigmoid)
    return bad(
        fmt::format("the network's output '{}' has {} values with a sigmoid each, which are no "
                    "probabilities that add up to 1",
                    name, count));
  if (count == 1 && head == Head::kSoftmax)
    return bad(fmt::format("the network's output '{}' is a softmax of one value, which is always 1", name));
  return Done{};
}

/// What the card calls probabilities, by what `network` answers to a few pictures of noise.
Result<Done> check_probabilities(const std::shared_ptr<ov::Model>& network, const std::string& name) {
  constexpr int kPictures = 4;
  constexpr double kSlack = 1e-3;
  CompiledNetwork compiled(network, {.threads = 1, .low_latency = true});
  Random random(1);
  std::vector<float> picture(compiled.input_size());
  for (int i = 0; i < kPictures; ++i) {
    const double brightest = 255.0 * (i + 1) / kPictures;
    std::ranges::generate(picture, [&] { return static_cast<float>(random.uniform(0, brightest)); });
    auto request = compiled.acquire();
    request.run(picture);
    const ov::Tensor answer = request.output("answer");
    const std::span values(answer.data<const float>(), answer.get_size());
    double sum = 0;
    for (const float value : values) sum += static_cast<double>(value);
    const bool within = std::ranges::all_of(values, [](float v) {
      return static_cast<double>(v) >= -kSlack && static_cast<double>(v) <= 1 + kSlack;
    });
    if (!within || (values.size() > 1 && std::abs(sum - 1) > kSlack))
      return bad(
          fmt::format("the card says probabilities, the network's output '{}' answers {:.4g} to a "
                      "picture of noise: are these logits?",
                      name, fmt::join(values, ", ")));
  }
  return Done{};
}

}  // namespace

ForeignNetwork::ForeignNetwork(Source source, std::shared_ptr<ov::Model> network)
    : source_(std::move(source)), network_(std::move(network)) {}

Result<ForeignNetwork> ForeignNetwork::read(const Source& source) {
  try {
    auto network = openvino().read_model(source.path.string());
    if (network->inputs().size() != 1)
      return bad(fmt::format("the network has {} inputs ({}); it should have the picture alone",
                             network->inputs().size(), names_of(network->inputs())));
    if (network->outputs().empty()) return bad("the network has no output");
    if (!network->get_variables().empty() || !network->get_sinks().empty())
      return bad("the network keeps state from one picture to the next");
    return ForeignNetwork(source, std::move(network));
  } catch (const std::exception& failure) {
    return bad(fmt::format("is not read as {}: {}", name(source.format), failure.what()));
  }
}

std::string ForeignNetwork::describe() const {
  std::string text = fmt::format("{}, {} operations\n", name(source_.format), network_->get_ops().size());
  text += "input " + to_text(network_->input());
  if (const auto layout = layout_of(network_->input().get_partial_shape()); layout)
    text += *layout == Layout::kNhwc ? ", channels last" : ", channels first";
  text += "\n";
  if (const auto scale = own_scale(*network_); scale)
    text += fmt::format("  divided by {:.4g} inside the network\n", *scale);
  for (const auto& output : network_->outputs()) {
    text += "output " + to_text(output);
    const Head head = head_of(output.get_node()->input_value(0));
    if (head != Head::kPlain) text += head == Head::kSigmoid ? ", of a sigmoid" : ", of a softmax";
    text += "\n";
  }
  return text;
}

Json ForeignNetwork::template_card() const {
  const ov::PartialShape shape = network_->input().get_partial_shape();
  const auto layout = layout_of(shape);
  Json input = {{"width", "pixels"}, {"height", "pixels"}, {"channels", "gray, rgb or bgr"}};
  if (layout) {
    const Sides sides = sides_of(shape, *layout);
    if (sides.width.is_static()) input["width"] = sides.width.get_length();
    if (sides.height.is_static()) input["height"] = sides.height.get_length();
    if (sides.channels.get_length() == 1) input["channels"] = "gray";
  } else {
    input["layout"] = "nhwc (channels last) or nchw";
  }
  const auto scale = own_scale(*network_);
  input["scaling"] = scale && *scale >= kOwnScale
                         ? Json("0..255")
                         : Json(R"(0..1, 0..255, -1..1 or {"mean": m, "std": s} in gray levels)");
  input["fit"] = "squash";
  input["interpolation"] = "bilinear";
  Json output = Json::object();
  if (network_->outputs().size() > 1) output["name"] = "one of " + names_of(network_->outputs());
  const auto result = network_->outputs().front();
  const Head head = head_of(result.get_node()->input_value(0));
  output["values"] = head == Head::kPlain ? "probabilities or logits" : "probabilities";
  const ov::PartialShape& values = result.get_partial_shape();
  const auto count = values.rank().is_static() && values.size() > 0 && values[values.size() - 1].is_static()
                         ? values[values.size() - 1].get_length()
                         : 0;
  output["classes"] = count == 1   ? Json{"pneumonia"}
                      : count == 3 ? Json{"normal", "bacterial", "viral"}
                                   : Json{"normal", "pneumonia"};
  const std::string stem = source_.path.lexically_normal().has_filename()
                               ? source_.path.stem().string()
                               : source_.path.parent_path().filename().string();
  return {{"name", stem},
          {"version", "1"},
          {"input", std::move(input)},
          {"output", output},
          {"threshold", 0.5},
          {"intended_use", "whom and what it is for"},
          {"licence", ""},
          {"training_data", "what it was trained on"}};
}

Result<IrBytes> ForeignNetwork::adapt(const ImportCard& card) {
  const ForeignInput& input = card.input;
  const ForeignOutput& output = card.output;
  try {
    const auto parameter = network_->get_parameters().front();
    const ov::element::Type type = parameter->get_element_type();
    const auto layout = check_input(*network_, input);
    if (!layout) return layout.error();
    const auto port = choose_output(*network_, output);
    if (!port) return port.error();
    const std::string name = name_of(*port);
    const std::int64_t channels = input.channel_count();
    network_->reshape(*layout == Layout::kNhwc ? ov::PartialShape{1, input.height, input.width, channels}
                                               : ov::PartialShape{1, channels, input.height, input.width});
    const Value answer = port->get_node()->input_value(0);
    const std::size_t count = output.classes.size();
    if (auto checked = check_answer(answer, name, output); !checked) return checked.error();

    const auto gray =
        std::make_shared<op::Parameter>(ov::element::f32, ov::PartialShape{1, 1, input.height, input.width});
    gray->output(0).set_names({"input"});
    gray->set_friendly_name("input");
    parameter->output(0).replace(as_trained(gray, input, *layout, type));
    if (output.probabilities && head_of(answer) == Head::kPlain) {
      const Value row = as_row(answer, count);
      row.get_tensor().set_names({"answer"});
      const auto told = std::make_shared<ov::Model>(ov::ResultVector{std::make_shared<op::Result>(row)},
                                                    ov::ParameterVector{gray}, "answer");
      if (auto checked = check_probabilities(told->clone(), name); !checked) return checked.error();
    }
    const Value logits =
        in_our_order(logits_of(answer, count, output.probabilities), output.classes, card.card.classes);
    const auto result = std::make_shared<op::Result>(logits);
    logits.get_tensor().set_names({"logits"});
    result->set_friendly_name("logits");
    return to_ir(
        std::make_shared<ov::Model>(ov::ResultVector{result}, ov::ParameterVector{gray}, "imported"));
  } catch (const std::exception& failure) {
    return bad(std::string("cannot be made into a network that is served here: ") + failure.what());
  }
}

}  // namespace xray
