#include "tests/places.hpp"

namespace twinspan::test {

std::string in_source(std::string_view path) { return TWINSPAN_SOURCE_DIR + std::string(path); }
std::string in_build(std::string_view path) { return TWINSPAN_BINARY_DIR + std::string(path); }

}  // namespace twinspan::test
