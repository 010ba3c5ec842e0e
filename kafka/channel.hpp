// A connection to one broker: requests go out in order, answers come in the same one. Throttle times that a broker asks
// for are kept: nothing is sent until they are over.
#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "kafka/access.hpp"
#include "kafka/exchange.hpp"
#include "net/stream.hpp"

namespace twinspan::kafka {

using SteadyTime = std::chrono::steady_clock::time_point;

struct Arrived {
  uint64_t ticket = 0;
  Result<Answer> answer;
};

// Used by one thread at a time.
class Channel {
 public:
  // Connects, asks which versions the broker speaks and signs in: within `access.patience`.
  static Result<Channel> open(const std::string& host, int port, const Access& access, const std::stop_token& stop);

  // Bytes that the request only looks at must live until it is answered or the channel is gone. kInvalid: the broker
  // speaks no version of it.
  Status send(uint64_t ticket, AnyRequest request);
  // Writes and reads what can be without waiting. An error: the connection is of no more use, and nothing that was sent
  // is answered any more.
  Status advance(SteadyTime now, std::vector<Arrived>& arrived);
  int fd() const { return stream_.fd(); }
  short awaits() const;  // for poll(2)
  std::optional<SteadyTime> muted_until() const { return muted_until_; }
  std::vector<uint64_t> unanswered() const;
  // The broker ends what was signed in for too long (connections.max.reauth.ms): nothing awaits an answer, and another
  // connection is better opened now than when it has hung up.
  bool is_worn(SteadyTime now) const {
    return worn_at_ && now >= *worn_at_ && sent_.empty() && held_.empty() && !muted_until_;
  }

 private:
  struct Sent {
    uint64_t ticket;
    AnyRequest request;
    int version;
    int32_t correlation;
  };
  explicit Channel(net::Stream stream, const Access& access) : stream_(std::move(stream)), client_(access.client_id) {}
  Result<Answer> exchange(AnyRequest request, SteadyTime deadline, const std::stop_token& stop);  // while it is opened
  Status sign_in(const Access& access, SteadyTime deadline, const std::stop_token& stop);
  Status write();
  Status read(SteadyTime now, std::vector<Arrived>& arrived);

  net::Stream stream_;
  std::string client_;
  ApiVersionsResponse versions_;
  std::deque<Sent> sent_, held_;  // awaiting their answers; kept back
  std::optional<SteadyTime> muted_until_, worn_at_;
  int32_t correlation_ = 0;
  std::string output_;
  size_t written_ = 0;
  std::string input_;  // of the answer that is arriving: its length first
  size_t arrived_ = 0;
  bool has_length_ = false;
};

}  // namespace twinspan::kafka
