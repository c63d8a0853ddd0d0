#include "dataset/duplicates.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <numbers>
#include <numeric>
#include <tuple>
#include <utility>

#include "common/parallel.h"
#include "preprocess/preprocess.h"

namespace xray {
namespace {

// One build runs on every x86-64 machine and still counts bits by one instruction
// where there is one. Sanitizers do not get along with that choice at load time.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define XRAY_COUNT_BITS __attribute__((target_clones("popcnt", "default")))
#else
#define XRAY_COUNT_BITS
#endif

constexpr std::size_t kSide = 64;
constexpr std::size_t kFrequencies = 16;

/// Rows 1..16 of the cosine transform (DCT-II) of 64 samples.
const std::array<std::array<float, kSide>, kFrequencies>& cosines() {
  static const auto table = [] {
    std::array<std::array<float, kSide>, kFrequencies> rows{};
    for (std::size_t k = 0; k < kFrequencies; ++k)
      for (std::size_t x = 0; x < kSide; ++x)
        rows[k][x] = static_cast<float>(
            std::cos(std::numbers::pi * static_cast<double>((k + 1) * (2 * x + 1)) / (2.0 * kSide)));
    return rows;
  }();
  return table;
}

/// Beyond this two films have no more in common than any two chests.
constexpr int kLookAlike = 64;

/// Sets of numbers that grow together (Galler and Fischer 1964, halving paths).
class Forest {
 public:
  explicit Forest(std::size_t size) : parent_(size), step_(size) {
    std::iota(parent_.begin(), parent_.end(), std::size_t{0});
  }

  std::size_t root(std::size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }

  /// The smaller number stays the root, so that a set is known by its first member.
  void join(std::size_t a, std::size_t b, int distance) {
    a = root(a);
    b = root(b);
    const int step = std::max({step_[a], step_[b], distance});
    parent_[std::max(a, b)] = std::min(a, b);
    step_[std::min(a, b)] = step;
  }

  int step(std::size_t i) { return step_[root(i)]; }

 private:
  std::vector<std::size_t> parent_;
  std::vector<int> step_;
};

bool nearer(const SimilarPair& x, const SimilarPair& y) {
  return std::tie(x.distance, x.a, x.b) < std::tie(y.distance, y.a, y.b);
}

inline int differing_bits(const PerceptualHash& a, const PerceptualHash& b) {
  int bits = 0;
  for (std::size_t i = 0; i < a.size(); ++i) bits += std::popcount(a[i] ^ b[i]);
  return bits;
}

/// Numbers and distances of the hashes at most kLookAlike away from number `row`, after it.
XRAY_COUNT_BITS void find_near(std::span<const PerceptualHash> hashes, std::size_t row,
                               std::vector<SimilarPair>& found) {
  const PerceptualHash own = hashes[row];
  for (std::size_t other = row + 1; other < hashes.size(); ++other) {
    const int bits = differing_bits(own, hashes[other]);
    if (bits <= kLookAlike) found.push_back({row, other, bits});
  }
}

}  // namespace

PerceptualHash perceptual_hash(const Image& image) {
  const Plane plane = resize(image, kSide, kSide);
  const auto& basis = cosines();
  // Along the rows first: kSide rows of kFrequencies numbers.
  std::array<float, kSide * kFrequencies> rows{};
  for (std::size_t y = 0; y < kSide; ++y)
    for (std::size_t k = 0; k < kFrequencies; ++k)
      for (std::size_t x = 0; x < kSide; ++x)
        rows[y * kFrequencies + k] += basis[k][x] * plane.values[y * kSide + x];
  std::array<float, kFrequencies * kFrequencies> spectrum{};
  for (std::size_t v = 0; v < kFrequencies; ++v)
    for (std::size_t y = 0; y < kSide; ++y)
      for (std::size_t u = 0; u < kFrequencies; ++u)
        spectrum[v * kFrequencies + u] += basis[v][y] * rows[y * kFrequencies + u];

  auto sorted = spectrum;
  const auto middle = sorted.begin() + sorted.size() / 2;
  std::nth_element(sorted.begin(), middle, sorted.end());
  PerceptualHash hash{};
  for (std::size_t i = 0; i < spectrum.size(); ++i)
    if (spectrum[i] >= *middle) hash[i / 64] |= std::uint64_t{1} << (i % 64);
  return hash;
}

int distance(const PerceptualHash& a, const PerceptualHash& b) {
  return differing_bits(a, b);
}

std::optional<Duplicates> find_duplicates(std::span<const Fingerprint> pictures, int threads,
                                          const std::stop_token& stop) {
  Forest forest(pictures.size());
  // Of files with the same bytes only the first is compared with the rest.
  std::map<std::string, std::size_t> first_with;
  std::vector<std::size_t> distinct;
  std::vector<PerceptualHash> hashes;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const auto [first, fresh] = first_with.emplace(pictures[i].sha256, i);
    if (!fresh) {
      forest.join(first->second, i, 0);
      continue;
    }
    distinct.push_back(i);
    hashes.push_back(pictures[i].hash);
  }

  std::vector<SimilarPair> look_alikes;
  const bool complete = parallel_ordered(
      distinct.size(), threads, 8 * thread_count(threads),
      [&](std::size_t row) {
        std::vector<SimilarPair> found;
        find_near(hashes, row, found);
        return found;
      },
      [&](std::size_t, const std::vector<SimilarPair>& found) {
        for (const SimilarPair& near : found) {
          const SimilarPair pair{distinct[near.a], distinct[near.b], near.distance};
          if (pair.distance <= kNearDuplicate) {
            forest.join(pair.a, pair.b, pair.distance);
          } else if (pictures[pair.a].owner != pictures[pair.b].owner) {
            look_alikes.push_back(pair);
          }
        }
        if (look_alikes.size() <= kMaxLookAlikes) return;
        std::sort(look_alikes.begin(), look_alikes.end(), nearer);
        look_alikes.resize(kMaxLookAlikes);
      },
      stop);
  if (!complete) return std::nullopt;

  std::map<std::size_t, std::vector<std::size_t>> sets;
  for (std::size_t i = 0; i < pictures.size(); ++i) sets[forest.root(i)].push_back(i);
  Duplicates duplicates;
  for (auto& [root, members] : sets) {
    if (members.size() < 2) continue;
    const bool same_bytes = std::all_of(members.begin(), members.end(), [&, first = root](std::size_t i) {
      return pictures[i].sha256 == pictures[first].sha256;
    });
    duplicates.groups.push_back({std::move(members), same_bytes, forest.step(root)});
  }
  std::sort(look_alikes.begin(), look_alikes.end(), nearer);
  duplicates.look_alikes = std::move(look_alikes);
  return duplicates;
}

}  // namespace xray
