#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace xray {

/// What somebody is at this server; each may do what those before may.
enum class Role { kReader, kReviewer, kAdmin };

/// What a request needs. Every route names one.
enum class Permission {
  kOpen,      ///< nobody is asked who he is: the page itself, health, signing in
  kSelf,      ///< signed in on the page; for what is one's own: password, tokens
  kRead,      ///< findings, pictures, models
  kDiagnose,  ///< have pictures read; compare, and delete what is one's own
  kMetrics,   ///< what the server counts
  kAdmin,     ///< users, others' findings, the audit trail
};

std::string_view name(Role role);
Result<Role> parse_role(std::string_view text);

/// What a token is for: a set of permissions, by their names "read", "diagnose", "metrics", "admin".
class Scopes {
 public:
  static Scopes all();
  /// "read,diagnose". kInvalidArgument.
  static Result<Scopes> parse(std::string_view list);
  std::string text() const;
  bool has(Permission permission) const { return (bits_ >> static_cast<unsigned>(permission) & 1U) != 0; }
  bool operator==(const Scopes&) const = default;

 private:
  std::uint32_t bits_ = 0;
};

/// Who asks, once that is known.
struct Caller {
  enum class Kind {
    kNobody,   ///< came without a key, or with one that fits no longer
    kUnasked,  ///< there is no lock: whoever comes may do everything
    kSession,  ///< signed in on the page
    kToken,
  };
  Kind kind = Kind::kNobody;
  std::string user_id;
  std::string user_name;
  Role role = Role::kReader;
  Scopes scopes = Scopes::all();
  std::string session;  ///< its hash
  std::string csrf;     ///< what a request that changes something carries beside the session's cookie

  bool is_known() const { return kind == Kind::kSession || kind == Kind::kToken; }
};

bool may(Role role, Permission permission);
bool may(const Caller& caller, Permission permission);

}  // namespace xray
