#include "sandbox/demo/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "core/wait.hpp"

namespace twinspan::sandbox {
namespace {

constexpr std::chrono::milliseconds kTick{100}, kPoll{20};
constexpr std::chrono::seconds kQuietLines{5};  // between two lines of one step where there is no terminal

double seconds_since(std::chrono::steady_clock::time_point then) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - then).count();
}

}  // namespace

Progress::Progress(bool quiet) : quiet_(quiet), terminal_(isatty(STDOUT_FILENO) == 1) {
  if (!quiet_) thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}
Progress::~Progress() = default;

void Progress::run(const std::stop_token& stop) {
  while (wait_for(kTick, stop)) {
    std::lock_guard lock(mutex_);
    if (!what_.empty() && (terminal_ || std::chrono::steady_clock::now() - drawn_ > kQuietLines)) draw_locked(false);
  }
}

void Progress::draw_locked(bool last) {
  if (quiet_) return;
  drawn_ = std::chrono::steady_clock::now();
  const std::string line =
      fmt::format("{:6.1f} s  {}{}{}", seconds_since(begun_), what_, detail_.empty() ? "" : ": ", detail_);
  if (terminal_) {
    fmt::print("\r\033[K{}", last ? line : line.substr(0, 110));
    if (last) fmt::print("\n");
  } else {
    fmt::print("{}\n", line);
  }
  std::fflush(stdout);
}

void Progress::begin(std::string what) {
  std::lock_guard lock(mutex_);
  what_ = std::move(what);
  detail_.clear();
  begun_ = std::chrono::steady_clock::now();
  drawn_ = begun_;
  if (terminal_) draw_locked(false);
}

void Progress::detail(std::string text) {
  std::lock_guard lock(mutex_);
  detail_ = std::move(text);
}

void Progress::done(const std::string& outcome) {
  std::lock_guard lock(mutex_);
  if (what_.empty()) return;
  detail_ = outcome;
  draw_locked(true);
  what_.clear();
}

void Progress::failed(const std::string& why) {
  std::lock_guard lock(mutex_);
  if (what_.empty()) return;
  detail_ = "FAILED: " + why;
  draw_locked(true);
  what_.clear();
}

void Progress::print(const std::string& text) {
  std::lock_guard lock(mutex_);
  if (quiet_) return;
  fmt::print("{}{}\n", terminal_ && !what_.empty() ? "\r\033[K" : "", text);
  std::fflush(stdout);
}

Status Progress::wait(std::string what, std::chrono::milliseconds patience,
                      const std::function<std::string()>& condition, const std::stop_token& stop) {
  begin(what);
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (true) {
    std::string missing = condition();
    if (missing.empty()) {
      done();
      return {};
    }
    if (std::chrono::steady_clock::now() > deadline) {
      failed(missing);
      return fail(Code::kTimeout, fmt::format("{}: not within {} s: {}", what, patience.count() / 1000, missing));
    }
    detail(std::move(missing));
    if (!wait_for(kPoll, stop)) {
      failed("interrupted");
      return fail(Code::kCancelled, "interrupted");
    }
  }
}

}  // namespace twinspan::sandbox
