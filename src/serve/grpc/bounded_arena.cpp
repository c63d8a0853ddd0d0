#include "serve/grpc/bounded_arena.h"

#include <new>

namespace xray {
namespace {

/// Of the arena that this thread fills: protobuf asks for blocks without saying for whom.
thread_local std::size_t budget_left = 0;

void* take_block(std::size_t size) {
  if (size > budget_left) throw std::bad_alloc();
  void* const block = ::operator new(size);
  budget_left -= size;
  return block;
}

void give_back_block(void* block, std::size_t size) {
  ::operator delete(block, size);
}

google::protobuf::ArenaOptions options(std::size_t budget) {
  budget_left = budget;
  google::protobuf::ArenaOptions options;
  options.max_block_size = 1U << 20U;
  options.block_alloc = take_block;
  options.block_dealloc = give_back_block;
  return options;
}

}  // namespace

BoundedArena::BoundedArena(std::size_t budget) : arena_(options(budget)) {}

}  // namespace xray
