#include "controllers/reports/worker_reports.hpp"

#include <gtest/gtest.h>

#include <condition_variable>

namespace twinspan::controllers {
namespace {

constexpr std::chrono::seconds kPatience{10};

// Agents by pod name, answering what the test says; a hung one answers when stopped or let go.
class Agents {
 public:
  WorkerReports::ProbeFactory factory() {
    return [this](const Target& target) { return std::make_unique<Probe>(*this, target); };
  }
  void answer(const std::string& pod, Result<MemberReport> report) {
    std::lock_guard lock(mutex_);
    answers_.insert_or_assign(pod, std::move(report));
  }
  void hang(const std::string& pod, bool hung) {
    std::lock_guard lock(mutex_);
    if (hung)
      hung_.insert(pod);
    else
      hung_.erase(pod);
    changed_.notify_all();
  }
  int asked(const std::string& pod) {
    std::lock_guard lock(mutex_);
    return asked_[pod];
  }
  bool await_asked(const std::string& pod, int times) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return asked_[pod] >= times; });
  }
  bool overlapped() {
    std::lock_guard lock(mutex_);
    return overlapped_;
  }
  int probes_made = 0;

 private:
  class Probe final : public StatusProbe {
   public:
    Probe(Agents& agents, const Target& target) : agents_(agents), pod_(target.pod_name) { ++agents_.probes_made; }
    Result<MemberReport> ask(std::stop_token stop) override {
      std::unique_lock lock(agents_.mutex_);
      ++agents_.asked_[pod_];
      if (!agents_.running_.insert(pod_).second) agents_.overlapped_ = true;
      agents_.changed_.notify_all();
      agents_.changed_.wait(lock, stop, [&] { return !agents_.hung_.contains(pod_); });
      agents_.running_.erase(pod_);
      const auto found = agents_.answers_.find(pod_);
      if (found == agents_.answers_.end()) return fail(Code::kUnavailable, "connection refused");
      return found->second;
    }

   private:
    Agents& agents_;
    std::string pod_;
  };

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::string, Result<MemberReport>> answers_;
  std::set<std::string> hung_, running_;
  std::map<std::string, int> asked_;
  bool overlapped_ = false;
};

MemberReport report_of(const std::string& endpoint, MemberState state = MemberState::kStreaming) {
  MemberReport report;
  report.endpoint = endpoint;
  report.state = state;
  return report;
}

Target target_of(const std::string& pod, const std::string& uid = "u1") {
  return {"10.0.0.1", pod, uid, nullptr, 8443};
}

class WorkerReportsTest : public testing::Test {
 protected:
  // Long intervals: what a test sees polled, it has asked for.
  std::unique_ptr<WorkerReports> start(ReportsConfig config = {4, std::chrono::hours(1), std::chrono::hours(1)}) {
    auto reports = std::make_unique<WorkerReports>(config, clock_, agents_.factory());
    reports->add_listener(
        [this](const kube::Key&, const std::string& endpoint, const std::optional<Seen>& before, const Seen& after) {
          std::lock_guard lock(mutex_);
          heard_.push_back({endpoint, before, after});
          changed_.notify_all();
        });
    reports->start();
    return reports;
  }
  struct Heard {
    std::string endpoint;
    std::optional<Seen> before;
    Seen after;
  };
  bool await_heard(size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return heard_.size() >= count; });
  }
  Heard heard(size_t index) {
    std::lock_guard lock(mutex_);
    return heard_.at(index);
  }
  const kube::Key link_{"shop", "orders"};
  SystemClock clock_;
  Agents agents_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Heard> heard_;
};

TEST_F(WorkerReportsTest, NothingIsKnownBeforeTheFirstAnswer) {
  agents_.hang("orders-east-0", true);
  const auto reports = start();
  EXPECT_FALSE(reports->latest(link_, "east"));
  reports->watch(link_, "east", target_of("orders-east-0"));
  ASSERT_TRUE(agents_.await_asked("orders-east-0", 1));
  const auto seen = reports->latest(link_, "east");
  ASSERT_TRUE(seen);
  EXPECT_FALSE(seen->report);
  EXPECT_EQ(seen->failures, 0);
}

