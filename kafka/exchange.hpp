// Any request and any answer as one type, and how they lie on the wire: a length, a head with the API and a number that
// the answer repeats, the message.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "core/result.hpp"
#include "kafka/messages.hpp"

namespace twinspan::kafka {

template <class... Requests>
struct Variants {
  using Request = std::variant<Requests...>;
  using Answer = std::variant<typename Requests::Answer...>;
};
using AnyRequest = EveryRequest<Variants>::Request;
using AnyAnswer = EveryRequest<Variants>::Answer;

// An answer and the bytes that its views look at; they may be changed in place.
struct Answer {
  AnyAnswer message;
  std::shared_ptr<std::string> bytes;
};

std::string_view name_of(const AnyRequest& request);
const ApiRange& range_of(const AnyRequest& request);
// The highest version that both know; kInvalid: there is none.
Result<int> choose_version(const ApiRange& ours, const ApiVersionsResponse& theirs);
void write_request(const AnyRequest& request, int version, int32_t correlation, std::string_view client,
                   std::string& out);
// `bytes` is what follows the length; `request` is what is answered by them. kInternal: it is no such answer.
Result<Answer> read_answer(const AnyRequest& request, int version, int32_t correlation, std::string bytes);
int32_t throttle_ms(const AnyAnswer& answer);  // 0 where its kind has none

}  // namespace twinspan::kafka
