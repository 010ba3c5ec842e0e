# Debian bookworm packages only; `make deps` installs them.
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(spdlog REQUIRED)
find_package(fmt REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(pugixml REQUIRED)
find_package(prometheus-cpp REQUIRED)
find_package(PostgreSQL REQUIRED)
find_package(Python3 REQUIRED COMPONENTS Interpreter)
find_library(HTTPLIB_LIBRARY cpp-httplib REQUIRED)
if(TWINSPAN_TESTS)
  find_package(GTest REQUIRED)
endif()

# Debian ships cpp-httplib compiled; the macros must be those it was compiled with, or its classes differ in layout.
add_library(httplib INTERFACE)
target_compile_definitions(httplib INTERFACE CPPHTTPLIB_OPENSSL_SUPPORT CPPHTTPLIB_ZLIB_SUPPORT CPPHTTPLIB_BROTLI_SUPPORT)
target_link_libraries(httplib INTERFACE ${HTTPLIB_LIBRARY} OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