TEST_F(WorkerReportsTest, KeepsTheLastReportAndCountsFailuresSince) {
  agents_.answer("orders-east-0", report_of("east"));
  const auto reports = start();
  reports->watch(link_, "east", target_of("orders-east-0"));
  ASSERT_TRUE(reports->await_refresh(link_, kPatience, {}));
  const BootTime received = reports->latest(link_, "east")->received_at;
  agents_.answer("orders-east-0", fail(Code::kTimeout, "no answer"));
  for (int failures = 1; failures <= 3; ++failures) {
    ASSERT_TRUE(reports->await_refresh(link_, kPatience, {}));
    const auto seen = reports->latest(link_, "east");
    ASSERT_TRUE(seen->report);
    EXPECT_EQ(seen->report->state, MemberState::kStreaming);
    EXPECT_EQ(seen->received_at, received);
    EXPECT_EQ(seen->failures, failures);
    EXPECT_EQ(seen->error, "no answer");
  }
  agents_.answer("orders-east-0", report_of("east", MemberState::kRunning));
  ASSERT_TRUE(reports->await_refresh(link_, kPatience, {}));
  const auto seen = reports->latest(link_, "east");
  EXPECT_EQ(seen->report->state, MemberState::kRunning);
  EXPECT_EQ(seen->failures, 0);
  EXPECT_GT(seen->received_at, received);
}

TEST_F(WorkerReportsTest, ListenersSeeWhatChanged) {
  agents_.answer("orders-east-0", report_of("east"));
  const auto reports = start();
  reports->watch(link_, "east", target_of("orders-east-0"));
  ASSERT_TRUE(await_heard(1));
  EXPECT_FALSE(heard(0).before);
  agents_.answer("orders-east-0", report_of("east", MemberState::kRunning));
  reports->refresh(link_);
  ASSERT_TRUE(await_heard(2));
  EXPECT_EQ(heard(1).before->report->state, MemberState::kStreaming);
  EXPECT_EQ(heard(1).after.report->state, MemberState::kRunning);
}

TEST_F(WorkerReportsTest, TheSameTargetAgainIsNotAskedAgain) {
  agents_.answer("orders-east-0", report_of("east"));
  const auto reports = start();
  reports->watch(link_, "east", target_of("orders-east-0"));
  ASSERT_TRUE(await_heard(1));
  reports->watch(link_, "east", target_of("orders-east-0"));
  EXPECT_EQ(agents_.probes_made, 1);
}

TEST_F(WorkerReportsTest, AnotherPodOfTheSameNameIsAnotherMember) {
  agents_.answer("orders-east-0", report_of("east"));
  const auto reports = start();
  reports->watch(link_, "east", target_of("orders-east-0", "u1"));
  ASSERT_TRUE(await_heard(1));
  agents_.hang("orders-east-0", true);
  reports->watch(link_, "east", target_of("orders-east-0", "u2"));
  EXPECT_FALSE(reports->latest(link_, "east")->report);
}

TEST_F(WorkerReportsTest, AnAnswerOfTheOldPodIsDropped) {
  agents_.hang("orders-east-0", true);
  agents_.answer("orders-east-0", report_of("east"));
  const auto reports = start();
  reports->watch(link_, "east", target_of("orders-east-0"));
  ASSERT_TRUE(agents_.await_asked("orders-east-0", 1));
  reports->watch(link_, "east", target_of("orders-east-b", "u2"));  // while the old one is being asked
  agents_.hang("orders-east-0", false);
  ASSERT_TRUE(agents_.await_asked("orders-east-b", 1));
  ASSERT_TRUE(await_heard(1));
  EXPECT_FALSE(heard(0).after.report);
  EXPECT_FALSE(heard(0).before);
}

TEST_F(WorkerReportsTest, RotatedCertificatesKeepWhatIsKnown) {
  agents_.answer("orders-east-0", report_of("east"));
  const auto reports = start();
  Target target = target_of("orders-east-0");
  target.tls = std::make_shared<net::ClientTls>(net::ClientTls{"one", true, {}, ""});
  reports->watch(link_, "east", target);
  ASSERT_TRUE(await_heard(1));
  target.tls = std::make_shared<net::ClientTls>(net::ClientTls{"one", true, {}, ""});  // equal, not the same
  reports->watch(link_, "east", target);
  EXPECT_EQ(agents_.probes_made, 1);
  agents_.hang("orders-east-0", true);
  target.tls = std::make_shared<net::ClientTls>(net::ClientTls{"two", true, {}, ""});
  reports->watch(link_, "east", target);
  EXPECT_EQ(agents_.probes_made, 2);
  EXPECT_TRUE(reports->latest(link_, "east")->report);
}

TEST_F(WorkerReportsTest, AnAgentThatIsAnotherEndpointIsAFailure) {
  agents_.answer("orders-east-0", report_of("west"));
  const auto reports = start();
  reports->watch(link_, "east", target_of("orders-east-0"));
  ASSERT_TRUE(await_heard(1));
  EXPECT_FALSE(heard(0).after.report);
  EXPECT_EQ(heard(0).after.failures, 1);
}

