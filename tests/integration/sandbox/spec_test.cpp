// What people write into a link's spec, on the sandbox with PostgreSQL for real: refused edits, settings that can't be,
// settings altered behind the link's back. Skipped where PostgreSQL 15 is not installed.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/file.hpp"
#include "core/log.hpp"
#include "core/wait.hpp"
#include "integration/eventually.hpp"
#include "integration/sandbox/patient_lease.hpp"
#include "sandbox/demo/cluster.hpp"
#include "sandbox/demo/progress.hpp"
#include "sandbox/demo/scenario.hpp"
#include "sandbox/demo/writer.hpp"
#include "tests/places.hpp"

namespace twinspan::sandbox {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

constexpr std::chrono::seconds kStart{120}, kSettled{90};

class SpecTest : public testing::Test {
 protected:
  void SetUp() override {
    if (access("/usr/lib/postgresql/15/bin/postgres", X_OK) != 0) GTEST_SKIP() << "PostgreSQL 15 is not installed";
    log::configure(log::Level::kError, {{"component", "test"}});
    DemoOptions options;
    options.crds = test::in_source("/crds");
    cluster_ = std::make_unique<DemoCluster>(options, clock_);
    expect(cluster_->start());
    expect(cluster_->start_operator());
    expect(apply_patiently(*cluster_, test::in_source("/examples/postgres.yaml")));
    scenario_ = std::make_unique<Scenario>(*cluster_, progress_, kLink, std::stop_token{});
    expect(scenario_->wait_streaming(kStart));
    auto target = scenario_->writer_target(30s);
    ASSERT_TRUE(target) << target.error().message;
    target_ = *target;
  }
  void TearDown() override {
    if (HasFailure() && cluster_) {
      if (const auto link = scenario_->link()) printf("%s\n", link->at("status").dump(1).c_str());
      printf("operator:\n%s\n", cluster_->operator_log_tail(20).c_str());
      for (const char* endpoint : kEndpoints)
        printf("%s:\n%s\n", endpoint, cluster_->pod_log_tail(scenario_->pod(endpoint), 30).c_str());
    }
    scenario_.reset();
    cluster_.reset();
  }

  static void expect(const Status& status) { ASSERT_TRUE(status) << status.error().message; }

  // What `kubectl edit` does: every endpoint's settings, or those of some.
  void set_parameters(const Json& parameters, const std::vector<std::string>& of = {"east", "west", "west-2"}) {
    for (int tries = 0; tries < 20; ++tries) {
      auto link = scenario_->link();
      ASSERT_TRUE(link) << link.error().message;
      const auto set = [&](Json& endpoint) {
        if (std::find(of.begin(), of.end(), endpoint.value("name", "")) != of.end())
          endpoint["postgres"]["managed"]["parameters"] = parameters;
      };
      set((*link)["spec"]["source"]);
      for (Json& target : (*link)["spec"]["targets"]) set(target);
      const auto updated = cluster_->client().update(kube::kReplicationLinks, *link);
      if (updated) {
        generation_ = updated->at("metadata").value("generation", int64_t{0});
        return;
      }
      ASSERT_EQ(updated.error().code, Code::kConflict) << updated.error().message;
    }
    FAIL() << "the status changes all the time";
  }

