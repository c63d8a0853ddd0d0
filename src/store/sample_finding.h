#pragma once

#include <cstddef>

#include "common/file.h"
#include "diagnose/finding.h"

namespace xray::test {

/// A finding with every field set, told apart from others by `seed`.
inline Finding sample_finding(int seed = 0) {
  Finding finding;
  finding.verdict = seed % 2 == 0 ? Verdict::kPneumonia : Verdict::kNormal;
  finding.pneumonia = 97.123456789012 - seed;
  finding.normal = 100 - finding.pneumonia;
  finding.reasons = {Reason::kInverted};
  finding.bacterial = 61.5;
  finding.viral = 38.5;
  finding.heat = {3, 2, {0.0F, 0.25F, 0.5F, 0.75F, 1.0F, 0.125F}};
  finding.model = "chest 1.0";
  finding.timing = {1.5, 2.5, 3.5, 8.25};
  finding.width = 1024;
  finding.height = 768;
  return finding;
}

inline Bytes sample_picture(std::size_t size, int seed = 0) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((i * 7 + seed) & 0xFFU);
  return bytes;
}

}  // namespace xray::test
