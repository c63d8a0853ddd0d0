#include "auth/caller.h"

#include <algorithm>

namespace xray {
namespace {

struct NamedRole {
  Role role;
  std::string_view name;
};
constexpr std::array<NamedRole, 3> kRoles = {
    {{Role::kReader, "reader"}, {Role::kReviewer, "reviewer"}, {Role::kAdmin, "admin"}}};

struct NamedScope {
  Permission permission;
  std::string_view name;
};
constexpr std::array<NamedScope, 4> kScopes = {{{Permission::kRead, "read"},
                                                {Permission::kDiagnose, "diagnose"},
                                                {Permission::kMetrics, "metrics"},
                                                {Permission::kAdmin, "admin"}}};

}  // namespace

std::string_view name(Role role) {
  return kRoles.at(static_cast<std::size_t>(role)).name;
}

Result<Role> parse_role(std::string_view text) {
  for (const NamedRole& known : kRoles)
    if (known.name == text) return known.role;
  return Error{ErrorCode::kInvalidArgument, "a role is reader, reviewer or admin"};
}

Scopes Scopes::all() {
  Scopes scopes;
  for (const NamedScope& known : kScopes) scopes.bits_ |= 1U << static_cast<unsigned>(known.permission);
  return scopes;
}

Result<Scopes> Scopes::parse(std::string_view list) {
  Scopes scopes;
  for (bool more = true; more;) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const auto known = std::ranges::find(kScopes, list.substr(0, comma), &NamedScope::name);
    if (known == kScopes.end())
      return Error{ErrorCode::kInvalidArgument,
                   "scopes are read, diagnose, metrics, admin, with commas between them"};
    scopes.bits_ |= 1U << static_cast<unsigned>(known->permission);
    more = comma < list.size();
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return scopes;
}

std::string Scopes::text() const {
  std::string text;
  for (const NamedScope& known : kScopes)
    if (has(known.permission)) text += (text.empty() ? "" : ",") + std::string(known.name);
  return text;
}

bool may(Role role, Permission permission) {
  switch (permission) {
    case Permission::kOpen:
    case Permission::kSelf:
    case Permission::kRead:
    case Permission::kMetrics:
      return true;
    case Permission::kDiagnose:
      return role != Role::kReader;
    case Permission::kAdmin:
      return role == Role::kAdmin;
  }
  return false;
}

bool may(const Caller& caller, Permission permission) {
  switch (caller.kind) {
    case Caller::Kind::kUnasked:
      return true;
    case Caller::Kind::kNobody:
      return permission == Permission::kOpen;
    case Caller::Kind::kSession:
      return may(caller.role, permission);
    case Caller::Kind::kToken:
      return permission == Permission::kOpen ||
             (caller.scopes.has(permission) && may(caller.role, permission));
  }
  return false;
}

}  // namespace xray
