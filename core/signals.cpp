#include "core/signals.hpp"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "core/log.hpp"

namespace twinspan {

Signals::Signals(std::chrono::seconds patience, std::initializer_list<int> numbers) : patience_(patience) {
  sigemptyset(&taken_);
  for (const int number : numbers) sigaddset(&taken_, number);
  pthread_sigmask(SIG_BLOCK, &taken_, nullptr);
  signal(SIGPIPE, SIG_IGN);
  thread_.start([this](const std::stop_token& over) { run(over); });
}

int Signals::take(std::chrono::milliseconds time) const {
  const timespec limit{std::chrono::duration_cast<std::chrono::seconds>(time).count(),
                       std::chrono::nanoseconds(time % std::chrono::seconds(1)).count()};
  const int signal = sigtimedwait(&taken_, nullptr, &limit);
  return signal > 0 ? signal : 0;
}

Signals::~Signals() = default;

void Signals::run(const std::stop_token& over) {
  constexpr std::chrono::milliseconds kLook{50};
  int signal = 0;
  while (signal == 0 && !over.stop_requested()) signal = take(kLook);
  if (signal == 0) return;
  log::info("stopping", {{"signal", signal}});
  stop_.request_stop();
  const auto deadline = std::chrono::steady_clock::now() + patience_;
  while (!over.stop_requested()) {
    if (take(kLook) == 0 && std::chrono::steady_clock::now() < deadline) continue;
    log::error("stopping took too long or was asked for twice, leaving at once");
    _exit(1);
  }
}

}  // namespace twinspan
