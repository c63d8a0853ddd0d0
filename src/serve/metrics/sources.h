#pragma once

#include <string>

#include "common/work_queue.h"
#include "serve/http/http_server.h"
#include "serve/http/readiness.h"
#include "serve/metrics/metrics.h"
#include "serve/models/model_set.h"
#include "serve/models/shadow.h"

namespace xray {

// What these read outlives them.

/// Connections, running requests, bytes held, what was refused for their limits.
MetricSource http_source(const HttpServer& server);

/// Tasks that run and wait, their limits, what was refused. `name`: "diagnosis".
MetricSource queue_source(std::string name, const WorkQueue& queue);

/// A series of value 1 for each model being served, and how many packages are in which state.
MetricSource model_source(const ModelSet& models);

/// How the shadow agrees with the primary.
MetricSource shadow_source(const Shadow& shadow);

MetricSource readiness_source(const Readiness& readiness);

/// The process as Prometheus' own clients tell it (memory, descriptors, CPU time, start), from
/// /proc, and the program's version.
MetricSource process_source(std::string version);

}  // namespace xray
