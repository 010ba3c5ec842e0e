# One static library per room, made of the .cpp files of its folder, with explicit dependencies.
set(TWINSPAN_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Werror
    # GCC 12 reports these two inside libstdc++ and nlohmann-json at -O2, where they do not hold.
    -Wno-restrict -Wno-maybe-uninitialized)

# GCC 12 sees overlaps and overruns in std::string concatenation that are not there once it inlines (GCC bugs 105329, 105651).
foreach(false_alarm restrict array-bounds stringop-overflow stringop-overread)
  list(APPEND TWINSPAN_WARNINGS $<$<CONFIG:RelWithDebInfo>:-Wno-${false_alarm}>)
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

# The tests of one room: every .cpp file of tests/<kind>/<name>/ becomes one program with a ctest entry of that kind.
function(twinspan_tests kind name)
  cmake_parse_arguments(TESTS "" "TIMEOUT" "DEPENDS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${kind}/${name}/*.cpp)
  if(NOT sources)
    return()
  endif()
  set(target test_${kind}_${name})
  add_executable(${target} ${sources})
  target_link_libraries(${target} PRIVATE ${TESTS_DEPENDS} GTest::gmock GTest::gtest GTest::gtest_main twinspan_flags)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_compile_definitions(${target} PRIVATE TWINSPAN_SOURCE_DIR="${CMAKE_SOURCE_DIR}" TWINSPAN_BINARY_DIR="${CMAKE_BINARY_DIR}")
  target_precompile_headers(${target} REUSE_FROM twinspan_pch)
  if(NOT TESTS_TIMEOUT)
    set(TESTS_TIMEOUT 120)
  endif()
  add_test(NAME ${kind}_${name} COMMAND ${target})
  set_tests_properties(${kind}_${name} PROPERTIES LABELS ${kind} TIMEOUT ${TESTS_TIMEOUT})
endfunction()
