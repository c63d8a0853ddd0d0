#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>

#include "common/file.h"
#include "common/random.h"
#include "dataset/dataset.h"
#include "image/encode.h"
#include "preprocess/preprocess.h"
#include "report/exploration.h"
#include "support/temp_dir.h"

namespace xray::test {

/// Clouds: phantoms all look alike to a perceptual hash, these never do.
inline Image make_clouds(std::uint64_t seed, int width = 96, int height = 96) {
  Random random(seed);
  Image::Pixels8 coarse(std::size_t{12} * 12);
  for (std::uint8_t& gray : coarse) gray = static_cast<std::uint8_t>(random.below(256));
  return to_image(resize(Image(12, 12, std::move(coarse)), width, height));
}

/// A folder of labelled pictures for one test.
class Films {
 public:
  std::filesystem::path root() const { return dir_ / "films"; }

  void add(const std::string& name, std::span<const std::byte> bytes) const {
    std::filesystem::create_directories((root() / name).parent_path());
    ASSERT_TRUE(write_file(root() / name, bytes));
  }

  void add(const std::string& name, std::uint64_t seed, int width = 96) const {
    add(name, encode_png(make_clouds(seed, width)).value());
  }

  Dataset scan() const { return scan_dataset(root()).value(); }

  Exploration explore() const {
    Explorer explorer(scan());
    for (const Sample& sample : explorer.dataset().samples) explorer.add(measure_picture(sample.path));
    auto exploration = std::move(explorer).finish(1);
    if (!exploration) throw std::runtime_error("nobody asked to stop");
    return std::move(*exploration);
  }

 private:
  TempDir dir_;
};

}  // namespace xray::test
