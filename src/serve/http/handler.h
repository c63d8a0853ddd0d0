#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "serve/http/http_message.h"

namespace xray {

/// What becomes of a request whose head has been read.
struct Admission {
  std::uint64_t max_body = 0;       ///< bytes of body that will be read for it
  std::optional<Response> refusal;  ///< the answer at once; the body is passed over, or the connection closed
};

/// Takes the answer, from any thread.
using Reply = std::function<void(Response)>;

/// Answers requests. Both calls come from the server's one thread and must not
/// block, nor throw: long work goes elsewhere and replies from there.
class Handler {
 public:
  virtual ~Handler() = default;

  /// Finds out who asks (Request::caller) where that takes no time. False where it does: identify() then.
  virtual bool recognise(Request& /*head*/) { return true; }
  /// The same, in its own time. Calls `done` exactly once, from any thread; `head` lives until then.
  virtual void identify(Request& /*head*/, std::function<void()> done) { done(); }

  /// Decides on the head alone.
  virtual Admission admit(const Request& head) = 0;

  /// Calls `reply` exactly once, now or later. `request` lives until then.
  virtual void handle(const Request& request, Reply reply) = 0;
};

}  // namespace xray
