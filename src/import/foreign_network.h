#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/result.h"
#include "import/import_card.h"
#include "import/ir.h"
#include "import/source.h"

namespace ov {
class Model;
}

namespace xray {

/// A network as other tools wrote it. Nothing but OpenVINO's own operations is read: no library of
/// operations is ever loaded. A hostile file may still keep the reader busy or crash it: whoever reads
/// unknown ones does so in a process that may die.
class ForeignNetwork {
 public:
  /// kBadModel where it cannot be read, has not one input and at least one output, or keeps state.
  static Result<ForeignNetwork> read(const Source& source);

  /// What the graph tells, line by line, for people.
  std::string describe() const;
  /// A card for import_card_from_json(), as far as the graph tells; what it does not tell are texts that
  /// say what to write.
  nlohmann::ordered_json template_card() const;

  /// The network that reads gray levels (0..255) of N x 1 x height x width as "input" and answers with
  /// "logits" in the order of the card's classes: gray to colour, scaling and layout as the card has it in
  /// front, the head undone behind. kBadModel where card and graph contradict each other, with both.
  /// To be called once: the graph is changed.
  Result<IrBytes> adapt(const ImportCard& card);

 private:
  ForeignNetwork(Source source, std::shared_ptr<ov::Model> network);

  Source source_;
  std::shared_ptr<ov::Model> network_;
};

}  // namespace xray
