#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/file.h"
#include "common/result.h"
#include "image/image.h"

namespace xray {

enum class Verdict { kNormal, kPneumonia };
/// "normal", "pneumonia".
const char* name(Verdict verdict);

/// Where on the picture the evidence for pneumonia lies: row-major grid, coarse as
/// the network's last stage. 0 where a cell speaks for normal, or no more for
/// pneumonia than the picture as a whole; towards 1 the more it does.
struct HeatMap {
  int width = 0;
  int height = 0;
  std::vector<float> values;
  bool empty() const { return values.empty(); }
};

/// Where the time of one diagnosis went, in milliseconds of wall time.
struct Timing {
  double decode = 0;
  double preprocess = 0;
  double infer = 0;
  double total = 0;
};

/// What the program says of one picture.
struct Finding {
  Verdict verdict = Verdict::kNormal;
  double normal = 0;     ///< calibrated per cent, 0..100; normal + pneumonia == 100
  double pneumonia = 0;  ///< calibrated per cent
  /// Per cent of pneumonia that looks bacterial or viral (their sum is 100);
  /// both negative where the model does not tell them apart.
  double bacterial = -1;
  double viral = -1;
  HeatMap heat;
  std::string model;  ///< ModelCard::id()
  Timing timing;
  int width = 0;  ///< of the picture in the file
  int height = 0;
  bool has_subtype() const { return bacterial >= 0; }
};

/// {"verdict", "percent": {"normal", "pneumonia"}, "subtype": {"bacterial",
/// "viral"}, "model", "milliseconds", "timing": {...}, "picture": {"width",
/// "height"}}; percentages rounded to 0.01. "subtype" is left out where unknown.
nlohmann::ordered_json to_json(const Finding& finding);

/// The heat map as an RGBA PNG of width x height, transparent where there is no
/// evidence, to lay over the picture. Smoothly interpolated. kUnusable if empty.
Result<Bytes> render_heatmap(const HeatMap& heat, int width, int height);

/// The picture with the heat map blended in, as an RGBA PNG of the picture's size.
Result<Bytes> render_overlay(const Image& picture, const HeatMap& heat);

}  // namespace xray
