#include "import/ir.h"

#include <openvino/openvino.hpp>
#include <openvino/pass/serialize.hpp>
#include <span>
#include <sstream>

#include "common/file.h"
#include "infer/compiled_network.h"

namespace xray {
namespace {

using Json = nlohmann::ordered_json;

IrBytes serialise(const std::shared_ptr<ov::Model>& network) {
  std::ostringstream graph;
  std::ostringstream weights;
  ov::pass::Serialize(graph, weights).run_on_model(network);
  return {graph.str(), weights.str()};
}

template <typename Ports>
Json list_of(const Ports& ports) {
  Json list = Json::array();
  for (const auto& port : ports) {
    Json shape = Json::array();
    for (const ov::Dimension& dimension : port.get_partial_shape())
      shape.push_back(dimension.is_static() ? dimension.get_length() : -1);
    list.push_back({{"name", port.get_any_name()},
                    {"shape", std::move(shape)},
                    {"type", port.get_element_type().to_string()}});
  }
  return list;
}

/// What `use` makes of a network read from a file; whatever the library throws names the file.
template <typename Use>
auto with_network(const std::filesystem::path& file, const Use& use) -> Result<decltype(use(nullptr))> {
  try {
    return use(openvino().read_model(file.string()));
  } catch (const std::exception& failure) {
    return Error{ErrorCode::kBadModel, file.filename().string() + ": " + failure.what()};
  }
}

}  // namespace

IrBytes to_ir(const std::shared_ptr<ov::Model>& network) {
  // With it, the graph's own SHA-256 tells networks apart that differ in weights alone.
  const IrBytes first = serialise(network);
  network->set_rt_info(sha256_hex(std::as_bytes(std::span(first.weights))), "xray", "weights_sha256");
  return serialise(network);
}

Result<IrBytes> read_as_ir(const std::filesystem::path& network) {
  return with_network(network, [](const std::shared_ptr<ov::Model>& read) { return to_ir(read); });
}

Result<Json> ports_of(const std::filesystem::path& network) {
  return with_network(network, [](const std::shared_ptr<ov::Model>& read) {
    return Json{{"inputs", list_of(read->inputs())}, {"outputs", list_of(read->outputs())}};
  });
}

}  // namespace xray
