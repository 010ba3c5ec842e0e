# One static library per room, made of the .cpp files of its folder, with explicit dependencies.
set(TWINSPAN_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Werror
    # What GCC 12 sees inside libstdc++ and nlohmann-json once it inlines, where it is not (GCC bugs 105329, 105651). The
    # debug build, which inlines nothing, keeps looking for the last three.
    -Wno-restrict -Wno-maybe-uninitialized)
foreach(false_alarm array-bounds stringop-overflow stringop-overread)
  if(TWINSPAN_SANITIZE OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
    list(APPEND TWINSPAN_WARNINGS -Wno-${false_alarm})
  endif()
endforeach()

add_library(twinspan_flags INTERFACE)
target_compile_options(twinspan_flags INTERFACE ${TWINSPAN_WARNINGS})
target_include_directories(twinspan_flags INTERFACE ${CMAKE_SOURCE_DIR})
if(TWINSPAN_SANITIZE)
  target_compile_options(twinspan_flags INTERFACE -fsanitize=${TWINSPAN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(twinspan_flags INTERFACE -fsanitize=${TWINSPAN_SANITIZE})
  if(TWINSPAN_SANITIZE MATCHES "thread")
    # GCC warns that TSan does not model std::atomic_thread_fence, which library headers use.
    target_compile_options(twinspan_flags INTERFACE -Wno-tsan)
  endif()
endif()

# What every file may include at no cost.
add_library(twinspan_pch OBJECT ${CMAKE_SOURCE_DIR}/cmake/pch.cpp)
target_link_libraries(twinspan_pch PRIVATE twinspan_flags)
target_precompile_headers(twinspan_pch PRIVATE ${CMAKE_SOURCE_DIR}/cmake/pch.hpp)

function(twinspan_room name)
  cmake_parse_arguments(ROOM "" "" "DEPENDS;SOURCES" ${ARGN})
  if(NOT ROOM_SOURCES)
    file(GLOB ROOM_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
    list(FILTER ROOM_SOURCES EXCLUDE REGEX "main\\.cpp$")
  endif()
  add_library(${name} STATIC ${ROOM_SOURCES})
  target_link_libraries(${name} PUBLIC ${ROOM_DEPENDS} PRIVATE twinspan_flags)
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
  target_precompile_headers(${name} REUSE_FROM twinspan_pch)
endfunction()

function(twinspan_program name)
  cmake_parse_arguments(PROGRAM "" "" "DEPENDS;SOURCES" ${ARGN})
  add_executable(${name} ${PROGRAM_SOURCES})
  target_link_libraries(${name} PRIVATE ${PROGRAM_DEPENDS} twinspan_flags)
  target_precompile_headers(${name} REUSE_FROM twinspan_pch)
endfunction()

# Tests are compiled once and run once: what the optimiser would take to make them faster, it takes longer than they run.
# Simulations run a hundred thousand times, and are optimised. Undefined behaviour is looked for in the rooms, not in the
# tests' own code, where the checks take as long to compile as all else.
set(TWINSPAN_TEST_OPTIONS -O0)
if(TWINSPAN_SANITIZE MATCHES "undefined")
  list(APPEND TWINSPAN_TEST_OPTIONS -fno-sanitize=undefined)
endif()
function(twinspan_test_headers)
  add_library(twinspan_test_pch OBJECT ${CMAKE_SOURCE_DIR}/cmake/pch.cpp)
  target_link_libraries(twinspan_test_pch PRIVATE GTest::gmock GTest::gtest twinspan_flags)
  target_compile_options(twinspan_test_pch PRIVATE ${TWINSPAN_TEST_OPTIONS})
  target_precompile_headers(twinspan_test_pch PRIVATE ${CMAKE_SOURCE_DIR}/cmake/pch.hpp <gtest/gtest.h>)
  add_library(twinspan_test_places STATIC ${CMAKE_SOURCE_DIR}/tests/places.cpp)
  target_link_libraries(twinspan_test_places PRIVATE twinspan_flags)
  target_compile_definitions(twinspan_test_places PRIVATE TWINSPAN_SOURCE_DIR="${CMAKE_SOURCE_DIR}" TWINSPAN_BINARY_DIR="${CMAKE_BINARY_DIR}")
endfunction()

# The tests of one room: every .cpp file of tests/<kind>/<name>/ becomes one program with a ctest entry of that kind. With SHARDS n it
# gets n entries, each with a share of the tests: those that mostly wait run beside each other, the longest first.
function(twinspan_tests kind name)
  cmake_parse_arguments(TESTS "" "TIMEOUT;SHARDS" "DEPENDS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${kind}/${name}/*.cpp)
  if(NOT sources)
    message(FATAL_ERROR "tests/${kind}/${name}: no .cpp file is there, and so no test")
  endif()
  set(target test_${kind}_${name})
  add_executable(${target} ${sources})
  target_link_libraries(${target} PRIVATE ${TESTS_DEPENDS} twinspan_test_places GTest::gmock GTest::gtest GTest::gtest_main twinspan_flags)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  if(kind STREQUAL "simulation")
    target_precompile_headers(${target} REUSE_FROM twinspan_pch)
  else()
    target_compile_options(${target} PRIVATE ${TWINSPAN_TEST_OPTIONS})
    target_precompile_headers(${target} REUSE_FROM twinspan_test_pch)
  endif()
  if(NOT TESTS_TIMEOUT)
    set(TESTS_TIMEOUT 120)
  endif()
  if(CMAKE_CROSSCOMPILING)  # under emulation, beside whatever else the machine does
    math(EXPR TESTS_TIMEOUT "${TESTS_TIMEOUT} * 30")
  elseif(TWINSPAN_SANITIZE)  # ten times as slow, beside scenarios on a real cluster
    math(EXPR TESTS_TIMEOUT "${TESTS_TIMEOUT} * 5")
  endif()
  if(NOT TESTS_SHARDS)
    add_test(NAME ${kind}_${name} COMMAND ${target})
    set_tests_properties(${kind}_${name} PROPERTIES LABELS ${kind} TIMEOUT ${TESTS_TIMEOUT} COST ${TESTS_TIMEOUT})
    return()
  endif()
  foreach(shard RANGE 1 ${TESTS_SHARDS})
    math(EXPR index "${shard} - 1")
    add_test(NAME ${kind}_${name}_${shard} COMMAND ${target})
    # Where GTEST_OUTPUT names a folder, each share gets a file of its own in it.
    set_tests_properties(${kind}_${name}_${shard} PROPERTIES LABELS ${kind} TIMEOUT ${TESTS_TIMEOUT} COST ${TESTS_TIMEOUT}
      ENVIRONMENT "GTEST_TOTAL_SHARDS=${TESTS_SHARDS};GTEST_SHARD_INDEX=${index}"
      ENVIRONMENT_MODIFICATION "GTEST_OUTPUT=string_append:${target}_${shard}.xml")
  endforeach()
endfunction()
