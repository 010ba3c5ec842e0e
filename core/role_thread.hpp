// A thread with one role, and the name of it.
#pragma once
#include <pthread.h>

#include <cstddef>
#include <functional>
#include <stop_token>
#include <thread>
#include <utility>

namespace twinspan {

// As `top -H` shows it. The kernel keeps 15 bytes, and of a longer name nothing.
class RoleName {
 public:
  template <size_t kSize>
  consteval RoleName(const char (&text)[kSize]) : text_(text) {  // not explicit: a literal is a name
    static_assert(kSize <= 16, "a thread's name has at most 15 bytes");
  }
  const char* c_str() const { return text_; }

 private:
  const char* text_;
};

inline void name_this_thread(RoleName name) { pthread_setname_np(pthread_self(), name.c_str()); }

// One thread starts and stops it, request_stop() and stopping() are anybody's in between. Declared after everything
// that its role uses: the destructor stops.
class RoleThread {
 public:
  using Role = std::function<void(const std::stop_token& stop)>;

  explicit RoleThread(RoleName name) : name_(name) {}
  RoleThread(RoleName name, Role role) : name_(name) { start(std::move(role)); }

  // Once; where it was stopped it may begin anew.
  void start(Role role) {
    if (thread_.joinable()) return;
    thread_ = std::jthread([name = name_, role = std::move(role)](const std::stop_token& stop) {
      name_this_thread(name);
      role(stop);
    });
  }
  // Asks it to end and waits until it has; nothing where it does not run.
  void stop() {
    if (!thread_.joinable()) return;
    thread_.request_stop();
    thread_.join();
  }
  void request_stop() { thread_.request_stop(); }
  bool started() const { return thread_.joinable(); }  // and not stopped since, though its role may be over
  bool stopping() const { return thread_.get_stop_token().stop_requested(); }

 private:
  RoleName name_;
  std::jthread thread_;
};

}  // namespace twinspan
