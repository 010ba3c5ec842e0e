#include "engines/s3/stored/stage.hpp"

namespace twinspan::s3 {

Status Pipeline::pass(size_t at, std::string_view bytes, const Sink& out) {
  if (at == stages_.size()) return out(bytes);
  return stages_[at]->feed(bytes, [&](std::string_view piece) { return pass(at + 1, piece, out); });
}

Status Pipeline::finish(const Sink& out) {
  for (size_t at = 0; at < stages_.size(); ++at)
    if (Status done = stages_[at]->finish([&](std::string_view piece) { return pass(at + 1, piece, out); }); !done)
      return done;
  return {};
}

}  // namespace twinspan::s3
