#include "auth/password.h"

#include <argon2.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <vector>

#include "common/text.h"

namespace xray {
namespace {

constexpr unsigned kLanes = 1;
constexpr std::size_t kSalt = 16;
constexpr std::size_t kHash = 32;

/// What long passwords are made of that somebody tries first: these, again and again, one after the other.
constexpr std::array<std::string_view, 42> kWords = {
    "password",  "passwort", "passphrase", "administrator", "admin",    "radiology", "radiologie",
    "hospital",  "klinik",   "clinic",     "doctor",        "nurse",    "patient",   "xray",
    "pneumonia", "welcome",  "willkommen", "letmein",       "changeme", "secret",    "geheim",
    "default",   "login",    "qwerty",     "qwertz",        "azerty",   "asdfgh",    "zxcvbn",
    "iloveyou",  "monkey",   "dragon",     "sunshine",      "princess", "football",  "master",
    "summer",    "winter",   "spring",     "autumn",        "sommer",   "test",      "user"};

char plain(char letter) {
  // The exchanges that everybody knows.
  switch (letter) {
    case '0':
      return 'o';
    case '1':
    case '!':
      return 'i';
    case '3':
      return 'e';
    case '4':
    case '@':
      return 'a';
    case '5':
    case '$':
      return 's';
    case '7':
      return 't';
    default:
      return lowered(letter);
  }
}

/// The letters of `text` as count; 0 where it is no UTF-8.
std::size_t count_letters(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) {
    const auto first = static_cast<unsigned char>(text[at]);
    const std::size_t size = first < 0x80                    ? 1
                             : first >= 0xC2 && first < 0xE0 ? 2
                             : first >= 0xE0 && first < 0xF0 ? 3
                             : first >= 0xF0 && first < 0xF5 ? 4
                                                             : 0;
    if (size == 0 || at + size > text.size()) return 0;
    for (std::size_t i = 1; i < size; ++i)
      if ((static_cast<unsigned char>(text[at + i]) & 0xC0U) != 0x80U) return 0;
    at += size;
  }
  return count;
}

/// Whether `text` repeats a piece of at most a quarter of it.
bool repeats(std::string_view text) {
  for (std::size_t size = 1; size * 4 <= text.size(); ++size) {
    bool same = true;
    for (std::size_t i = size; i < text.size() && same; ++i) same = text[i] == text[i - size];
    if (same) return true;
  }
  return false;
}

/// Whether each letter follows the one before, or precedes it: "abcdefghijkl", "987654321098".
bool is_run(std::string_view text) {
  const auto steps = [text](int step) {
    for (std::size_t i = 1; i < text.size(); ++i) {
      const int by = text[i] - text[i - 1];
      if (by != step && !(text[i - 1] == '9' && text[i] == '0' && step == 1) &&
          !(text[i - 1] == '0' && text[i] == '9' && step == -1))
        return false;
    }
    return true;
  };
  return steps(1) || steps(-1);
}

/// What is left of `text` once every known word, digit and sign was taken away.
std::size_t own_letters(std::string text, std::string_view user_name) {
  const auto take = [&text](std::string_view word) {
    if (word.size() < 3) return;
    for (std::size_t at = 0; (at = text.find(word)) != std::string::npos;) text.erase(at, word.size());
  };
  take(user_name);
  for (const std::string_view word : kWords) take(word);
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80; }));
}

/// Words and numbers alone have too little of one's own.
constexpr std::size_t kMinOwn = 4;

bool is_guessed_first(std::string_view password, std::string_view user_name) {
  const std::string low = lowered(password);
  if (repeats(low) || is_run(low)) return true;
  std::string plainer(password);
  std::ranges::transform(plainer, plainer.begin(), plain);
  const std::string name = lowered(user_name);
  const auto guessed = [&name](const std::string& text) {
    const bool has_word = (name.size() >= 3 && text.find(name) != std::string::npos) ||
                          std::ranges::any_of(kWords, [&](std::string_view word) {
                            return text.find(word) != std::string::npos;
                          });
    return has_word && own_letters(text, name) < kMinOwn;
  };
  return guessed(low) || guessed(plainer);
}

}  // namespace

Result<Done> check_new_password(std::string_view password, std::string_view user_name) {
  const auto refused = [](const std::string& why) { return Error{ErrorCode::kInvalidArgument, why}; };
  if (password.size() > kMaxPassword)
    return refused("a password has at most " + std::to_string(kMaxPassword) + " bytes");
  const std::size_t letters = count_letters(password);
  if (letters == 0 && !password.empty()) return refused("a password is text in UTF-8");
  if (letters < kMinPassword)
    return refused("a password has at least " + std::to_string(kMinPassword) + " letters");
  if (is_guessed_first(password, user_name))
    return refused(
        "this password is one of those that are tried first; take some words that have nothing to do with "
        "one another");
  return Done{};
}

std::string hash_password(std::string_view password, const PasswordCost& cost) {
  std::array<unsigned char, kSalt> salt{};
  if (RAND_bytes(salt.data(), salt.size()) != 1)
    throw std::runtime_error("the system gives no random numbers");
  std::vector<char> encoded(argon2_encodedlen(cost.passes, cost.memory_kib, kLanes, kSalt, kHash, Argon2_id));
  const int code =
      argon2id_hash_encoded(cost.passes, cost.memory_kib, kLanes, password.data(), password.size(),
                            salt.data(), salt.size(), kHash, encoded.data(), encoded.size());
  if (code == ARGON2_MEMORY_ALLOCATION_ERROR) throw std::bad_alloc();
  if (code != ARGON2_OK) throw std::runtime_error(argon2_error_message(code));
  return encoded.data();
}

bool is_password(std::string_view password, const std::optional<std::string>& hash) {
  static const std::string nobodys = hash_password("nobody has this password");
  const int code = argon2id_verify((hash ? *hash : nobodys).c_str(), password.data(),
                                   std::min(password.size(), kMaxPassword + 1));
  if (code == ARGON2_MEMORY_ALLOCATION_ERROR) throw std::bad_alloc();
  return code == ARGON2_OK && hash.has_value();
}

bool is_outdated(std::string_view hash, const PasswordCost& cost) {
  const std::string wanted = "$m=" + std::to_string(cost.memory_kib) + ",t=" + std::to_string(cost.passes) +
                             ",p=" + std::to_string(kLanes) + "$";
  return hash.find(wanted) == std::string_view::npos;
}

}  // namespace xray
