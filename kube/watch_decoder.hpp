// The lines of a watch: one JSON object each, in chunks that end anywhere.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/json.hpp"
#include "core/result.hpp"
#include "kube/client.hpp"

namespace twinspan::kube {

class WatchDecoder {
 public:
  // `known`: as WatchOptions has it.
  explicit WatchDecoder(std::function<void(WatchType, Json&&)> each, std::function<bool(const ObjectHead&)> known = {})
      : each_(std::move(each)), known_(std::move(known)) {}
  // False once the stream is of no more use; error() tells why.
  bool push(std::string_view chunk);
  const std::optional<Error>& error() const { return error_; }

 private:
  bool line(std::string_view text);

  std::function<void(WatchType, Json&&)> each_;
  std::function<bool(const ObjectHead&)> known_;
  std::string begun_;  // a line whose end has not arrived: no byte is looked at twice
  std::optional<Error> error_;
};

}  // namespace twinspan::kube
