#include "model/onnx_writer.h"

#include <onnx/onnx.pb.h>

#include <cstdint>
#include <utility>

namespace xray {
namespace {

constexpr std::int64_t kIrVersion = 8;
constexpr std::int64_t kOpset = 17;

void add_ints(onnx::NodeProto& node, const char* name, std::initializer_list<std::int64_t> values) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INTS);
  for (const std::int64_t value : values) attribute.add_ints(value);
}

void add_int(onnx::NodeProto& node, const char* name, std::int64_t value) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
}

void add_text(onnx::NodeProto& node, const char* name, const char* value) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::STRING);
  attribute.set_s(value);
}

}  // namespace

struct OnnxWriter::State {
  onnx::ModelProto model;
  int values = 0;

  onnx::GraphProto& graph() { return *model.mutable_graph(); }

  onnx::NodeProto& node(const char* op, std::initializer_list<std::string> inputs) {
    onnx::NodeProto& added = *graph().add_node();
    added.set_op_type(op);
    for (const std::string& input : inputs) added.add_input(input);
    const std::string output = "v" + std::to_string(values++);
    added.add_output(output);
    added.set_name(output + "_" + op);
    return added;
  }

  std::string tensor(std::initializer_list<std::int64_t> dims, std::span<const float> data) {
    onnx::TensorProto& added = *graph().add_initializer();
    added.set_name("w" + std::to_string(graph().initializer_size()));
    added.set_data_type(onnx::TensorProto::FLOAT);
    for (const std::int64_t dim : dims) added.add_dims(dim);
    // ONNX stores raw data little-endian, as every machine we build for does.
    added.set_raw_data(data.data(), data.size_bytes());
    return added.name();
  }

  static void describe(onnx::ValueInfoProto& value, const std::string& name, const std::vector<int>& dims) {
    value.set_name(name);
    onnx::TypeProto::Tensor& type = *value.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::FLOAT);
    for (const int dim : dims) {
      auto& added = *type.mutable_shape()->add_dim();
      if (dim < 0) {
        added.set_dim_param("N");
      } else {
        added.set_dim_value(dim);
      }
    }
  }
};

OnnxWriter::OnnxWriter(std::string graph_name) : state_(std::make_unique<State>()) {
  state_->model.set_ir_version(kIrVersion);
  state_->model.set_producer_name("xray");
  onnx::OperatorSetIdProto& opset = *state_->model.add_opset_import();
  opset.set_domain("");
  opset.set_version(kOpset);
  state_->graph().set_name(std::move(graph_name));
}

OnnxWriter::~OnnxWriter() = default;
OnnxWriter::OnnxWriter(OnnxWriter&&) noexcept = default;
OnnxWriter& OnnxWriter::operator=(OnnxWriter&&) noexcept = default;

std::string OnnxWriter::input(const std::string& name, int channels, int height, int width) {
  State::describe(*state_->graph().add_input(), name, {-1, channels, height, width});
  return name;
}

std::string OnnxWriter::conv(const std::string& x, const Conv& conv) {
  const std::string weights =
      state_->tensor({conv.out, conv.in / conv.groups, conv.kernel, conv.kernel}, conv.weights);
  const std::string bias = state_->tensor({conv.out}, conv.bias);
  onnx::NodeProto& node = state_->node("Conv", {x, weights, bias});
  add_ints(node, "kernel_shape", {conv.kernel, conv.kernel});
  add_ints(node, "strides", {conv.stride, conv.stride});
  add_ints(node, "pads", {conv.pads[0], conv.pads[1], conv.pads[2], conv.pads[3]});
  add_int(node, "group", conv.groups);
  return node.output(0);
}

std::string OnnxWriter::relu(const std::string& x) {
  return state_->node("Relu", {x}).output(0);
}

std::string OnnxWriter::clip(const std::string& x, float low, float high) {
  const std::string low_name = state_->tensor({}, std::span(&low, 1));
  const std::string high_name = state_->tensor({}, std::span(&high, 1));
  return state_->node("Clip", {x, low_name, high_name}).output(0);
}

std::string OnnxWriter::add(const std::string& a, const std::string& b) {
  return state_->node("Add", {a, b}).output(0);
}

std::string OnnxWriter::max_pool(const std::string& x, int kernel, int stride) {
  onnx::NodeProto& node = state_->node("MaxPool", {x});
  add_ints(node, "kernel_shape", {kernel, kernel});
  add_ints(node, "strides", {stride, stride});
  return node.output(0);
}

std::string OnnxWriter::upsample_nearest(const std::string& x, int factor) {
  const std::array<float, 4> scales{1, 1, static_cast<float>(factor), static_cast<float>(factor)};
  const std::string scales_name = state_->tensor({4}, scales);
  // The second input, a region of interest, is for another mode.
  onnx::NodeProto& node = state_->node("Resize", {x, "", scales_name});
  add_text(node, "mode", "nearest");
  add_text(node, "coordinate_transformation_mode", "asymmetric");
  add_text(node, "nearest_mode", "floor");
  return node.output(0);
}

std::string OnnxWriter::depth_to_space(const std::string& x, int factor) {
  onnx::NodeProto& node = state_->node("DepthToSpace", {x});
  add_int(node, "blocksize", factor);
  add_text(node, "mode", "CRD");
  return node.output(0);
}

std::string OnnxWriter::global_average_pool(const std::string& x) {
  return state_->node("GlobalAveragePool", {x}).output(0);
}

std::string OnnxWriter::flatten(const std::string& x) {
  onnx::NodeProto& node = state_->node("Flatten", {x});
  add_int(node, "axis", 1);
  return node.output(0);
}

std::string OnnxWriter::linear(const std::string& x, int in, int out, std::span<const float> weights,
                               std::span<const float> bias) {
  const std::string weights_name = state_->tensor({out, in}, weights);
  const std::string bias_name = state_->tensor({out}, bias);
  onnx::NodeProto& node = state_->node("Gemm", {x, weights_name, bias_name});
  add_int(node, "transB", 1);
  return node.output(0);
}

void OnnxWriter::output(const std::string& x, const std::string& name, const std::vector<int>& dims) {
  onnx::NodeProto& node = state_->node("Identity", {x});
  node.set_output(0, name);
  State::describe(*state_->graph().add_output(), name, dims);
}

std::string OnnxWriter::finish() {
  return state_->model.SerializeAsString();
}

}  // namespace xray
