#include "kafka/channel.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>

#include "kafka/scram.hpp"

namespace twinspan::kafka {
namespace {

constexpr size_t kAnswerBytesMost = 256 << 20;
constexpr size_t kOutputKept = 4 << 20;

}  // namespace

Result<Channel> Channel::open(const std::string& host, int port, const Access& access, const std::stop_token& stop) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + access.patience;
  auto stream = net::Stream::open(host, port, access.tls, access.patience, stop);
  if (!stream) return std::unexpected(stream.error());
  Channel channel(std::move(*stream), access);
  // Version 0 of this one is understood by every broker.
  channel.versions_.apis = {{.key = ApiVersionsRequest::kApi.key, .min = 0, .max = 0}};
  auto versions = channel.exchange(ApiVersionsRequest{}, deadline, stop);
  if (!versions) return std::unexpected(versions.error());
  channel.versions_ = std::get<ApiVersionsResponse>(versions->message);
  if (channel.versions_.error != ErrorCode::kNone)
    return fail(Code::kUnavailable, "ApiVersions: " + to_string(channel.versions_.error));
  if (access.sasl)
    if (auto done = channel.sign_in(access, deadline, stop); !done) return std::unexpected(done.error());
  return channel;
}

Result<Answer> Channel::exchange(AnyRequest request, SteadyTime deadline, const std::stop_token& stop) {
  const std::string name(name_of(request));
  if (auto done = send(0, std::move(request)); !done) return std::unexpected(done.error());
  std::vector<Arrived> arrived;
  while (true) {
    const SteadyTime now = std::chrono::steady_clock::now();
    if (stop.stop_requested()) return fail(Code::kCancelled, "cancelled");
    if (now >= deadline) return fail(Code::kTimeout, name + ": no answer in time");
    const Status done = advance(now, arrived);
    // Who refuses a sign-in says why and hangs up at once: the answer counts before the end that came with it.
    if (!arrived.empty()) return std::move(arrived.front().answer);
    if (!done) return std::unexpected(done.error());
    pollfd one{stream_.fd(), awaits(), 0};
    poll(&one, 1,
         static_cast<int>(
             std::clamp<int64_t>(std::chrono::ceil<std::chrono::milliseconds>(deadline - now).count(), 1, 100)));
  }
}

Status Channel::sign_in(const Access& access, SteadyTime deadline, const std::stop_token& stop) {
  Authentication way(*access.sasl);
  auto agreed = exchange(SaslHandshakeRequest{.mechanism = std::string(way.mechanism())}, deadline, stop);
  if (!agreed) return std::unexpected(agreed.error());
  const auto& handshake = std::get<SaslHandshakeResponse>(agreed->message);
  if (handshake.error != ErrorCode::kNone)
    return fail(Code::kDenied, fmt::format("SASL {}: {}; the broker offers {}", way.mechanism(),
                                           to_string(handshake.error), fmt::join(handshake.mechanisms, ", ")));
  std::string said;
  while (!way.done()) {
    auto next = way.answer(said);
    if (!next) return std::unexpected(next.error());
    auto answer = exchange(SaslAuthenticateRequest{.data = std::move(*next)}, deadline, stop);
    if (!answer) return std::unexpected(answer.error());
    const auto& got = std::get<SaslAuthenticateResponse>(answer->message);
    if (got.error != ErrorCode::kNone)
      return fail(Code::kDenied, fmt::format("SASL {}: {}: {}", way.mechanism(), to_string(got.error),
                                             got.message.value_or("no reason given")));
    said = got.data;
    if (auto checked = way.check(said); !checked) return checked;
    if (got.session_lifetime_ms > 0)
      worn_at_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(got.session_lifetime_ms) * 4 / 5;
  }
  return {};
}

Status Channel::send(uint64_t ticket, AnyRequest request) {
  const auto version = choose_version(range_of(request), versions_);
  if (!version) return std::unexpected(version.error());
  Sent one{.ticket = ticket, .request = std::move(request), .version = *version, .correlation = ++correlation_};
  if (muted_until_ || !held_.empty()) {
    held_.push_back(std::move(one));
    return {};
  }
  write_request(one.request, one.version, one.correlation, client_, output_);
  sent_.push_back(std::move(one));
  return {};
}

short Channel::awaits() const {
  return static_cast<short>(POLLIN | (written_ < output_.size() || stream_.awaits() == POLLOUT ? POLLOUT : 0));
}

std::vector<uint64_t> Channel::unanswered() const {
  std::vector<uint64_t> tickets;
  for (const auto* queue : {&sent_, &held_})
    for (const Sent& one : *queue) tickets.push_back(one.ticket);
  return tickets;
}

Status Channel::advance(SteadyTime now, std::vector<Arrived>& arrived) {
  if (muted_until_ && now >= *muted_until_) {
    muted_until_.reset();
    for (Sent& one : held_) {
      write_request(one.request, one.version, one.correlation, client_, output_);
      sent_.push_back(std::move(one));
    }
    held_.clear();
  }
  if (auto done = write(); !done) return done;
  return read(now, arrived);
}

Status Channel::write() {
  while (written_ < output_.size()) {
    const auto taken = stream_.write(output_.data() + written_, output_.size() - written_);
    if (!taken) return std::unexpected(taken.error());
    if (*taken == 0) return {};
    written_ += *taken;
  }
  output_.clear();
  written_ = 0;
  if (output_.capacity() > kOutputKept) output_.shrink_to_fit();
  return {};
}

Status Channel::read(SteadyTime now, std::vector<Arrived>& arrived) {
  while (true) {
    if (!has_length_ && input_.size() != 4) input_.resize(4);
    const auto got = stream_.read(input_.data() + arrived_, input_.size() - arrived_);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) return {};
    arrived_ += *got;
    if (arrived_ < input_.size()) continue;
    arrived_ = 0;
    if (!has_length_) {
      const auto size = load<int32_t>(input_.data());
      if (input_.starts_with("\x15\x03"))  // a TLS alert
        return fail(Code::kUnavailable, "the broker speaks TLS here, and tls is absent");
      if (size < 4 || static_cast<size_t>(size) > kAnswerBytesMost || sent_.empty())
        return fail(Code::kUnavailable, fmt::format("an answer of {} bytes that nobody asked for", size));
      input_ = std::string(static_cast<size_t>(size), '\0');
      has_length_ = true;
      continue;
    }
    has_length_ = false;
    Sent one = std::move(sent_.front());
    sent_.pop_front();
    auto answer = read_answer(one.request, one.version, one.correlation, std::exchange(input_, std::string()));
    if (!answer) return fail(Code::kUnavailable, answer.error().message);
    if (const int32_t wait = throttle_ms(answer->message); wait > 0)
      muted_until_ = std::max(muted_until_.value_or(now), now + std::chrono::milliseconds(wait));
    arrived.push_back({one.ticket, std::move(answer)});
  }
}

}  // namespace twinspan::kafka