TEST_F(WorkerReportsTest, AwaitRefreshWaitsForAnAttemptThatBeganAfterIt) {
  agents_.hang("orders-east-0", true);
  agents_.answer("orders-east-0", report_of("east"));
  const auto reports = start();
  reports->watch(link_, "east", target_of("orders-east-0"));
  ASSERT_TRUE(agents_.await_asked("orders-east-0", 1));
  EXPECT_FALSE(reports->await_refresh(link_, std::chrono::milliseconds(20), {}));
  agents_.hang("orders-east-0", false);
  EXPECT_TRUE(reports->await_refresh(link_, kPatience, {}));
  EXPECT_GE(agents_.asked("orders-east-0"), 2);
  EXPECT_FALSE(agents_.overlapped());
}

TEST_F(WorkerReportsTest, SilentMembersNeverHoldUpThoseThatAnswer) {
  const auto reports = start();
  for (int i = 0; i < 12; ++i) {  // a lost node: they failed once, and from now on nobody answers
    const std::string name = "s" + std::to_string(i);
    reports->watch({"shop", "silent"}, name, target_of(name));
  }
  ASSERT_TRUE(await_heard(12));
  for (int i = 0; i < 12; ++i) agents_.hang("s" + std::to_string(i), true);
  reports->refresh({"shop", "silent"});
  agents_.answer("orders-east-0", report_of("east"));
  reports->watch(link_, "east", target_of("orders-east-0"));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(reports->await_refresh(link_, kPatience, {}));
}

TEST_F(WorkerReportsTest, ChangingLinksArePolledMoreOften) {
  agents_.answer("orders-east-0", report_of("east"));
  const auto reports = start({2, std::chrono::hours(1), std::chrono::milliseconds(1)});
  reports->watch(link_, "east", target_of("orders-east-0"));
  ASSERT_TRUE(await_heard(1));
  reports->set_changing(link_, true);
  EXPECT_TRUE(agents_.await_asked("orders-east-0", 20));
  EXPECT_FALSE(agents_.overlapped());
}

TEST_F(WorkerReportsTest, AForgottenMemberIsAskedNoMore) {
  agents_.answer("orders-east-0", report_of("east"));
  agents_.answer("other-east-0", report_of("east"));
  const auto reports = start({2, std::chrono::milliseconds(1), std::chrono::milliseconds(1)});
  reports->watch(link_, "east", target_of("orders-east-0"));
  reports->watch({"shop", "other"}, "east", target_of("other-east-0"));
  ASSERT_TRUE(agents_.await_asked("orders-east-0", 3));
  reports->forget(link_);
  EXPECT_FALSE(reports->latest(link_, "east"));
  ASSERT_TRUE(agents_.await_asked("other-east-0", agents_.asked("other-east-0") + 2));  // what was under way is over
  const int asked = agents_.asked("orders-east-0");
  ASSERT_TRUE(agents_.await_asked("other-east-0", agents_.asked("other-east-0") + 20));
  EXPECT_EQ(agents_.asked("orders-east-0"), asked);
}

// Whoever trusts words for three seconds is to look again when they get too old, and when they are young again.
TEST(TrustTurned, IsToldWhenWordsBecomeTooOldAndWhenTheyAreYoungAgain) {
  using std::chrono::milliseconds;
  const milliseconds trusted{3000};
  const BootTime start = BootTime{} + std::chrono::hours(1);
  const auto seen = [&](int64_t told, int64_t received) {
    Seen one;
    one.report = report_of("east");
    one.told_at = start + milliseconds(told);
    one.received_at = start + milliseconds(received);
    return one;
  };
  EXPECT_FALSE(trust_turned(seen(0, 500), seen(0, 1000), trusted));
  EXPECT_FALSE(trust_turned(seen(0, 2000), seen(0, 2999), trusted));
  EXPECT_TRUE(trust_turned(seen(0, 2500), seen(0, 3000), trusted)) << "it repeats itself";
  EXPECT_FALSE(trust_turned(seen(0, 3000), seen(0, 3500), trusted)) << "that was told";
  EXPECT_TRUE(trust_turned(seen(0, 3500), seen(4000, 4000), trusted)) << "it says something new again";
  EXPECT_TRUE(trust_turned(seen(0, 500), seen(3500, 3500), trusted)) << "nobody asked for so long";
  EXPECT_FALSE(trust_turned(seen(500, 500), seen(3499, 3499), trusted));
  Seen first;
  first.received_at = start;
  EXPECT_FALSE(trust_turned(first, seen(9000, 9000), trusted)) << "the first report is news of another kind";
}

TEST_F(WorkerReportsTest, StopEndsPollsUnderWay) {
  agents_.hang("orders-east-0", true);
  const auto reports = start();
  reports->watch(link_, "east", target_of("orders-east-0"));
  ASSERT_TRUE(agents_.await_asked("orders-east-0", 1));
  reports->stop();  // would block for ever
  EXPECT_EQ(reports->latest(link_, "east")->failures, 0);
}

}  // namespace
}  // namespace twinspan::controllers
