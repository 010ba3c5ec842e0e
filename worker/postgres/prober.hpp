// Looks at the running database by SQL, on a thread of its own and a connection that is kept.
#pragma once
#include <chrono>
#include <optional>

#include "core/clock.hpp"
#include "core/role_thread.hpp"
#include "core/wait.hpp"
#include "engines/postgres/deaf.hpp"
#include "engines/postgres/lag.hpp"
#include "engines/postgres/layout.hpp"
#include "engines/postgres/sql.hpp"
#include "worker/postgres/local.hpp"

namespace twinspan::worker {

class Prober {
 public:
  Prober(const postgres::Layout& layout, int port, const Clock& clock, LocalState& local);
  void start();
  void stop();
  void poke() { wake_.raise(); }  // look now

 private:
  void run(const std::stop_token& stop);
  // One look; answers how long to wait until the next.
  std::chrono::milliseconds look(const std::stop_token& stop);
  void take_in(postgres::Observation seen, uint64_t life);
  void failed(const Error& error, uint64_t life);

  const postgres::Layout layout_;
  const int port_;
  const Clock& clock_;
  LocalState& local_;
  postgres::LagMeter lag_;
  postgres::DownstreamLag downstream_lag_;
  postgres::DeafSenders deaf_;
  postgres::ReceiverSilence silence_;
  uint64_t lag_life_ = 0;
  std::optional<postgres::Session> session_;
  uint64_t session_life_ = 0;
  Signal wake_;
  RoleThread thread_{"prober"};
};

}  // namespace twinspan::worker
