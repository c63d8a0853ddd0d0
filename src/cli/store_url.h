#pragma once

#include <string>

#include "common/result.h"

namespace xray {

/// Where findings are kept: `given`, else $DATABASE_URL (Heroku), else the database of $RDS_HOSTNAME,
/// $RDS_PORT, $RDS_DB_NAME, $RDS_USERNAME and $RDS_PASSWORD (Elastic Beanstalk), else sqlite:xray.sqlite.
/// kInvalidArgument where some of the five are missing.
Result<std::string> store_url(const std::string& given);

}  // namespace xray
