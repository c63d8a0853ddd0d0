#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

#include "common/error.h"

namespace xray {

/// A T, or the Error that kept it from being made.
///
/// Expected failures (a bad file, a full queue) travel as Results; asking an
/// error for its value is a broken invariant and throws std::logic_error.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    require_value();
    return std::get<0>(state_);
  }
  const T& value() const& {
    require_value();
    return std::get<0>(state_);
  }
  T&& value() && {
    require_value();
    return std::get<0>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  /// The error; throws std::logic_error where there is none.
  const Error& error() const {
    if (ok()) throw std::logic_error("Result: asked a value for its error");
    return std::get<1>(state_);
  }

 private:
  void require_value() const {
    if (!ok()) throw std::logic_error("Result: " + std::get<1>(state_).message);
  }
  std::variant<T, Error> state_;
};

/// Success without a value, or an Error: `Result<Done> f() { ...; return Done{}; }`.
struct Done {};

}  // namespace xray