  Json condition(const std::string& type, const kube::Resource& kind = kube::kReplicationLinks) {
    const auto object = cluster_->client().get(kind, kLink);
    if (!object) return {};
    for (const Json& one : object->value("/status/conditions"_json_pointer, Json::array()))
      if (one.value("type", "") == type) return one;
    return {};
  }
  // Polls until the condition speaks of the last edit and has this reason; its message.
  std::string wait_for_reason(const std::string& type, const std::string& reason,
                              std::chrono::seconds patience = kSettled) {
    std::string last = "nothing";
    if (eventually(
            [&] {
              const Json one = condition(type);
              if (!one.is_object()) return false;
              last = one.dump();
              return one.value("observedGeneration", int64_t{0}) >= generation_ && one.value("reason", "") == reason;
            },
            patience))
      return condition(type).value("message", "");
    ADD_FAILURE() << type << " never was " << reason << ", but " << last;
    return "";
  }
  // As a person with a shell in the pod.
  std::string superuser(const std::string& endpoint, const std::string& sql) {
    const auto pid = cluster_->postmaster(scenario_->pod(endpoint));
    if (!pid) return "no postmaster: " + pid.error().message;
    const std::string data = std::filesystem::read_symlink(fmt::format("/proc/{}/cwd", *pid));
    const std::string lines = read_file(data + "/postmaster.pid").value_or("");
    std::istringstream in(lines);
    std::string folder;
    for (int i = 0; i < 5; ++i) std::getline(in, folder);
    const std::string command = fmt::format(
        "cd / && setpriv --reuid=$(stat -c %u {0}) --regid=$(stat -c %g {0}) --clear-groups "
        "/usr/lib/postgresql/15/bin/psql -XAtq -h {1} -U postgres -d postgres -c \"{2}\" 2>&1",
        data, folder, sql);
    std::string out;
    if (FILE* pipe = popen(command.c_str(), "r")) {
      char buffer[512];
      while (const size_t got = fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, got);
      pclose(pipe);
    }
    while (!out.empty() && out.back() == '\n') out.pop_back();
    return out;
  }
  bool everywhere(const std::string& name, const std::string& value) {
    return std::all_of(std::begin(kEndpoints), std::end(kEndpoints),
                       [&](const char* endpoint) { return superuser(endpoint, "show " + name) == value; });
  }
  std::string started_at(const std::string& endpoint) {
    return superuser(endpoint, "select pg_postmaster_start_time()");
  }
  bool told(const std::string& reason, const std::string& words) {
    bool found = false;
    (void)cluster_->client().list(kube::kCoreEvents, kLink.ns, {}, [&](Json&& event) {
      found =
          found || (event.value("reason", "") == reason && event.value("message", "").find(words) != std::string::npos);
    });
    return found;
  }

