// OpenVINO's TBB loads its helper library with RTLD_DEEPBIND, at which the address
// sanitizer ends the process; and what a library still holds when it is unloaded looks
// like a leak. In sanitizer builds alone, programs mend both.
#include <dlfcn.h>

extern "C" void* dlopen(const char* file, int mode) {
  using Dlopen = void* (*)(const char*, int);
  static const auto kNext = reinterpret_cast<Dlopen>(dlsym(RTLD_NEXT, "dlopen"));
  return kNext(file, (mode & ~RTLD_DEEPBIND) | RTLD_NODELETE);
}
