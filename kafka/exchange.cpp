#include "kafka/exchange.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace twinspan::kafka {
namespace {

template <class Kind>
using Of = std::remove_cvref_t<Kind>;

}  // namespace

std::string_view name_of(const AnyRequest& request) {
  return std::visit([](const auto& one) { return Of<decltype(one)>::kName; }, request);
}

const ApiRange& range_of(const AnyRequest& request) {
  return std::visit([](const auto& one) -> const ApiRange& { return Of<decltype(one)>::kApi; }, request);
}

Result<int> choose_version(const ApiRange& ours, const ApiVersionsResponse& theirs) {
  const auto found = std::ranges::find(theirs.apis, ours.key, &ApiVersionsResponse::Api::key);
  if (found == theirs.apis.end())
    return fail(Code::kInvalid, fmt::format("the broker does not know request {}", ours.key));
  const int highest = std::min(ours.max, found->max);
  if (highest < std::max(ours.min, found->min))
    return fail(Code::kInvalid, fmt::format("request {}: the broker speaks versions {} to {}, this client {} to {}",
                                            ours.key, found->min, found->max, ours.min, ours.max));
  return highest;
}

void write_request(const AnyRequest& request, int version, int32_t correlation, std::string_view client,
                   std::string& bytes) {
  const size_t begin = bytes.size();
  Writer out(bytes);
  const ApiRange& range = range_of(request);
  out.put(int32_t{0});
  out.put(range.key);
  out.put(static_cast<int16_t>(version));
  out.put(correlation);
  out.string(client, false);  // in heads of either kind
  if (version >= range.flexible) out.uvarint(0);
  std::visit([&](const auto& one) { one.encode(out, version); }, request);
  store(bytes.data() + begin, static_cast<int32_t>(bytes.size() - begin - 4));
}

Result<Answer> read_answer(const AnyRequest& request, int version, int32_t correlation, std::string bytes) {
  Answer answer{.message = {}, .bytes = std::make_shared<std::string>(std::move(bytes))};
  Reader in(*answer.bytes);
  int32_t number = 0;
  in.take(number);
  const ApiRange& range = range_of(request);
  if (version >= range.flexible) in.skip_tags();
  std::visit([&]<class Request>(
                 const Request&) { answer.message.template emplace<typename Request::Answer>().decode(in, version); },
             request);
  if (in.failed() || in.left() != 0 || number != correlation)
    return fail(Code::kInternal, fmt::format("{} version {}: {} bytes that are no answer to it", name_of(request),
                                             version, answer.bytes->size()));
  return answer;
}

int32_t throttle_ms(const AnyAnswer& answer) {
  return std::visit(
      [](const auto& one) -> int32_t {
        if constexpr (requires { one.throttle_ms; }) return one.throttle_ms;
        return 0;
      },
      answer);
}

}  // namespace twinspan::kafka
