#include "quantize/quantize.h"

#include <onnx/onnx.pb.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "quantize/network_probe.h"
#include "quantize/ranges.h"

namespace xray {
namespace {

using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;

/// Per-channel DequantizeLinear came with it.
constexpr std::int64_t kOldestOpset = 13;
/// Half of what 8 bits hold: two products with 0..255 then fit into 16 bits.
constexpr double kLargestWeight = 63;

bool is_standard(const onnx::NodeProto& node) {
  return node.domain().empty() || node.domain() == "ai.onnx";
}

bool is_layer(const onnx::NodeProto& node) {
  return is_standard(node) && (node.op_type() == "Conv" || node.op_type() == "Gemm");
}

const onnx::AttributeProto* find_attribute(const onnx::NodeProto& node, std::string_view name) {
  const auto& all = node.attribute();
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& a) { return a.name() == name; });
  return found == all.end() ? nullptr : &*found;
}

std::int64_t int_attribute(const onnx::NodeProto& node, std::string_view name, std::int64_t otherwise) {
  const auto* attribute = find_attribute(node, name);
  return attribute == nullptr ? otherwise : attribute->i();
}

float float_attribute(const onnx::NodeProto& node, std::string_view name) {
  const auto* attribute = find_attribute(node, name);
  return attribute == nullptr ? 1.0F : attribute->f();
}

/// How many of the first inputs a node only hands on, each value as it is: all of a
/// Concat's, one of those that pick or rearrange values, none of any other's.
int handed_on(const onnx::NodeProto& node) {
  if (!is_standard(node)) return 0;
  const std::string& op = node.op_type();
  if (op == "Concat") return node.input_size();
  if (op == "MaxPool" || op == "Flatten") return std::min(node.input_size(), 1);
  if (op != "Resize") return 0;
  const auto* mode = find_attribute(node, "mode");
  return mode == nullptr || mode->s() == "nearest" ? std::min(node.input_size(), 1) : 0;
}

/// A tensor of finite floats that lies in the file itself.
struct Weights {
  std::vector<std::int64_t> dims;
  std::vector<float> values;
};

std::optional<Weights> read_weights(const onnx::TensorProto& tensor) {
  if (tensor.data_type() != onnx::TensorProto::FLOAT) return std::nullopt;
  Weights weights{{tensor.dims().begin(), tensor.dims().end()}, {}};
  if (tensor.has_raw_data()) {
    weights.values.resize(tensor.raw_data().size() / sizeof(float));
    std::memcpy(weights.values.data(), tensor.raw_data().data(), weights.values.size() * sizeof(float));
  } else {
    weights.values.assign(tensor.float_data().begin(), tensor.float_data().end());
  }
  std::size_t left = weights.values.size();
  for (const std::int64_t dim : weights.dims) {
    if (dim < 1 || left % static_cast<std::size_t>(dim) != 0) return std::nullopt;
    left /= static_cast<std::size_t>(dim);
  }
  const bool finite =
      std::all_of(weights.values.begin(), weights.values.end(), [](float v) { return std::isfinite(v); });
  if (left != 1 || !finite) return std::nullopt;
  return weights;
}

/// A Conv or Gemm with constant weights.
struct Layer {
  Weights weights;  ///< out x in per group x kernel
  std::vector<float> bias;
  std::size_t groups = 1;

  std::size_t outputs() const { return static_cast<std::size_t>(weights.dims[0]); }
  std::size_t inputs_per_group() const { return static_cast<std::size_t>(weights.dims[1]); }
  std::size_t inputs() const { return inputs_per_group() * groups; }
  std::size_t weights_per_output() const { return weights.values.size() / outputs(); }
};

/// The tensors of a graph that are known beforehand, and the layers made of them.
class Constants {
 public:
  explicit Constants(const onnx::GraphProto& graph) {
    for (const auto& tensor : graph.initializer()) tensors_[tensor.name()] = &tensor;
  }

  /// Nothing where the node is no layer, or one of another form.
  std::optional<Layer> read_layer(const onnx::NodeProto& node) const {
    if (!is_layer(node) || node.input_size() < 2 || node.output_size() != 1) return std::nullopt;
    auto weights = constant(node.input(1));
    if (!weights || weights->dims.size() < 2) return std::nullopt;
    Layer layer{.weights = std::move(*weights)};
    if (node.op_type() == "Conv") {
      const std::int64_t groups = int_attribute(node, "group", 1);
      if (groups < 1 || layer.weights.dims[0] % groups != 0) return std::nullopt;
      layer.groups = static_cast<std::size_t>(groups);
    } else if (int_attribute(node, "transA", 0) != 0 || int_attribute(node, "transB", 0) != 1 ||
               float_attribute(node, "alpha") != 1 || float_attribute(node, "beta") != 1 ||
               layer.weights.dims.size() != 2) {
      return std::nullopt;
    }
    layer.bias.resize(layer.outputs());
    if (node.input_size() < 3 || node.input(2).empty()) return layer;
    auto bias = constant(node.input(2));
    if (!bias || bias->values.size() != layer.outputs()) return std::nullopt;
    layer.bias = std::move(bias->values);
    return layer;
  }

