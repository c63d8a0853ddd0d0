#include "model/onnx_facts.h"

#include <onnx/onnx.pb.h>

#include <algorithm>
#include <limits>

namespace xray {
namespace {

bool is_outside(const onnx::TensorProto& tensor) {
  return tensor.data_location() == onnx::TensorProto::EXTERNAL || tensor.external_data_size() > 0;
}

bool is_outside(const onnx::SparseTensorProto& tensor) {
  return is_outside(tensor.values()) || is_outside(tensor.indices());
}

bool is_outside(const onnx::GraphProto& graph);
bool is_outside(const onnx::NodeProto& node);
bool is_outside(const onnx::AttributeProto& attribute);

template <typename Parts>
bool any_outside(const Parts& parts) {
  return std::any_of(parts.begin(), parts.end(), [](const auto& part) { return is_outside(part); });
}

bool is_outside(const onnx::AttributeProto& attribute) {
  return is_outside(attribute.t()) || is_outside(attribute.sparse_tensor()) || is_outside(attribute.g()) ||
         any_outside(attribute.tensors()) || any_outside(attribute.sparse_tensors()) ||
         any_outside(attribute.graphs());
}

bool is_outside(const onnx::NodeProto& node) {
  return any_outside(node.attribute());
}

// Graphs lie in each other as deep as protobuf parses, a hundred messages.
bool is_outside(const onnx::GraphProto& graph) {
  return any_outside(graph.initializer()) || any_outside(graph.sparse_initializer()) ||
         any_outside(graph.node());
}

}  // namespace

Result<OnnxFacts> onnx_facts(std::span<const std::byte> bytes) {
  onnx::ModelProto model;
  if (bytes.size() > std::numeric_limits<int>::max() ||
      !model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || !model.has_graph())
    return Error{ErrorCode::kBadModel, "is no ONNX file"};
  const bool in_functions = std::any_of(model.functions().begin(), model.functions().end(),
                                        [](const auto& function) { return any_outside(function.node()); });
  return OnnxFacts{.external_data = in_functions || is_outside(model.graph())};
}

}  // namespace xray
