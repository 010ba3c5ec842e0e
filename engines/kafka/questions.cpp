#include "engines/kafka/questions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <optional>

namespace twinspan::kafka_engine {
namespace {

// A broker serves the requests of a line one by one, and takes 5 ms for a commit (group.coordinator.append.linger.ms).
constexpr size_t kLinesMost = 24;              // to a broker
constexpr size_t kALine = 32;                  // so many questions deserve a line
constexpr size_t kDepth = 8;                   // under way on a line, which hides the way
constexpr std::chrono::seconds kPatience{20};  // without any answer

class Asking {
 public:
  Asking(kafka::Cluster& side, std::vector<Question> questions, const std::stop_token& stop)
      : side_(side),
        questions_(std::move(questions)),
        stop_(stop),
        answers_(questions_.size()),
        left_(answers_.size()) {
    for (size_t i = 0; i < questions_.size(); ++i) queues_[questions_[i].broker].waiting.push_back(i);
    for (auto& [broker, queue] : queues_)
      queue.lines = std::clamp(queue.waiting.size() / kALine, size_t{1}, kLinesMost);
  }

  std::vector<Result<kafka::Answer>> run() {
    heard_at_ = std::chrono::steady_clock::now();
    while (left_ > 0) {
      for (auto& [broker, queue] : queues_) send(broker, queue);
      hear();
      if (left_ == 0) break;
      if (stop_.stop_requested()) {
        give_up({Code::kCancelled, "cancelled", false});
      } else if (std::chrono::steady_clock::now() - heard_at_ > kPatience) {
        give_up({Code::kTimeout, "no answer in time", true});
      } else {
        std::vector<pollfd> fds;
        side_.watch(fds);
        poll(fds.data(), fds.size(), 50);
      }
    }
    std::vector<Result<kafka::Answer>> all;
    all.reserve(answers_.size());
    for (auto& one : answers_) all.push_back(std::move(*one));
    return all;
  }

 private:
  struct Queue {
    std::deque<size_t> waiting;
    size_t lines = 1, next_line = 0, under_way = 0;
  };

  void send(int32_t broker, Queue& queue) {
    while (!queue.waiting.empty() && queue.under_way < queue.lines * kDepth && !stop_.stop_requested()) {
      const size_t i = queue.waiting.front();
      queue.waiting.pop_front();
      ++queue.under_way;
      side_.send(i, broker, static_cast<int>(queue.next_line++ % queue.lines), std::move(questions_[i].request), stop_);
      hear();  // a broker that cannot be reached is told of here, before its patience is spent once more
    }
  }

  void hear() {
    for (kafka::Arrived& one : side_.advance()) {
      if (one.ticket >= answers_.size() || answers_[one.ticket]) continue;
      heard_at_ = std::chrono::steady_clock::now();
      const int32_t broker = questions_[one.ticket].broker;
      Queue& queue = queues_.at(broker);
      --queue.under_way;
      if (!one.answer) one.answer = std::unexpected(named(broker, one.answer.error()));
      // kInvalid: of the question, not of the broker.
      if (!one.answer && one.answer.error().code != Code::kInvalid)
        while (!queue.waiting.empty()) {
          settle(queue.waiting.front(), std::unexpected(one.answer.error()));
          queue.waiting.pop_front();
        }
      settle(one.ticket, std::move(one.answer));
    }
  }

  void settle(size_t i, Result<kafka::Answer> answer) {
    answers_[i] = std::move(answer);
    --left_;
  }

  // What comes later would be taken for the answer to another question.
  void give_up(const Error& why) {
    side_.hang_up();
    for (size_t i = 0; i < answers_.size(); ++i)
      if (!answers_[i]) settle(i, std::unexpected(named(questions_[i].broker, why)));
  }

  static Error named(int32_t broker, Error error) {
    if (broker != kafka::kAnyBroker) error.message = fmt::format("broker {}: {}", broker, error.message);
    return error;
  }

  kafka::Cluster& side_;
  std::vector<Question> questions_;
  const std::stop_token& stop_;
  std::vector<std::optional<Result<kafka::Answer>>> answers_;
  size_t left_;
  std::map<int32_t, Queue> queues_;
  std::chrono::steady_clock::time_point heard_at_{};
};

}  // namespace

std::vector<Result<kafka::Answer>> ask_all(kafka::Cluster& side, std::vector<Question> questions,
                                           const std::stop_token& stop) {
  return Asking(side, std::move(questions), stop).run();
}

}  // namespace twinspan::kafka_engine
