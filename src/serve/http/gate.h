#pragma once

#include <optional>

#include "auth/caller.h"
#include "serve/http/http_message.h"

namespace xray {

/// Who comes in, and how far: the one place that all routes' permissions are checked in. Thread-safe.
class Gate {
 public:
  virtual ~Gate() = default;

  /// Leaves in `head` who asks, where that is known at once; false where it is not. Never blocks.
  virtual bool recognise(Request& head) = 0;
  /// The same, asking the database. Where that fails, `head` says why.
  virtual void identify(Request& head) = 0;
  /// The answer to whoever may not go where it takes `permission`. Never blocks.
  virtual std::optional<Response> refuse(const Request& head, Permission permission) = 0;
};

/// What users may do with findings, and who is told that they did. Called where the store is.
class FindingRights {
 public:
  virtual ~FindingRights() = default;

  /// Whether the caller may have one more read and kept. kOverQuota.
  virtual Result<Done> may_make(const Request& request) = 0;
  virtual Result<Done> may_remove(const Request& request, const std::string& id) = 0;
  virtual Result<Done> made(const Request& request, const std::string& id, std::size_t bytes) = 0;
  virtual void viewed(const Request& request, const std::string& id) = 0;
  virtual void removed(const Request& request, const std::string& id) = 0;
};

}  // namespace xray
