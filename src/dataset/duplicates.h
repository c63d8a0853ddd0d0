#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "image/image.h"

namespace xray {

/// What a picture looks like, in 256 bits that change little under another size,
/// compression, brightness or contrast.
///
/// The signs of 16 x 16 low frequencies (rows and columns 1..16 of the cosine
/// transform of the picture squashed to 64 x 64) about their median, as PDQ takes
/// them (Facebook 2019, after the DCT hash of Zauner 2010).
using PerceptualHash = std::array<std::uint64_t, 4>;

/// Thread-safe.
PerceptualHash perceptual_hash(const Image& image);

/// Bits that differ, 0..256.
int distance(const PerceptualHash& a, const PerceptualHash& b);

/// Up to here two pictures are taken for the same one: PDQ's own limit. Among 5,216
/// chest films of children the closest two that were not copies lay 48 apart, while
/// 160 films saved anew at JPEG 30, at half the size, at gamma 0.8 or with another
/// window stayed within 16 of themselves, and most within 31 with 1 % cut off all round.
constexpr int kNearDuplicate = 31;

/// By what find_duplicates() tells pictures apart.
struct Fingerprint {
  std::string sha256;  ///< of the file's bytes
  PerceptualHash hash{};
  std::size_t owner = 0;  ///< number of the patient
};

/// Pictures that are the same one, by their numbers, rising; at least two.
struct DuplicateGroup {
  std::vector<std::size_t> members;
  bool same_bytes = false;  ///< every file is a copy of the first
  int distance = 0;         ///< the widest step by which the group hangs together, 0..kNearDuplicate
};

/// Two pictures by their numbers, `a` < `b`.
struct SimilarPair {
  std::size_t a = 0;
  std::size_t b = 0;
  int distance = 0;
};

/// What is there more than once, and what comes close to it.
struct Duplicates {
  std::vector<DuplicateGroup> groups;  ///< by their first member
  /// The closest pairs of different owners that are not near-duplicates, nearest
  /// first: too far apart to be called the same, worth a look.
  std::vector<SimilarPair> look_alikes;
};

constexpr std::size_t kMaxLookAlikes = 12;

/// Compares every picture with every other, on `threads` threads (all cores where
/// not positive): 20,000 take about a second on one core. Memory grows with the
/// number of pictures alone. Nothing where `stop` was requested.
std::optional<Duplicates> find_duplicates(std::span<const Fingerprint> pictures, int threads = 0,
                                          const std::stop_token& stop = {});

}  // namespace xray
