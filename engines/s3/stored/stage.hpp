// Bytes on their way through a change of form, piece by piece, in bounded memory.
#pragma once
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace twinspan::s3 {

// Takes what comes out of a stage, a few MiB at most at a time. An error ends everything.
using Sink = std::function<Status(std::string_view)>;

// One object passes through one stage. After an error it is of no more use.
class Stage {
 public:
  virtual ~Stage() = default;
  virtual Status feed(std::string_view bytes, const Sink& out) = 0;
  // All was fed. kInvalid where what was fed is not whole.
  virtual Status finish(const Sink& out) = 0;
};

// Stages one after the other; none at all lets bytes pass as they are.
class Pipeline final : public Stage {
 public:
  void add(std::unique_ptr<Stage> stage) { stages_.push_back(std::move(stage)); }
  Status feed(std::string_view bytes, const Sink& out) override { return pass(0, bytes, out); }
  Status finish(const Sink& out) override;

 private:
  Status pass(size_t at, std::string_view bytes, const Sink& out);
  std::vector<std::unique_ptr<Stage>> stages_;
};

}  // namespace twinspan::s3
