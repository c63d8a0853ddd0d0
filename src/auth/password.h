#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"

namespace xray {

/// What a password costs to try: memory above all (Argon2id, RFC 9106).
struct PasswordCost {
  unsigned memory_kib = 47'104;
  unsigned passes = 2;
};

constexpr std::size_t kMinPassword = 12;   ///< letters, as Unicode counts them
constexpr std::size_t kMaxPassword = 256;  ///< bytes

/// kInvalidArgument, with the reason, where `password` must not be chosen: too short or too long, no UTF-8,
/// one of those that are tried first, or made of the account's name.
Result<Done> check_new_password(std::string_view password, std::string_view user_name);

/// Argon2id with a salt of its own, in the form that names algorithm, costs and salt. Takes tens of
/// milliseconds.
std::string hash_password(std::string_view password, const PasswordCost& cost = {});

/// Whether `password` is the one that `hash` was made of. Where there is no hash (no such account, or one
/// that signs in elsewhere) it takes as long, and is not.
bool is_password(std::string_view password, const std::optional<std::string>& hash);

/// Whether `hash` was made at another cost than new ones.
bool is_outdated(std::string_view hash, const PasswordCost& cost = {});

}  // namespace xray