 private:
  std::optional<Weights> constant(const std::string& name) const {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? std::nullopt : read_weights(*found->second);
  }

  std::map<std::string, const onnx::TensorProto*> tensors_;
};

/// Values that have to share one grid, since nodes hand them on to each other as they are.
class ValueGroups {
 public:
  explicit ValueGroups(const Nodes& nodes) {
    for (const auto& node : nodes) {
      const int count = handed_on(node);
      for (const std::string& output : node.output()) {
        producers_[output] = &node;
        const int target = count > 0 ? group(output) : 0;
        for (int i = 0; i < count; ++i) {
          const int joining = group(node.input(i));
          parents_[joining] = target;
        }
      }
    }
    for (const auto& node : nodes)
      for (int i = 0; i < handed_on(node); ++i)
        if (!producers_.contains(node.input(i))) from_outside_.insert(group(node.input(i)));
  }

  int group(const std::string& value) {
    const auto [found, is_new] = numbers_.emplace(value, static_cast<int>(parents_.size()));
    if (is_new) parents_.push_back(found->second);
    int number = found->second;
    while (parents_[number] != number) number = parents_[number] = parents_[parents_[number]];
    return number;
  }

  /// Computed, with all of its group, inside the network.
  bool is_inner(const std::string& value) {
    return producers_.contains(value) && !from_outside_.contains(group(value));
  }

  /// Computed by a node that does more than hand on.
  bool is_origin(const std::string& value) const {
    const auto found = producers_.find(value);
    return found != producers_.end() && handed_on(*found->second) == 0;
  }

  std::vector<std::string> values() const {
    std::vector<std::string> all;
    all.reserve(numbers_.size());
    for (const auto& [value, number] : numbers_) all.push_back(value);
    return all;
  }

 private:
  std::map<std::string, const onnx::NodeProto*> producers_;
  std::map<std::string, int> numbers_;
  std::vector<int> parents_;
  std::set<int> from_outside_;
};

/// Values whose way to the outputs leads through a layer.
std::set<std::string> values_before_layers(const Nodes& nodes) {
  std::set<std::string> before;
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    const bool leads_on =
        is_layer(*node) || std::any_of(node->output().begin(), node->output().end(),
                                       [&](const auto& output) { return before.contains(output); });
    if (leads_on) before.insert(node->input().begin(), node->input().end());
  }
  return before;
}

/// The layers to be computed in 8 bit, by their output, and the groups of values
/// that they read.
struct Plan {
  std::map<std::string, Layer> layers;
  std::set<int> groups;
};

Plan make_plan(const onnx::GraphProto& graph, ValueGroups& values) {
  const Constants constants(graph);
  const std::set<std::string> before_layers = values_before_layers(graph.node());
  Plan plan;
  for (const auto& node : graph.node()) {
    auto layer = constants.read_layer(node);
    if (!layer || !values.is_inner(node.input(0)) || !before_layers.contains(node.output(0))) continue;
    plan.groups.insert(values.group(node.input(0)));
    plan.layers.emplace(node.output(0), std::move(*layer));
  }
  return plan;
}

/// What the pictures tell of the values inside.
struct Observations {
  std::map<int, ValueHistogram> histograms;          ///< by group
  std::map<std::string, std::vector<double>> means;  ///< per channel, of what layers read
};

