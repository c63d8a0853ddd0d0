// Runs a fuzz target without libFuzzer, the same inputs every time:
//   x_replay              its seeds and mutations of them
//   x_replay FILE...      these files, to look into a finding
//   x_replay --write DIR  writes the seeds, to start libFuzzer with
#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "common/random.h"
#include "fuzz_target.h"

namespace {

using xray::Bytes;
using xray::Random;

constexpr int kMutations = 10000;

/// One to four small injuries, as bad disks, bad networks and bad people inflict them.
Bytes mutate(Bytes bytes, Random& random) {
  for (std::uint64_t injuries = 1 + random.below(4); injuries > 0 && !bytes.empty(); --injuries) {
    const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(random.below(bytes.size()));
    const auto run =
        std::min<std::ptrdiff_t>(1 + static_cast<std::ptrdiff_t>(random.below(16)), bytes.end() - at);
    switch (random.below(6)) {
      case 0:
        *at ^= static_cast<std::byte>(1U << random.below(8));
        break;
      case 1:
        std::fill(at, at + run, std::byte{0xFF});
        break;
      case 2:
        std::fill(at, at + run, std::byte{0});
        break;
      case 3:
        bytes.erase(at, at + run);
        break;
      case 4: {
        const Bytes copy(at, at + run);
        bytes.insert(at, copy.begin(), copy.end());
        break;
      }
      default:
        if (random.below(4) == 0)
          bytes.erase(at, bytes.end());
        else
          *at = static_cast<std::byte>(random.below(256));
    }
  }
  return bytes;
}

void run(const Bytes& bytes) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

void replay() {
  const std::vector<Bytes> seeds = xray::fuzz::seeds();
  run({});
  for (const Bytes& seed : seeds) run(seed);
  for (std::uint64_t i = 0; i < kMutations; ++i) {
    Random random(i);
    const Bytes input = mutate(seeds[random.below(seeds.size())], random);
    try {
      run(input);
    } catch (const std::exception&) {
      const std::string name = "crash-" + std::to_string(i);
      (void)xray::write_file(name, input);
      std::fprintf(stderr, "mutation %s, written to %s:\n", std::to_string(i).c_str(), name.c_str());
      throw;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::span<char*> arguments(argv + 1, static_cast<std::size_t>(argc - 1));
  try {
    if (arguments.empty()) {
      replay();
    } else if (arguments.size() == 2 && std::string_view(arguments[0]) == "--write") {
      std::filesystem::create_directories(arguments[1]);
      int number = 0;
      for (const Bytes& seed : xray::fuzz::seeds()) {
        const auto path = std::filesystem::path(arguments[1]) / ("seed-" + std::to_string(number++));
        (void)xray::write_file(path, seed).value();
      }
    } else {
      for (const char* file : arguments) run(xray::read_file(file).value());
    }
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return 1;
  }
  return 0;
}
