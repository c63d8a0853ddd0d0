#include "network/conv_unit.h"

#include <ATen/autocast_mode.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace xray {
namespace {

using torch::Tensor;

/// Both families of pretrained networks were trained with it; Keras' default as well.
constexpr double kBatchNormEpsilon = 1e-3;
/// Share of the newest batch in the running statistics: a few hundred steps make
/// an epoch here, so they forget ImageNet within the first one.
constexpr double kBatchNormMomentum = 0.05;

std::array<int, 2> same_padding(std::int64_t size, int kernel, int stride) {
  const std::int64_t out = (size + stride - 1) / stride;
  const int total = static_cast<int>(std::max<std::int64_t>((out - 1) * stride + kernel - size, 0));
  return {total / 2, total - total / 2};
}

}  // namespace

std::vector<float> to_vector(const Tensor& tensor) {
  const Tensor flat = tensor.detach().to(torch::kCPU, torch::kFloat).contiguous().flatten();
  const float* data = flat.const_data_ptr<float>();
  return {data, data + flat.numel()};
}

Tensor channels_last(const Tensor& gray) {
  const Tensor x = gray.contiguous();
  return x.as_strided(x.sizes(), {x.size(2) * x.size(3), 1, x.size(3), 1});
}

ConvUnitImpl::ConvUnitImpl(int in, int out, int kernel, int stride, int groups, bool linear)
    : kernel_(kernel), stride_(stride), groups_(groups), linear_(linear) {
  weight_ = register_parameter("weight", torch::empty({out, in / groups, kernel, kernel}));
  torch::nn::init::kaiming_normal_(weight_, 0.0, torch::kFanOut, torch::kReLU);
  norm_ = register_module(
      "norm", torch::nn::BatchNorm2d(
                  torch::nn::BatchNorm2dOptions(out).eps(kBatchNormEpsilon).momentum(kBatchNormMomentum)));
}

Tensor ConvUnitImpl::forward(const Tensor& x) {
  return activate(norm_->forward(convolve(x)));
}

Tensor ConvUnitImpl::restart(const Tensor& x) {
  const Tensor raw = convolve(x);
  const auto [variance, mean] = torch::var_mean(raw, {0, 2, 3}, false);
  const Tensor gain = torch::sqrt(variance + kBatchNormEpsilon);
  const Tensor scale = norm_->weight / torch::sqrt(norm_->running_var + kBatchNormEpsilon);
  const Tensor shift = norm_->bias - norm_->running_mean * scale;
  norm_->weight.set_data(scale * gain);
  norm_->bias.set_data(shift + scale * mean);
  norm_->running_mean.copy_(mean);
  norm_->running_var.copy_(variance);
  return activate(raw * scale.view({1, -1, 1, 1}) + shift.view({1, -1, 1, 1}));
}

Tensor ConvUnitImpl::adapt(const Tensor& x) {
  const Tensor raw = convolve(x);
  const auto [variance, mean] = torch::var_mean(raw, {0, 2, 3}, false);
  norm_->running_mean.copy_(mean);
  norm_->running_var.copy_(variance);
  norm_->eval();
  return activate(norm_->forward(raw));
}

void ConvUnitImpl::set_weight(const Tensor& weight) {
  TORCH_CHECK(weight.sizes() == weight_.sizes(), "weights of another shape");
  weight_.set_data(weight.clone());
}

void ConvUnitImpl::set_norm(const Tensor& gain, const Tensor& bias, const Tensor& mean,
                            const Tensor& variance) {
  norm_->weight.set_data(gain.clone());
  norm_->bias.set_data(bias.clone());
  norm_->running_mean.copy_(mean);
  norm_->running_var.copy_(variance);
}

void ConvUnitImpl::set_bias(const Tensor& bias) {
  const Tensor ones = torch::ones_like(bias);
  set_norm(ones * std::sqrt(1 + kBatchNormEpsilon), bias, torch::zeros_like(bias), ones);
}

std::string ConvUnitImpl::write(OnnxWriter& onnx, const std::string& x, int& height, int& width) {
  const Tensor scale = norm_->weight / torch::sqrt(norm_->running_var + kBatchNormEpsilon);
  const std::vector<float> weights = to_vector(weight_ * scale.view({-1, 1, 1, 1}));
  const std::vector<float> bias = to_vector(norm_->bias - norm_->running_mean * scale);
  const auto vertical = same_padding(height, kernel_, stride_);
  const auto horizontal = same_padding(width, kernel_, stride_);
  const std::string y = onnx.conv(x, {.in = static_cast<int>(weight_.size(1)) * groups_,
                                      .out = static_cast<int>(weight_.size(0)),
                                      .kernel = kernel_,
                                      .stride = stride_,
                                      .groups = groups_,
                                      .pads = {vertical[0], horizontal[0], vertical[1], horizontal[1]},
                                      .weights = weights,
                                      .bias = bias});
  height = (height + stride_ - 1) / stride_;
  width = (width + stride_ - 1) / stride_;
  return linear_ ? y : onnx.clip(y, 0.0F, 6.0F);
}

Tensor ConvUnitImpl::convolve(const Tensor& x) {
  // On CPUs oneDNN's backward pass of depthwise convolutions takes five times as long in
  // bf16 as in floats; one such layer after the other made bf16 slower than floats.
  if (groups_ > 1 && x.device().is_cpu() && at::autocast::is_autocast_enabled(torch::kCPU)) {
    const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
    return convolve_as_is(x.to(torch::kFloat)).to(torch::kBFloat16);
  }
  return convolve_as_is(x);
}

Tensor ConvUnitImpl::convolve_as_is(const Tensor& x) {
  const auto vertical = same_padding(x.size(2), kernel_, stride_);
  const auto horizontal = same_padding(x.size(3), kernel_, stride_);
  if (vertical[0] == vertical[1] && horizontal[0] == horizontal[1])
    return torch::conv2d(x, weight_, {}, stride_, at::IntArrayRef{vertical[0], horizontal[0]}, 1, groups_);
  const Tensor padded = torch::constant_pad_nd(x, {horizontal[0], horizontal[1], vertical[0], vertical[1]});
  return torch::conv2d(padded, weight_, {}, stride_, at::IntArrayRef{0, 0}, 1, groups_);
}

Tensor ConvUnitImpl::activate(const Tensor& x) const {
  return linear_ ? x : torch::hardtanh(x, 0.0, 6.0);
}

}  // namespace xray
