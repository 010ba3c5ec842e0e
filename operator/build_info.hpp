// Which build this is.
#pragma once
#include <string_view>

namespace twinspan {

struct BuildInfo {
  std::string_view version, commit, compiler;
};
BuildInfo build_info();

}  // namespace twinspan
