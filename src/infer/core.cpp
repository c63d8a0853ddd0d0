#include "infer/core.h"

namespace xray {

ov::Core& openvino_core() {
  // Never destroyed: at the end of the process the plugins' own globals may go first.
  static auto& core = *new ov::Core;
  return core;
}

}  // namespace xray
