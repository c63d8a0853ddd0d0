#include "tune/gaussian_process.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

namespace xray {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

/// On the diagonal, so that points that lie close together leave the matrix positive.
constexpr double kJitter = 1e-8;

double matern(double squared_distance) {
  const double r = std::sqrt(5 * squared_distance);
  return (1 + r + r * r / 3) * std::exp(-r);
}

double squared(double value) {
  return value * value;
}

}  // namespace

GaussianProcess::GaussianProcess(MatrixXd points, const VectorXd& values, Random& random)
    : points_(std::move(points)) {
  mean_ = values.mean();
  deviation_ = std::sqrt((values.array() - mean_).square().mean());
  if (!(deviation_ > 1e-12)) deviation_ = 1;
  values_ = (values.array() - mean_) / deviation_;
  search_settings(random);
  solve();
}

MatrixXd GaussianProcess::covariance(const Settings& settings) const {
  const Index n = points_.rows();
  const Index d = points_.cols();
  const VectorXd inverse = (-settings.head(d)).array().exp();
  const MatrixXd scaled = points_ * inverse.asDiagonal();
  const double variance = std::exp(settings[d]);
  MatrixXd k(n, n);
  for (Index i = 0; i < n; ++i) {
    k(i, i) = variance + std::exp(settings[d + 1]) + kJitter;
    for (Index j = 0; j < i; ++j)
      k(i, j) = k(j, i) = variance * matern((scaled.row(i) - scaled.row(j)).squaredNorm());
  }
  return k;
}

double GaussianProcess::log_posterior(const Settings& settings) const {
  const Eigen::LLT<MatrixXd> factored(covariance(settings));
  if (factored.info() != Eigen::Success) return -std::numeric_limits<double>::infinity();
  const VectorXd solved = factored.solve(values_);
  const MatrixXd lower = factored.matrixL();
  double value = -0.5 * values_.dot(solved) - lower.diagonal().array().log().sum();
  // Normal priors on the logarithms: lengths around a half, variance around 1, noise around a hundredth. They
  // keep dimensions of which little is known from looking decided.
  const Index d = points_.cols();
  for (Index i = 0; i < d; ++i) value -= 0.5 * squared((settings[i] - std::log(0.5)) / 1.0);
  value -= 0.5 * squared(settings[d] / 1.0);
  value -= 0.5 * squared((settings[d + 1] - std::log(0.01)) / 1.5);
  return value;
}

void GaussianProcess::search_settings(Random& random) {
  // An evolution strategy of one parent and one child, its steps longer after a success and shorter
  // after a failure (the 1/5 rule, Rechenberg 1973), from a few starts.
  constexpr int kStarts = 3;
  const Index d = points_.cols();
  const int steps = points_.rows() > 120 ? 60 : 150;
  double best = -std::numeric_limits<double>::infinity();
  for (int start = 0; start < kStarts; ++start) {
    Settings now(d + 2);
    for (Index i = 0; i < d; ++i) now[i] = std::log(0.5) + (start == 0 ? 0 : random.normal());
    now[d] = 0;
    now[d + 1] = std::log(0.01) + (start == 0 ? 0 : random.normal());
    double value = log_posterior(now);
    double width = 0.5;
    for (int step = 0; step < steps; ++step) {
      Settings next = now;
      for (Index i = 0; i < next.size(); ++i)
        next[i] = std::clamp(next[i] + width * random.normal(), std::log(1e-5), std::log(100.0));
      const double there = log_posterior(next);
      const bool gained = there > value;
      if (gained) {
        now = next;
        value = there;
      }
      width *= gained ? 1.5 : 0.9;
      width = std::clamp(width, 0.01, 1.0);
    }
    if (value > best || settings_.size() == 0) {
      best = value;
      settings_ = now;
    }
  }
}

void GaussianProcess::solve() {
  // Should rounding ever defeat the factorisation, more noise mends it.
  for (;;) {
    const Eigen::LLT<MatrixXd> factored(covariance(settings_));
    if (factored.info() == Eigen::Success) {
      factor_ = factored.matrixL();
      weights_ = factored.solve(values_);
      return;
    }
    settings_[settings_.size() - 1] += 1;
  }
}

GaussianProcess::Prediction GaussianProcess::predict(const VectorXd& point) const {
  const Index d = points_.cols();
  const VectorXd inverse = (-settings_.head(d)).array().exp();
  const double variance = std::exp(settings_[d]);
  VectorXd k(points_.rows());
  for (Index i = 0; i < k.size(); ++i)
    k[i] = variance *
           matern(((points_.row(i).transpose() - point).array() * inverse.array()).matrix().squaredNorm());
  const VectorXd solved = factor_.triangularView<Eigen::Lower>().solve(k);
  const double left = std::max(variance - solved.squaredNorm(), 0.0);
  return {mean_ + deviation_ * k.dot(weights_), deviation_ * std::sqrt(left)};
}

GaussianProcess GaussianProcess::with(const VectorXd& point, double value) const {
  GaussianProcess more = *this;
  more.points_.conservativeResize(points_.rows() + 1, Eigen::NoChange);
  more.points_.row(points_.rows()) = point;
  more.values_.conservativeResize(values_.size() + 1);
  more.values_[values_.size()] = (value - mean_) / deviation_;
  more.solve();
  return more;
}

double expected_improvement(const GaussianProcess::Prediction& prediction, double best) {
  if (prediction.deviation <= 0) return std::max(best - prediction.mean, 0.0);
  const double z = (best - prediction.mean) / prediction.deviation;
  const double density = std::exp(-0.5 * z * z) / std::sqrt(2 * std::numbers::pi);
  const double share = 0.5 * std::erfc(-z / std::numbers::sqrt2);
  return prediction.deviation * (z * share + density);
}

}  // namespace xray
