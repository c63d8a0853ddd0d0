# xray_stage(NAME [DEPENDS stage...] [LINKS library...] [PRIVATE_LINKS library...])
#
# One folder, one static library: every x.cpp of the folder, and from the files
# beside them the test program (x_test.cpp) and the benchmark (x_bench.cpp).
function(xray_stage name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LINKS;PRIVATE_LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  set(tests ${sources})
  set(benches ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER benches INCLUDE REGEX "_bench\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "_(test|bench)\\.cpp$")
  list(TRANSFORM ARG_DEPENDS PREPEND "xray_")

  add_library(xray_${name} STATIC ${sources})
  target_link_libraries(xray_${name} PUBLIC xray_options ${ARG_DEPENDS} ${ARG_LINKS} PRIVATE ${ARG_PRIVATE_LINKS})

  if(XRAY_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE xray_${name} xray_test_support GTest::gmock GTest::gtest_main)
    add_test(NAME ${name} COMMAND ${name}_test --gtest_brief=1)
    set_tests_properties(${name} PROPERTIES TIMEOUT 300)
  endif()
  if(XRAY_BENCH AND benches)
    add_executable(${name}_bench ${benches})
    target_link_libraries(${name}_bench PRIVATE xray_${name} benchmark::benchmark_main)
  endif()
endfunction()
