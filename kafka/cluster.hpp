// The connections to the brokers of one cluster: who is asked is given by number, the addresses are learned from the
// answers.
#pragma once
#include <poll.h>

#include <compare>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "kafka/channel.hpp"

namespace twinspan::kafka {

inline constexpr int32_t kAnyBroker = -1;

// Used by one thread at a time.
class Cluster {
 public:
  explicit Cluster(Access access) : access_(std::move(access)) {}

  // A connection serves its requests one by one, waits included: what must not wait for others goes on a line of its
  // own. Connects where there is no connection yet, which takes up to `access.patience`. What cannot be sent arrives as
  // an error.
  void send(uint64_t ticket, int32_t broker, int line, AnyRequest request, const std::stop_token& stop);
  // One request and its answer, with nothing else going on.
  Result<Answer> call(int32_t broker, AnyRequest request, const std::stop_token& stop);
  void hang_up();  // every connection; nothing that was sent arrives any more

  void watch(std::vector<pollfd>& fds) const;  // appends what to poll for
  std::optional<SteadyTime> wakes_at() const;  // when one that was muted may go on
  // Moves what can be moved, and gives what came. An answer of each request arrives, or an error: kUnavailable where it
  // is not known whether the broker did what was asked.
  std::vector<Arrived> advance();

 private:
  struct Line {
    int32_t broker;
    int number;
    auto operator<=>(const Line&) const = default;
  };
  Result<Channel*> channel(const Line& line, const std::stop_token& stop);
  void learn(const AnyAnswer& answer);
  void lose(std::map<Line, Channel>::iterator at, const Error& why);

  Access access_;
  std::map<int32_t, Address> addresses_;
  std::map<Line, Channel> channels_;
  std::map<Line, Address> peers_;  // of these
  std::vector<Arrived> failed_;    // not told yet
  size_t next_ = 0;                // of the first brokers, in turn
};

}  // namespace twinspan::kafka