Result<Observations> observe(const std::string& onnx, const Nodes& nodes, const Plan& plan,
                             ValueGroups& values, const CalibrationPictures& pictures) {
  Observations seen;
  std::set<std::string> read;
  for (const auto& node : nodes)
    if (node.output_size() == 1 && plan.layers.contains(node.output(0))) read.insert(node.input(0));
  std::set<std::string> wanted = read;
  for (const std::string& value : values.values())
    if (values.is_origin(value) && plan.groups.contains(values.group(value))) wanted.insert(value);
  const std::vector<std::string> names(wanted.begin(), wanted.end());

  auto probe = NetworkProbe::open(onnx, names);
  if (!probe) return probe.error();
  const auto first_round = [&](std::size_t i, const ObservedValue& value) {
    if (values.is_origin(names[i])) seen.histograms[values.group(names[i])].widen(value.values);
    if (!read.contains(names[i])) return;
    std::vector<double>& means = seen.means[names[i]];
    means.resize(value.channels);
    const std::size_t size = value.values.size() / value.channels;
    for (std::size_t c = 0; c < value.channels; ++c) {
      double sum = 0;
      for (const float v : value.values.subspan(c * size, size)) sum += static_cast<double>(v);
      means[c] += sum / static_cast<double>(size * pictures.count);
    }
  };
  const auto second_round = [&](std::size_t i, const ObservedValue& value) {
    if (values.is_origin(names[i])) seen.histograms[values.group(names[i])].count(value.values);
  };
  for (const bool first : {true, false}) {
    for (std::size_t picture = 0; picture < pictures.count; ++picture) {
      const auto fill = [&](std::span<float> input) { pictures.fill(picture, input); };
      const auto ran = first ? probe->run(fill, first_round) : probe->run(fill, second_round);
      if (!ran) return ran.error();
    }
  }
  return seen;
}

/// Weights in 8 bit, and the bias that takes up what rounding does on average.
struct RoundedLayer {
  std::vector<std::int8_t> weights;
  std::vector<float> scales;  ///< per output
  std::vector<float> bias;
};

/// `input_means` per input channel.
RoundedLayer round_layer(const Layer& layer, std::span<const double> input_means) {
  RoundedLayer rounded{.bias = layer.bias};
  const std::size_t count = layer.weights_per_output();
  const std::size_t taps = count / layer.inputs_per_group();
  for (std::size_t output = 0; output < layer.outputs(); ++output) {
    const auto weights = std::span(layer.weights.values).subspan(output * count, count);
    double largest = 0;
    for (const float w : weights) largest = std::max(largest, std::abs(static_cast<double>(w)));
    auto scale = static_cast<float>(largest / kLargestWeight);
    if (!std::isnormal(scale)) scale = 1;
    const std::size_t first_input = output / (layer.outputs() / layer.groups) * layer.inputs_per_group();
    double mean_error = 0;
    for (std::size_t k = 0; k < count; ++k) {
      const auto weight = static_cast<double>(weights[k]);
      const double q = std::round(weight / static_cast<double>(scale));
      rounded.weights.push_back(static_cast<std::int8_t>(q));
      mean_error += (weight - q * static_cast<double>(scale)) * input_means[first_input + k / taps];
    }
    rounded.scales.push_back(scale);
    rounded.bias[output] += static_cast<float>(mean_error);
  }
  return rounded;
}

/// Puts nodes into a graph one after the other, with what makes them compute in 8 bit.
class Rewriter {
 public:
  explicit Rewriter(onnx::GraphProto& graph) : graph_(graph) {}

  void append(const onnx::NodeProto& node) { *graph_.add_node() = node; }

  /// Behind `value` its own image on the grid.
  void put_on_grid(const std::string& value, const Grid& grid) {
    const int type = grid.is_signed ? onnx::TensorProto::INT8 : onnx::TensorProto::UINT8;
    const std::string scale =
        add_constant<float>(value + "/scale", onnx::TensorProto::FLOAT, {}, {{grid.scale}});
    const std::string zero = add_constant<std::int8_t>(value + "/zero", type, {}, {{0}});
    add_node("QuantizeLinear", {value, scale, zero}, value + "/8bit");
    add_node("DequantizeLinear", {value + "/8bit", scale, zero}, value + "/grid");
    on_grid_.insert(value);
  }

  /// The value's image on its grid, where it has one, else the value.
  std::string read(const std::string& value) const {
    return on_grid_.contains(value) ? value + "/grid" : value;
  }

  void append_layer(onnx::NodeProto node, const Layer& layer, const RoundedLayer& rounded) {
    const std::string& name = node.output(0);
    const auto outputs = static_cast<std::int64_t>(layer.outputs());
    const std::vector<std::int8_t> zeros(layer.outputs());
    const std::string weights = add_constant<std::int8_t>(name + "/weights", onnx::TensorProto::INT8,
                                                          layer.weights.dims, rounded.weights);
    const std::string scales =
        add_constant<float>(name + "/scales", onnx::TensorProto::FLOAT, {outputs}, rounded.scales);
    const std::string zero =
        add_constant<std::int8_t>(name + "/zeros", onnx::TensorProto::INT8, {outputs}, zeros);
    onnx::NodeProto& dequantize =
        add_node("DequantizeLinear", {weights, scales, zero}, name + "/weights_grid");
    onnx::AttributeProto& axis = *dequantize.add_attribute();
    axis.set_name("axis");
    axis.set_type(onnx::AttributeProto::INT);
    axis.set_i(0);

    node.set_input(0, read(node.input(0)));
    node.set_input(1, dequantize.output(0));
    if (node.input_size() < 3) node.add_input();
    node.set_input(2, add_constant<float>(name + "/bias", onnx::TensorProto::FLOAT, {outputs}, rounded.bias));
    append(node);
  }

