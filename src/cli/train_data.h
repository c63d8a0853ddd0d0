#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "common/result.h"
#include "dataset/dataset.h"
#include "model/lungs.h"
#include "train/out_of_fold.h"
#include "train/picture_set.h"
#include "train/trainer.h"

namespace CLI {
class App;
}

namespace xray {

/// Which films a classifier is trained on, how it sees them, and how it is trained.
struct ClassifierArguments {
  std::string data;
  std::string extra;            ///< folder of films to train on besides, never measured on; may be empty
  std::string lungs;            ///< folder of a lung network; empty: whole films
  bool hide_lungs = false;      ///< whole films without their lungs, to see what the rest tells
  std::string confounder;       ///< out-of-fold scores of such a network; may be empty
  double confounder_share = 1;  ///< of its log-probabilities, given to the network in training
  InputSpec input;              ///< size and framing follow from the options
  int classes = 0;              ///< 0: three where the file names tell the kinds, else two
  TrainOptions train;
};

/// Adds every option of `arguments`, which must outlive the parsing.
void add_classifier_options(CLI::App& command, const std::shared_ptr<ClassifierArguments>& arguments);

/// A data set in memory, ready to be trained on.
struct TrainingData {
  Dataset dataset;
  int classes = 2;
  InputSpec input;
  std::optional<LungModel> lungs;
  std::string lung_network;  ///< ONNX bytes
  PictureSet films;          ///< sample_index counts dataset.samples
  std::vector<TrainingPicture> extra;
  std::vector<FoldScore> confounder;  ///< one per film of known class, or none

  /// Copies of the films whose index in `films` is wanted.
  std::vector<TrainingPicture> select(const std::function<bool(std::size_t film)>& wanted) const;
  /// Indices into dataset.samples of the films wanted.
  std::set<std::size_t> samples_of(const std::function<bool(std::size_t film)>& wanted) const;
  /// The same as select(), and the extra films.
  std::vector<TrainingPicture> select_training(const std::function<bool(std::size_t film)>& wanted) const;
};

/// Logits of the films whose index in `data.films` is wanted, told as those of `fold`.
std::vector<FoldScore> score_films(Classifier& network, const TrainingData& data,
                                   const std::function<bool(std::size_t film)>& wanted, int fold,
                                   const Preprocessor& preprocessor);

/// Reads everything, saying on standard error what had to be left out.
Result<TrainingData> read_training_data(const ClassifierArguments& arguments, const std::stop_token& stop);

}  // namespace xray
