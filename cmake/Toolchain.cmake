# Language level, warnings as errors, compiler cache, linker, sanitizers.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(XRAY_CCACHE ccache)
if(XRAY_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${XRAY_CCACHE})
endif()

find_program(XRAY_MOLD mold)
if(XRAY_MOLD AND CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
  add_link_options(-fuse-ld=mold)
endif()

# Every stage links this: warnings for our own code, none for others' headers.
add_library(xray_options INTERFACE)
target_compile_options(xray_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast
  -Wcast-align -Woverloaded-virtual -Wconversion -Wno-sign-conversion
  -Wdouble-promotion -Wimplicit-fallthrough -Wswitch -Werror)
# Designated initialisers leave out what has a default, on purpose. GCC 12 sees
# overlapping copies in every string concatenation (its bug 105651) and unset
# members in every moved variant.
target_compile_options(xray_options INTERFACE -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(xray_options INTERFACE -Wno-restrict -Wno-maybe-uninitialized)
endif()
# The stable_sort of libstdc++ 12 calls what it declares deprecated, which Clang tells of our own lines.
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(xray_options INTERFACE -Wno-deprecated-declarations)
endif()
target_include_directories(xray_options INTERFACE ${CMAKE_SOURCE_DIR}/src)

add_compile_options(-fstack-protector-strong)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_definitions(_FORTIFY_SOURCE=2 _GLIBCXX_ASSERTIONS)
  add_link_options(-Wl,-z,relro,-z,now)
endif()
if(XRAY_SANITIZE)
  add_compile_options(-fsanitize=${XRAY_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${XRAY_SANITIZE})
endif()

if(XRAY_SANITIZE MATCHES "address")
  add_library(xray_sanitizer_dlopen OBJECT ${CMAKE_CURRENT_LIST_DIR}/sanitizer_dlopen.cpp)
  target_link_libraries(xray_options INTERFACE $<TARGET_OBJECTS:xray_sanitizer_dlopen>)
endif()

# Instrumented code confuses GCC's bounds analysis in other libraries' headers.
if(XRAY_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(xray_options INTERFACE -Wno-stringop-overflow)
endif()
