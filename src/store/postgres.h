#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "store/sql.h"

/// The driver for PostgreSQL, over libpq. Nothing waits for long: connecting and every statement have
/// their time; while the server is away, callers are told so at once (kBusy), and who asks next tries
/// again. Going and coming back are written to the log, with libpq's reason.
namespace xray::sql::postgres {

bool is_url(const std::string& url);

/// See sql::open_database. Throws Failure.
Result<std::unique_ptr<Database>> open(const std::string& url);

/// "require" where the database, or one of several, is on another machine, and neither the URL, $PGSSLMODE
/// nor a service of libpq's says how to come there: left alone, libpq would go on in the clear where the
/// server knows no TLS. Else empty.
std::string sslmode_of(const std::string& url);

/// Scheme, user, host, port and database of the URL; what else stands in it is left out.
std::string label_of(const std::string& url);

/// `sql` with $1, $2, ... for every `?` that is not within quotes or a comment.
std::string with_numbers(std::string_view sql);

}  // namespace xray::sql::postgres
