#include "operator/build_info.hpp"

namespace twinspan {

BuildInfo build_info() {
  constexpr std::string_view kCommit = TWINSPAN_COMMIT;
  return {TWINSPAN_VERSION, kCommit.empty() ? "unknown" : kCommit, "gcc " __VERSION__};
}

}  // namespace twinspan
