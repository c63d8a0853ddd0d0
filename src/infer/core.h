#pragma once

#include <openvino/openvino.hpp>

namespace xray {

/// The process's one OpenVINO core: each loads the plugins anew. Thread-safe; throws what OpenVINO throws.
ov::Core& openvino_core();

}  // namespace xray
