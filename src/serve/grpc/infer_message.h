#pragma once

#include <google/protobuf/io/zero_copy_stream.h>
#include <open_inference.pb.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "common/file.h"
#include "common/result.h"
#include "serve/grpc/bounded_arena.h"
#include "serve/inference/tensor.h"

namespace xray {

/// A ModelInferRequest that came over the wire. Stays on the thread that parsed it.
class InferMessage {
 public:
  /// Takes no more than `budget` bytes beside the characters of its strings. kInvalidArgument
  /// where `bytes` are no such message, kTooLarge where the budget does not do.
  static Result<std::unique_ptr<const InferMessage>> parse(google::protobuf::io::ZeroCopyInputStream& bytes,
                                                           std::size_t budget);

  const inference::ModelInferRequest& get() const { return *message_; }

 private:
  explicit InferMessage(std::size_t budget) : arena_(budget) {}

  BoundedArena arena_;
  inference::ModelInferRequest* message_ = nullptr;  ///< in the arena
};

/// What a request asks of a model. Borrows from the request.
struct InferQuestion {
  std::vector<InputTensor> inputs;
  std::vector<std::string> outputs;
  std::deque<Bytes> converted;  ///< elements of inputs whose lists are wider than their type
};

/// kInvalidArgument: unknown data types, elements in the wrong list or out of their type's
/// range, as many raw contents as inputs or none; kUnsupported: shared memory, classification.
Result<InferQuestion> read_question(const inference::ModelInferRequest& request);

/// Elements go out raw.
void write_answer(const std::vector<OutputTensor>& tensors, inference::ModelInferResponse& response);

}  // namespace xray
