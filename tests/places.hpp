// Where the sources lie, and what was built from them. In one file alone, so that the others compile to the same
// wherever the tree is: ccache keeps them from one clone to the next.
#pragma once
#include <string>
#include <string_view>

namespace twinspan::test {

std::string in_source(std::string_view path);  // "/crds" …
std::string in_build(std::string_view path);   // "/bin/…"

}  // namespace twinspan::test
