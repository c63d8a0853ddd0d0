#pragma once

#include <Eigen/Core>
#include <vector>

#include "common/random.h"

namespace xray {

/// Regression by a Gaussian process: Matérn 5/2 kernel with a length per dimension, and noise; all of them
/// chosen where the marginal likelihood, with weak priors, is highest (Rasmussen and Williams 2006, 2.3 and
/// 5.4.1). Values are standardised within. Immutable, thread-safe.
class GaussianProcess {
 public:
  struct Prediction {
    double mean = 0;
    double deviation = 0;  ///< of the function, without noise
  };

  /// `points`: n x d, in 0..1; `values`: n, n at least 2. The settings are searched for with `random`.
  GaussianProcess(Eigen::MatrixXd points, const Eigen::VectorXd& values, Random& random);

  Prediction predict(const Eigen::VectorXd& point) const;

  /// The same process with one more value known, settings unchanged.
  GaussianProcess with(const Eigen::VectorXd& point, double value) const;

 private:
  /// Logarithms: a length per dimension, then the kernel's and the noise's variance.
  using Settings = Eigen::VectorXd;

  Eigen::MatrixXd covariance(const Settings& settings) const;
  double log_posterior(const Settings& settings) const;
  void search_settings(Random& random);
  void solve();

  Eigen::MatrixXd points_;
  Eigen::VectorXd values_;  ///< standardised
  double mean_ = 0;
  double deviation_ = 1;
  Settings settings_;
  Eigen::MatrixXd factor_;   ///< Cholesky's, lower
  Eigen::VectorXd weights_;  ///< covariance^-1 values
};

/// What can be gained below `best` by trying where `prediction` was made (Jones 1998, equation 15).
double expected_improvement(const GaussianProcess::Prediction& prediction, double best);

}  // namespace xray
