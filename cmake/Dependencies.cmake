# Everything that is not ours, in one place; scripts/setup installs it.
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_package(spdlog 1.10 REQUIRED)
find_package(SQLite3 3.40 REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_path(XRAY_TOML toml++/toml.h REQUIRED)
find_package(JPEG REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(PQ REQUIRED IMPORTED_TARGET libpq>=15)
pkg_check_modules(SPNG REQUIRED IMPORTED_TARGET spng)
pkg_check_modules(LIBARCHIVE REQUIRED IMPORTED_TARGET libarchive>=3.6)
# The package's CMake files ask for what its HTTP server needs; its core alone is used.
pkg_check_modules(PROMETHEUS REQUIRED IMPORTED_TARGET prometheus-cpp-core>=1.0.1)

# The static protobuf: LibTorch exports symbols of its own, older copy, and the
# two must not meet in the dynamic linker (see src/model/CMakeLists.txt).
set(Protobuf_USE_STATIC_LIBS ON)
find_package(Protobuf 3.21 REQUIRED)

# gRPC as archives too: they resolve against this one protobuf, and no program starts slower
# for thirty more libraries. Debian's CMake files name the shared libraries.
pkg_check_modules(GRPC REQUIRED grpc++>=1.51)
set(grpc_archives)
foreach(name IN LISTS GRPC_STATIC_LIBRARIES)
  if(name MATCHES "^(rt|atomic|dl|pthread|ssl|crypto)$")
    continue()
  endif()
  find_library(XRAY_ARCHIVE_${name} lib${name}.a REQUIRED)
  mark_as_advanced(XRAY_ARCHIVE_${name})
  list(APPEND grpc_archives ${XRAY_ARCHIVE_${name}})
endforeach()
list(REMOVE_DUPLICATES grpc_archives)
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)
add_library(xray_grpc INTERFACE)
target_link_libraries(xray_grpc INTERFACE
  "$<LINK_GROUP:RESCAN,${grpc_archives}>" protobuf::libprotobuf OpenSSL::SSL Threads::Threads
  ${CMAKE_DL_LIBS})

set(XRAY_OPENVINO_DIR "${XRAY_DEPS}/openvino/openvino/cmake")
if(EXISTS ${XRAY_OPENVINO_DIR} AND NOT OpenVINO_DIR)
  set(OpenVINO_DIR ${XRAY_OPENVINO_DIR})
endif()
find_package(OpenVINO 2026.0 REQUIRED COMPONENTS Runtime)

if(XRAY_TRAIN)
  # A full LibTorch (say, with CUDA) found through CMAKE_PREFIX_PATH wins; else
  # libtorch_cpu and libc10 of the wheel, with the two CUDA stubs they name.
  find_package(Torch QUIET HINTS ENV XRAY_LIBTORCH)
  add_library(xray_torch INTERFACE)
  # LibTorch's own copy of protobuf and ours stay strangers (src/model/CMakeLists.txt).
  target_link_options(xray_torch INTERFACE -Wl,--exclude-libs,ALL)
  if(Torch_FOUND)
    message(STATUS "LibTorch: ${TORCH_INSTALL_PREFIX}")
    target_link_libraries(xray_torch INTERFACE ${TORCH_LIBRARIES})
  else()
    set(torch_root "${XRAY_DEPS}/torch/torch")
    set(cuda_stubs "${XRAY_DEPS}/torch/nvidia/cu13/lib")
    if(NOT EXISTS ${torch_root}/lib/libtorch_cpu.so)
      message(FATAL_ERROR "LibTorch is missing: run scripts/setup train, or configure with -DXRAY_TRAIN=OFF")
    endif()
    message(STATUS "LibTorch: ${torch_root} (CPU)")
    target_include_directories(xray_torch SYSTEM INTERFACE
      ${torch_root}/include ${torch_root}/include/torch/csrc/api/include)
    target_link_libraries(xray_torch INTERFACE
      ${torch_root}/lib/libtorch_cpu.so ${torch_root}/lib/libc10.so
      ${cuda_stubs}/libcudart.so.13 ${cuda_stubs}/libcupti.so.13)
  endif()
endif()

if(XRAY_TESTS)
  find_package(GTest 1.12 REQUIRED)
endif()
if(XRAY_BENCH)
  find_package(benchmark REQUIRED)
endif()
