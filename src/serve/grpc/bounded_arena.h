#pragma once

#include <google/protobuf/arena.h>

#include <cstddef>

namespace xray {

/// An arena that gives no more than a budget: a message of two bytes per entry may take a
/// hundred times its size once it is parsed. To be filled on the thread that made it, no
/// other one being made there meanwhile.
class BoundedArena {
 public:
  /// Bytes of all messages and lists together; strings keep their characters outside.
  explicit BoundedArena(std::size_t budget);

  /// Throws std::bad_alloc, in the middle of a message, where the budget is spent; what was
  /// parsed so far is then good for nothing but being destroyed.
  google::protobuf::Arena& get() { return arena_; }

 private:
  google::protobuf::Arena arena_;
};

}  // namespace xray