  static constexpr const char* kEndpoints[] = {"east", "west", "west-2"};
  const kube::Key kLink{"shop", "orders"};
  int64_t generation_ = 0;  // of the last edit
  SystemClock clock_;
  Progress progress_{true};
  std::unique_ptr<DemoCluster> cluster_;
  std::unique_ptr<Scenario> scenario_;
  WriterTarget target_;
};

TEST_F(SpecTest, ARefusedEditIsCarriedOutByNobodyAndADeadPrimaryIsReplaced) {
  set_parameters({{"max_connections", "300"}}, {"east"});
  wait_for_reason("Ready", "InvalidSpec");
  EXPECT_NE(condition("Ready").value("message", "").find("parameters[max_connections]"), std::string::npos);
  const auto postmaster = cluster_->postmaster(scenario_->pod("east"));
  ASSERT_TRUE(postmaster);
  EXPECT_EQ(superuser("east", "show max_connections"), "100");
  ASSERT_EQ(::kill(*postmaster, SIGKILL), 0);
  EXPECT_TRUE(eventually([&] { return scenario_->primary() != "east" && !scenario_->primary().empty(); }, 90s))
      << "nobody took over";
  EXPECT_TRUE(eventually([&] { return query_value(target_, "SELECT pg_is_in_recovery()").value_or("") == "f"; }, 90s));
  EXPECT_EQ(condition("Ready").value("reason", ""), "InvalidSpec") << "still said";
  EXPECT_TRUE(eventually(
      [&] { return condition("PrimaryHealthy", kube::kFailoverPolicies).value("status", "") == "True"; }, 90s));
  EXPECT_TRUE(eventually([&] { return superuser("east", "show max_connections") == "100"; }, 120s));
}

TEST_F(SpecTest, ALibraryThatIsNotThereIsTriedByOneReplicaAlone) {
  const std::string primary = scenario_->primary();
  const std::string before = started_at(primary);
  set_parameters({{"max_connections", "100"}, {"shared_preload_libraries", "pg_stat_statments"}});
  const std::string words = wait_for_reason("Stalled", "ChangeUndone");
  EXPECT_NE(words.find("could not access file \"pg_stat_statments\""), std::string::npos) << words;
  EXPECT_NE(words.find("shared_preload_libraries"), std::string::npos) << words;
  expect(scenario_->writer_target(60s) ? Status{} : fail(Code::kUnavailable, "no primary"));
  EXPECT_EQ(scenario_->primary(), primary);
  EXPECT_EQ(started_at(primary), before) << "the primary never restarted";
  EXPECT_TRUE(eventually([&] { return everywhere("shared_preload_libraries", ""); }, 120s));
  // The right name goes everywhere.
  set_parameters({{"max_connections", "100"}, {"shared_preload_libraries", "pg_stat_statements"}});
  wait_for_reason("Ready", "Replicating");
  EXPECT_TRUE(everywhere("shared_preload_libraries", "pg_stat_statements"));
}

TEST_F(SpecTest, ValuesNoMachineHasAndSessionsNobodyGetsAreUndone) {
  for (const auto& [name, value] :
       std::map<std::string, std::string>{{"shared_buffers", "100TB"}, {"session_preload_libraries", "no_such_lib"}}) {
    set_parameters({{"max_connections", "100"}, {name, value}});
    const std::string words = wait_for_reason("Stalled", "ChangeUndone");
    EXPECT_NE(words.find(name), std::string::npos) << words;
    EXPECT_TRUE(eventually([&] { return !everywhere(name, value); }, 120s));
    EXPECT_TRUE(eventually([&] { return query_value(target_, "SELECT 1").value_or("") == "1"; }, 90s));
  }
  set_parameters({{"max_connections", "100"}});
  wait_for_reason("Ready", "Replicating");
}

TEST_F(SpecTest, WhatIsAcceptedIsInForceWhereverReadyIsTrue) {
  set_parameters({{"max_connections", "100"},
                  {"TimeZone", "Europe/Berlin"},
                  {"DateStyle", "German"},
                  {"log_line_prefix", "%m "},
                  {"fsync", "on"},
                  {"wal_level", "logical"},
                  {"work_mem", "8MB"}});
  wait_for_reason("Ready", "Replicating");
  for (const auto& [name, value] : std::map<std::string, std::string>{{"TimeZone", "Europe/Berlin"},
                                                                      {"DateStyle", "German, DMY"},
                                                                      {"log_line_prefix", "%m "},
                                                                      {"fsync", "on"},
                                                                      {"wal_level", "logical"},
                                                                      {"work_mem", "8MB"}})
    for (const char* endpoint : kEndpoints) EXPECT_EQ(superuser(endpoint, "show " + name), value) << endpoint;
}

// No replica may run with less than its primary: it is the last to have it.
TEST_F(SpecTest, WhatIsLoweredIsInForceEverywhereOnceThePrimaryHasIt) {
  set_parameters({{"max_connections", "60"}, {"max_worker_processes", "7"}});
  wait_for_reason("Ready", "Replicating");
  for (const char* endpoint : kEndpoints) {
    EXPECT_EQ(superuser(endpoint, "show max_connections"), "60") << endpoint;
    EXPECT_EQ(superuser(endpoint, "show max_worker_processes"), "7") << endpoint;
  }
}

TEST_F(SpecTest, SyncCanNotBeSwitchedOffFromSql) {
  const std::string names = superuser("east", "show synchronous_standby_names");
  ASSERT_NE(names, "");
  EXPECT_NE(superuser("east", "alter system set synchronous_standby_names=''").find("ERROR"), std::string::npos)
      << "whoever tries is told at once";
  EXPECT_TRUE(eventually([&] { return told("SettingTakenBack", "synchronous_standby_names"); }, 90s));
  // By hand, as if it had been done before it was barred.
  const auto pid = cluster_->postmaster(scenario_->pod("east"));
  ASSERT_TRUE(pid);
  const std::string data = std::filesystem::read_symlink(fmt::format("/proc/{}/cwd", *pid));
  if (FILE* file = fopen((data + "/postgresql.auto.conf").c_str(), "a")) {
    fputs("synchronous_standby_names = ''\nfull_page_writes = 'off'\nlog_statement = 'ddl'\n", file);
    fclose(file);
  }
  EXPECT_TRUE(eventually([&] { return told("SettingTakenBack", "full_page_writes"); }, 90s));
  superuser("east", "select pg_reload_conf()");
  EXPECT_TRUE(eventually([&] { return superuser("east", "show log_statement") == "ddl"; }, 60s))
      << "nobody's, it stays";
  EXPECT_EQ(superuser("east", "show synchronous_standby_names"), names);
  EXPECT_EQ(superuser("east", "show full_page_writes"), "on");
}

}  // namespace
}  // namespace twinspan::sandbox