  /// Float weights whose place the rounded ones took.
  void remove_unused_constants() {
    std::set<std::string> used;
    for (const auto& node : graph_.node()) used.insert(node.input().begin(), node.input().end());
    for (const auto& output : graph_.output()) used.insert(output.name());
    auto& constants = *graph_.mutable_initializer();
    constants.erase(std::remove_if(constants.begin(), constants.end(),
                                   [&](const auto& tensor) { return !used.contains(tensor.name()); }),
                    constants.end());
  }

 private:
  template <typename T>
  std::string add_constant(const std::string& name, int type, const std::vector<std::int64_t>& dims,
                           std::span<const T> values) {
    onnx::TensorProto& tensor = *graph_.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    for (const std::int64_t dim : dims) tensor.add_dims(dim);
    tensor.set_raw_data(values.data(), values.size_bytes());
    return name;
  }

  onnx::NodeProto& add_node(const char* op, std::initializer_list<std::string> inputs,
                            const std::string& output) {
    onnx::NodeProto& node = *graph_.add_node();
    node.set_op_type(op);
    node.set_name(output);
    for (const std::string& input : inputs) node.add_input(input);
    node.add_output(output);
    return node;
  }

  onnx::GraphProto& graph_;
  std::set<std::string> on_grid_;
};

Result<onnx::ModelProto> parse(const std::string& onnx) {
  onnx::ModelProto model;
  if (onnx.size() > std::numeric_limits<int>::max() || !model.ParseFromString(onnx))
    return Error{ErrorCode::kBadModel, "not an ONNX file"};
  std::int64_t opset = 0;
  for (const auto& import : model.opset_import())
    if (import.domain().empty() || import.domain() == "ai.onnx") opset = import.version();
  if (opset < kOldestOpset)
    return Error{ErrorCode::kUnsupported, "an ONNX opset older than " + std::to_string(kOldestOpset)};
  std::set<std::string> outputs;
  for (const auto& node : model.graph().node()) {
    for (const auto& attribute : node.attribute())
      if (attribute.has_g() || attribute.graphs_size() > 0)
        return Error{ErrorCode::kUnsupported, "a network with control flow"};
    for (const std::string& output : node.output())
      if (!output.empty() && !outputs.insert(output).second)
        return Error{ErrorCode::kBadModel, output + ": computed twice"};
  }
  return model;
}

}  // namespace

Result<QuantizedNetwork> quantize_network(const std::string& onnx, const CalibrationPictures& pictures) {
  if (pictures.count == 0) return Error{ErrorCode::kInvalidArgument, "no pictures to observe the network on"};
  auto model = parse(onnx);
  if (!model) return model.error();
  onnx::GraphProto& graph = *model->mutable_graph();
  ValueGroups values(graph.node());
  const Plan plan = make_plan(graph, values);
  if (plan.layers.empty())
    return Error{ErrorCode::kUnsupported,
                 "no layer between the first and the last could be computed in 8 bit"};
  const auto seen = observe(onnx, graph.node(), plan, values, pictures);
  if (!seen) return seen.error();

  QuantizedNetwork result;
  Nodes nodes;
  nodes.Swap(graph.mutable_node());
  Rewriter rewriter(graph);
  for (onnx::NodeProto& node : nodes) {
    result.layers += is_layer(node) ? 1 : 0;
    const auto layer = node.output_size() == 1 ? plan.layers.find(node.output(0)) : plan.layers.end();
    if (layer != plan.layers.end()) {
      const std::vector<double>& means = seen->means.at(node.input(0));
      if (means.size() != layer->second.inputs())
        return Error{ErrorCode::kBadModel, node.output(0) + ": a layer of another number of inputs"};
      rewriter.append_layer(node, layer->second, round_layer(layer->second, means));
    } else {
      for (int i = 0; i < handed_on(node); ++i) node.set_input(i, rewriter.read(node.input(i)));
      rewriter.append(node);
    }
    for (const std::string& output : node.output())
      if (values.is_origin(output) && plan.groups.contains(values.group(output)))
        rewriter.put_on_grid(output, seen->histograms.at(values.group(output)).grid());
  }
  rewriter.remove_unused_constants();

  result.onnx = model->SerializeAsString();
  const auto count = count_layers_in_8_bit(result.onnx);
  if (!count) return count.error();
  result.layers_in_8_bit = *count;
  return result;
}

}  // namespace xray
