// What a link does by itself when a replica, a disk or somebody's SQL goes wrong. Agents, operator and PostgreSQL are
// real; data lies on claims. Skipped where PostgreSQL 15 is not installed.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>

#include "core/log.hpp"
#include "core/wait.hpp"
#include "integration/sandbox/patient_lease.hpp"
#include "sandbox/api/patch.hpp"
#include "sandbox/demo/cluster.hpp"
#include "sandbox/demo/connection.hpp"
#include "sandbox/demo/progress.hpp"
#include "sandbox/demo/scenario.hpp"
#include "sandbox/demo/writer.hpp"
#include "tests/places.hpp"

namespace twinspan::sandbox {
namespace {

namespace fs = std::filesystem;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

std::string text_of_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class HealTest : public testing::Test {
 protected:
  void SetUp() override {
    if (access("/usr/lib/postgresql/15/bin/postgres", X_OK) != 0) GTEST_SKIP() << "PostgreSQL 15 is not installed";
    log::configure(log::Level::kError, {{"component", "test"}});
    DemoOptions options;
    options.crds = test::in_source("/crds");
    cluster_ = std::make_unique<DemoCluster>(options, clock_);
    expect(cluster_->start());
    expect(cluster_->start_operator());
    apply_with_little_log();
    scenario_ = std::make_unique<Scenario>(*cluster_, progress_, kLink, std::stop_token{});
    expect(scenario_->wait_streaming(120s));
    auto target = scenario_->writer_target(30s);
    ASSERT_TRUE(target) << target.error().message;
    target_ = *target;
  }
  void TearDown() override {
    if (HasFailure() && cluster_) {
      printf("operator:\n%s\n", cluster_->operator_log_tail(20).c_str());
      for (const char* endpoint : {"east", "west", "west-2"})
        printf("%s:\n%s\n", endpoint, cluster_->pod_log_tail(scenario_->pod(endpoint), 40).c_str());
    }
    scenario_.reset();
    cluster_.reset();
  }

  static void expect(const Status& status) { ASSERT_TRUE(status) << status.error().message; }

  // examples/postgres-volumes.yaml, where slots keep so little log that a replica is soon behind it.
  void apply_with_little_log() {
    const auto documents = parse_yaml_documents(text_of_file(test::in_source("/examples/postgres-volumes.yaml")));
    ASSERT_TRUE(documents);
    for (Json document : *documents) {
      make_patient(document);
      const std::string kind = document.value("kind", "");
      if (kind == "ReplicationLink") {
        const auto limit = [](Json& endpoint) {
          for (const char* name : {"max_slot_wal_keep_size", "wal_keep_size", "max_wal_size"})
            endpoint["postgres"]["managed"]["parameters"][name] = "64MB";
        };
        limit(document["spec"]["source"]);
        for (Json& one : document["spec"]["targets"]) limit(one);
      }
      const kube::Resource& resource = kind == "Namespace"         ? kube::kNamespaces
                                       : kind == "ReplicationLink" ? kube::kReplicationLinks
                                                                   : kube::kFailoverPolicies;
      ASSERT_TRUE(cluster_->client().apply(resource, document, "test"));
    }
  }

  bool eventually(std::chrono::seconds time, const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + time;
    while (!holds()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      wait_for(50ms, {});
    }
    return true;
  }
  std::string condition(const char* type) {
    const auto link = scenario_->link();
    if (!link) return "";
    for (const Json& one : link->value("status", Json::object()).value("conditions", Json::array()))
      if (text_of(one, "type") == type)
        return text_of(one, "status") + " " + text_of(one, "reason") + ": " + text_of(one, "message");
    return "absent";
  }
  fs::path data(const char* endpoint) { return cluster_->runtime().volume_folder(scenario_->pod(endpoint), "data"); }
  // How often its pod said so: every replica said Clone when it was first made.
  int times_said(const char* endpoint, const std::string& text) {
    const std::string log = cluster_->pod_log_tail(scenario_->pod(endpoint), 100000);
    int times = 0;
    for (size_t at = log.find(text); at != std::string::npos; at = log.find(text, at + text.size())) ++times;
    return times;
  }
  bool said(const char* endpoint, const std::string& text) { return times_said(endpoint, text) > 0; }

  // psql as the superuser, on the instance's own socket.
  std::pair<int, std::string> superuser(const char* endpoint, const std::string& sql,
                                        const std::string& database = "postgres", const std::string& setting = "") {
    const std::string pid_file = text_of_file(data(endpoint) / "pgdata" / "postmaster.pid");
    if (std::count(pid_file.begin(), pid_file.end(), '\n') < 5) return {-1, "no postmaster runs"};
    std::string socket = pid_file;
    for (int line = 0; line < 4; ++line) socket.erase(0, socket.find('\n') + 1);
    socket.resize(socket.find('\n'));
    struct stat info {};
    stat((data(endpoint) / "pgdata").c_str(), &info);
    const passwd* user = getpwuid(info.st_uid);
    const std::string command = fmt::format(
        "cd / && runuser -u {} -- env PGOPTIONS='{}' psql -XAtq -v ON_ERROR_STOP=1 -h {} -U postgres -d {} -c \"{}\" "
        "2>&1",
        user->pw_name, setting.empty() ? "" : "-c " + setting, socket, database, sql);
    std::string out;
    FILE* pipe = popen(command.c_str(), "r");
    for (int c = fgetc(pipe); c != EOF; c = fgetc(pipe)) out += static_cast<char>(c);
    const int status = pclose(pipe);
    while (!out.empty() && out.back() == '\n') out.pop_back();
    return {WEXITSTATUS(status), out};
  }
  void run(const char* endpoint, const std::string& sql, const std::string& database = "postgres") {
    const auto [status, out] = superuser(endpoint, sql, database);
    ASSERT_EQ(status, 0) << sql << ": " << out;
  }
  std::string value(const char* endpoint, const std::string& sql, const std::string& database = "postgres") {
    return superuser(endpoint, sql, database).second;
  }
  // A hundred MiB of log.
  void write_log() {
    run("east",
        "SET synchronous_commit = local; INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, 90000)",
        "shop");
  }
  pid_t receiver(const char* endpoint) {
    const auto pid = value(endpoint, "SELECT pid FROM pg_stat_wal_receiver");
    return static_cast<pid_t>(std::atol(pid.c_str()));
  }

  static constexpr const char* kClone = "Clone(east)";
  const kube::Key kLink{"shop", "orders"};
  SystemClock clock_;
  Progress progress_{true};
  std::unique_ptr<DemoCluster> cluster_;
  std::unique_ptr<Scenario> scenario_;
  WriterTarget target_;
};

// What it needs next is gone for good. It is cloned, and nothing of the primary's is missing; but not while the link is
// paused.
TEST_F(HealTest, AReplicaWhoseLogIsGoneIsClonedByItselfOrSaysWhatForbidsIt) {
  run("east", "CREATE TABLE filler (n text)", "shop");
  const int begun = times_said("west", kClone);
  Json spec = {{"spec", {{"paused", true}}}};
  ASSERT_TRUE(cluster_->client().merge_patch(kube::kReplicationLinks, kLink, spec));
  ASSERT_TRUE(cluster_->runtime().freeze(scenario_->pod("west")));
  for (int i = 0; i < 4; ++i) {
    write_log();
    run("east", "CHECKPOINT");
  }
  ASSERT_TRUE(cluster_->runtime().thaw(scenario_->pod("west")));
  EXPECT_TRUE(eventually(60s, [&] { return condition("Stalled").starts_with("True ReplicaWithoutLog: west: "); }))
      << condition("Stalled");
  EXPECT_NE(condition("Stalled").find("spec.paused"), std::string::npos) << condition("Stalled");
  EXPECT_EQ(times_said("west", kClone), begun);
  spec["spec"]["paused"] = false;
  ASSERT_TRUE(cluster_->client().merge_patch(kube::kReplicationLinks, kLink, spec));
  EXPECT_TRUE(eventually(120s, [&] { return times_said("west", kClone) > begun; }))
      << "it must not have been reachable by streaming alone";
  expect(scenario_->wait_streaming(120s));
  EXPECT_TRUE(condition("Stalled").starts_with("False")) << condition("Stalled");
  EXPECT_TRUE(eventually(60s, [&] { return value("west", "SELECT count(*) FROM filler", "shop") == "360000"; }))
      << "it streams, and replays to the end of it: " << value("west", "SELECT count(*) FROM filler", "shop");
}

// Its process stands still, its machine answers for it: no time-out of PostgreSQL's notices.
TEST_F(HealTest, AReceiverThatReadsNothingHoldsUpNoCheckpointAndComesBack) {
  run("east", "CREATE TABLE filler (n text)", "shop");
  const pid_t hung = receiver("west");
  ASSERT_GT(hung, 1);
  ASSERT_EQ(kill(hung, SIGSTOP), 0);
  for (int i = 0; i < 3; ++i) write_log();
  const auto start = std::chrono::steady_clock::now();
  run("east", "CHECKPOINT");
  const auto took = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - start);
  printf("checkpoint with a deaf replica: %ld s\n", static_cast<long>(took.count()));
  EXPECT_LT(took, 60s);
  EXPECT_TRUE(eventually(90s, [&] {
    return condition("Ready").find("west: ") != std::string::npos && condition("Ready").starts_with("False");
  })) << condition("Ready");
  // It is never woken: its PostgreSQL is restarted.
  expect(scenario_->wait_streaming(120s));
  EXPECT_TRUE(eventually(60s, [&] { return value("west", "SELECT count(*) FROM filler", "shop") == "270000"; }))
      << "it streams, and replays to the end of it: " << value("west", "SELECT count(*) FROM filler", "shop");
}

// A pipe in the place of the file that the agent writes to: opening it hangs as a dead disk does.
TEST_F(HealTest, APrimaryWhoseDiskHangsLetsItsLeaseRunOutAndAReplicaTakesOver) {
  Writer writer(target_, clock_);
  writer.start();
  ASSERT_TRUE(writer.wait_for_acknowledged(200, 60s));
  const fs::path probe = data("east") / "disk-probe";
  ASSERT_TRUE(eventually(60s, [&] { return fs::exists(probe); }));
  ASSERT_EQ(mkfifo((probe.string() + ".pipe").c_str(), 0666), 0);
  ASSERT_EQ(chmod((probe.string() + ".pipe").c_str(), 0666), 0);
  fs::rename(probe.string() + ".pipe", probe);
  EXPECT_TRUE(eventually(60s, [&] { return condition("Ready").find("has not answered a write") != std::string::npos; }))
      << condition("Ready");
  ASSERT_TRUE(eventually(90s, [&] { return !scenario_->primary().empty() && scenario_->primary() != "east"; }));
  const uint64_t session = writer.figures().sessions;
  ASSERT_TRUE(writer.wait_for_session_after(session > 0 ? session - 1 : 0, 60s));
  // It answers again: whoever waits is let go, the next write finds an ordinary file.
  const int reader = open(probe.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  fs::remove(probe);
  expect(scenario_->wait_streaming(120s));
  close(reader);
  writer.stop();
  const auto missing = missing_writes(target_, writer.acknowledged());
  ASSERT_TRUE(missing) << missing.error().message;
  EXPECT_TRUE(missing->empty()) << missing->size() << " of " << writer.acknowledged().size() << " are lost";
}

TEST_F(HealTest, ADatabaseThatWasDroppedAndRolesThatWereAlteredComeBack) {
  ASSERT_TRUE(eventually(60s, [&] {
    return condition("DataAsDeclared") == "True AsDeclared: the database is there, and all its data is on the volumes";
  })) << condition("DataAsDeclared");
  WriterTarget elsewhere = target_;
  elsewhere.database = "postgres";
  {
    auto session = connect(elsewhere);
    ASSERT_TRUE(session) << session.error().message;
    const auto dropped = query(session->get(), "DROP DATABASE shop", {}, 10s);
    ASSERT_TRUE(dropped) << dropped.error().message;
  }
  EXPECT_TRUE(eventually(90s, [&] { return query_value(target_, "SELECT 1").value_or("") == "1"; }));
  EXPECT_TRUE(eventually(90s, [&] { return condition("DataAsDeclared").starts_with("False DatabaseRemade: east: "); }))
      << condition("DataAsDeclared");
  EXPECT_EQ(query_value(target_, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'shop'").value_or(""),
            target_.user);

  run("east", "ALTER ROLE twinspan_replication NOREPLICATION");
  run("east", fmt::format("ALTER ROLE {} NOLOGIN", target_.user));
  EXPECT_TRUE(eventually(90s, [&] { return query_value(target_, "SELECT 1").value_or("") == "1"; }));
  EXPECT_EQ(value("east", "SELECT rolreplication FROM pg_roles WHERE rolname = 'twinspan_replication'"), "t");
  // The owner may change its own password by SQL, but the Secret is what clients read.
  {
    auto session = connect(target_);
    ASSERT_TRUE(session) << session.error().message;
    ASSERT_TRUE(query(session->get(), fmt::format("ALTER ROLE {} PASSWORD 'another'", target_.user), {}, 10s));
  }
  EXPECT_TRUE(eventually(90s, [&] { return query_value(target_, "SELECT 1").value_or("") == "1"; }));
}

// Roles, databases and extensions of the spec: in force, or named with the reason; again after a promotion. The agent
// reads Secrets by its own Role, which the sandbox's API enforces.
TEST_F(HealTest, WhatIsDeclaredInsidePostgresqlIsInForceOrNamed) {
  const auto secret = [&](const char* name, const char* password) {
    const Json object = {{"apiVersion", "v1"},
                         {"kind", "Secret"},
                         {"metadata", {{"name", name}, {"namespace", "shop"}}},
                         {"stringData", {{"password", password}}}};
    ASSERT_TRUE(cluster_->client().apply(kube::kSecrets, object, "test"));
  };
  const auto declare = [&](Json roles, Json databases) {
    const Json spec = {{"spec", {{"postgres", {{"roles", std::move(roles)}, {"databases", std::move(databases)}}}}}};
    const auto done = cluster_->client().merge_patch(kube::kReplicationLinks, kLink, spec);
    ASSERT_TRUE(done) << done.error().message;
  };
  const auto role = [](const char* name, const char* password_secret) {
    return Json{{"name", name},
                {"login", true},
                {"inRoles", {"pg_read_all_data"}},
                {"passwordSecretRef", {{"name", password_secret}, {"key", "password"}}}};
  };
  const auto logs_in = [&](const char* user, const char* password, const char* database) {
    WriterTarget target = target_;
    target.user = user;
    target.password = password;
    target.database = database;
    return query_value(target, "SELECT 1").value_or("") == "1";
  };

  // One made by hand is there already.
  run("east", "CREATE ROLE by_hand CREATEDB");
  secret("reports", "pw-one-4711");
  const Json by_hand = {{"name", "by_hand"}, {"connectionLimit", 5}};
  const Json shop = {{"name", "shop"}, {"extensions", Json::array({{{"name", "citext"}}})}};
  const Json stock = {{"name", "stock"},
                      {"owner", "reports"},
                      {"extensions", Json::array({{{"name", "pg_trgm"}, {"version", "1.5"}}})}};
  declare({role("reports", "reports"), by_hand}, {shop, stock});
  EXPECT_TRUE(eventually(90s, [&] { return logs_in("reports", "pw-one-4711", "stock"); })) << condition("Ready");
  expect(scenario_->wait_streaming(90s));
  EXPECT_EQ(value("east", "SELECT extversion FROM pg_extension WHERE extname = 'pg_trgm'", "stock"), "1.5");
  EXPECT_EQ(value("east", "SELECT count(*) FROM pg_extension WHERE extname = 'citext'", "shop"), "1");
  EXPECT_EQ(value("east", "SELECT rolcreatedb::text || rolconnlimit FROM pg_roles WHERE rolname = 'by_hand'"),
            "false5");

  // A Secret that is not there, and an extension that nobody has.
  Json wrong = stock;
  wrong["extensions"] = Json::array({{{"name", "pg_trgm"}, {"version", "1.6"}}, {{"name", "nonsense"}}});
  declare({role("reports", "reports"), role("late", "late")}, {shop, wrong});
  EXPECT_TRUE(eventually(90s, [&] {
    const std::string ready = condition("Ready");
    const auto names = [&](const char* words) { return ready.find(words) != std::string::npos; };
    return ready.starts_with("False ObjectsNotInForce: ") && names("Secret late does not exist") &&
           names("role late: ") && names("extension nonsense of stock: ");
  })) << condition("Ready");
  EXPECT_TRUE(eventually(60s, [&] { return condition("Stalled").starts_with("True ObjectsNotInForce: "); }))
      << condition("Stalled");
  EXPECT_EQ(value("east", "SELECT extversion FROM pg_extension WHERE extname = 'pg_trgm'", "stock"), "1.6");
  EXPECT_EQ(value("east", "SELECT count(*) FROM pg_roles WHERE rolname = 'by_hand'"), "1") << "off the list: it stays";
  secret("late", "pw-two-4712");
  EXPECT_TRUE(eventually(60s, [&] { return logs_in("late", "pw-two-4712", "stock"); })) << condition("Ready");
  declare({role("reports", "reports"), role("late", "late")}, {shop, stock});
  EXPECT_TRUE(
      eventually(90s, [&] { return condition("Ready").find("extension pg_trgm of stock") != std::string::npos; }))
      << "there is no way back from 1.6: " << condition("Ready");
  declare({role("reports", "reports"), role("late", "late")}, {shop});
  expect(scenario_->wait_streaming(90s));

  // Another primary: it follows the Secrets, too.
  const Json move = {{"spec", {{"desiredPrimary", "west"}}}};
  ASSERT_TRUE(cluster_->client().merge_patch(kube::kFailoverPolicies, kLink, move));
  ASSERT_TRUE(eventually(60s, [&] { return scenario_->primary() == "west"; }));
  EXPECT_TRUE(eventually(90s, [&] { return logs_in("reports", "pw-one-4711", "stock"); }));
  secret("reports", "pw-three-4713");
  EXPECT_TRUE(eventually(60s, [&] { return logs_in("reports", "pw-three-4713", "stock"); })) << condition("Ready");
  EXPECT_FALSE(logs_in("reports", "pw-one-4711", "stock"));
  expect(scenario_->wait_streaming(90s));
  for (const char* endpoint : {"east", "west"})
    for (const char* password : {"pw-one-4711", "pw-two-4712", "pw-three-4713"})
      EXPECT_FALSE(said(endpoint, password)) << endpoint;
}

// Lines of pg_hba.conf: obeyed on every member and by the next primary without a restart; wrong ones change nothing.
TEST_F(HealTest, LinesOfPgHbaAreObeyedEverywhereAndWrongOnesAreNamed) {
  const auto declare = [&](Json lines) {
    const Json spec = {{"spec", {{"postgres", {{"hba", std::move(lines)}}}}}};
    const auto done = cluster_->client().merge_patch(kube::kReplicationLinks, kLink, spec);
    ASSERT_TRUE(done) << done.error().message;
  };
  const auto login = [&](const std::string& user, const std::string& host) -> std::string {
    WriterTarget target = target_;
    target.host = host;
    if (user != target_.user) target.password = "pw";
    target.user = user;
    const auto answer = query_value(target, "SELECT 1");
    return answer ? *answer : answer.error().message;
  };
  const auto rejected = [](const std::string& answer) {
    return answer.find("pg_hba.conf rejects connection") != std::string::npos;
  };
  const auto all = {"east", "west", "west-2"};
  std::map<std::string, std::string> hosts, began;
  for (const char* member : all) {
    hosts[member] = value(member, "SHOW listen_addresses");
    began[member] = value(member, "SELECT pg_postmaster_start_time()");
  }
  run("east", "CREATE ROLE guest LOGIN PASSWORD 'pw'");
  ASSERT_TRUE(eventually(30s, [&] { return login("guest", hosts["west-2"]) == "1"; }))
      << login("guest", hosts["west-2"]);

  declare(Json::array({"hostssl all guest all reject"}));
  for (const char* member : all)
    EXPECT_TRUE(eventually(30s, [&] { return rejected(login("guest", hosts[member])); })) << member;
  expect(scenario_->wait_streaming(60s));

  // Wrong ones beside a right one that would let the guest in: nothing changes.
  declare(Json::array(
      {"hostssl all guest all scram-sha-256", "hostssl all all 10.0.0.0/33 reject", "hostssl all all all ldap"}));
  EXPECT_TRUE(eventually(60s, [&] {
    const std::string stalled = condition("Stalled");
    const auto names = [&](const char* words) { return stalled.find(words) != std::string::npos; };
    return stalled.starts_with("True HbaNotInForce: ") && names("east, west, west-2: spec.postgres.hba[1]") &&
           names("10.0.0.0/33") && names("spec.postgres.hba[2]") && names("requires argument");
  })) << condition("Stalled");
  EXPECT_TRUE(condition("Ready").starts_with("False HbaNotInForce: ")) << condition("Ready");
  for (const char* member : all) EXPECT_TRUE(rejected(login("guest", hosts[member]))) << member;

  // The next primary has the same rules, while the newest are still wrong.
  const Json move = {{"spec", {{"desiredPrimary", "west"}}}};
  ASSERT_TRUE(cluster_->client().merge_patch(kube::kFailoverPolicies, kLink, move));
  ASSERT_TRUE(eventually(60s, [&] { return scenario_->primary() == "west"; }));
  EXPECT_TRUE(rejected(login("guest", hosts["west"]))) << login("guest", hosts["west"]);
  EXPECT_EQ(login(target_.user, hosts["west"]), "1");

  // The narrowest: replicas follow all the same.
  declare(Json::array({"host all,replication all all reject"}));
  EXPECT_TRUE(eventually(60s, [&] { return rejected(login(target_.user, hosts["west"])); }));
  expect(scenario_->wait_streaming(90s));
  declare(Json::array());
  for (const char* member : all)
    EXPECT_TRUE(eventually(30s, [&] { return login("guest", hosts[member]) == "1"; })) << member;
  for (const char* member : {"west", "west-2"})
    EXPECT_EQ(value(member, "SELECT pg_postmaster_start_time()"), began[member]) << member;
}

// In the sandbox each member's volume has a path of its own, so that what lies on the primary's is outside every
// replica's: the hardest case. As in pods, the place does not exist where the replica replays that it was made.
TEST_F(HealTest, ATablespaceIsReplicatedThoughItsPlaceIsNotTheReplicas) {
  const fs::path place = data("east") / "fast", aside = data("east") / "aside";
  ASSERT_TRUE(fs::create_directory(place));
  struct stat info {};
  ASSERT_EQ(stat((data("east") / "pgdata").c_str(), &info), 0);
  ASSERT_EQ(chown(place.c_str(), info.st_uid, info.st_gid), 0);
  for (const char* replica : {"west", "west-2"}) ASSERT_TRUE(cluster_->runtime().freeze(scenario_->pod(replica)));
  const auto [status, out] = superuser("east", fmt::format("CREATE TABLESPACE fast LOCATION '{}'", place.string()),
                                       "postgres", "synchronous_commit=local");
  ASSERT_EQ(status, 0) << out;
  fs::rename(place, aside);
  for (const char* replica : {"west", "west-2"}) ASSERT_TRUE(cluster_->runtime().thaw(scenario_->pod(replica)));
  EXPECT_TRUE(eventually(90s, [&] {
    return said("west", "lies outside the volume and can't be made here") &&
           said("west-2", "lies outside the volume and can't be made here");
  }));
  fs::rename(aside, place);
  // The status may be of before for some seconds yet: first what the replicas themselves say.
  const std::string where = "SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = 'fast'";
  for (const char* replica : {"west", "west-2"})
    EXPECT_TRUE(eventually(150s, [&] { return value(replica, where).starts_with(data(replica).string()); }));
  expect(scenario_->wait_streaming(150s));
  run("east", "CREATE TABLE quick TABLESPACE fast AS SELECT 1 AS n", "shop");
  for (const char* replica : {"west", "west-2"}) {
    EXPECT_TRUE(eventually(90s, [&] { return value(replica, "SELECT count(*) FROM quick", "shop") == "1"; }));
    const std::string there = value(replica, where);
    EXPECT_TRUE(there.starts_with(data(replica).string() + "/tablespaces/")) << there;
  }
  EXPECT_TRUE(eventually(60s, [&] { return condition("DataAsDeclared").starts_with("True"); }))
      << condition("DataAsDeclared");
}

// docs/failover.md: an endpoint whose node or volume is lost for ever.
TEST_F(HealTest, AReplicaWhoseVolumeIsLostForEverIsClonedIntoAnEmptyOneOnceItsClaimAndPodAreDeleted) {
  run("east", "CREATE TABLE kept AS SELECT 42 AS n", "shop");
  const std::string before = value("west", "SELECT system_identifier FROM pg_control_system()");
  // Its node hangs and never comes back: nobody there confirms that the pod ended.
  ASSERT_TRUE(cluster_->runtime().freeze(scenario_->pod("west")));
  ASSERT_TRUE(cluster_->client().remove(kube::kPersistentVolumeClaims, {"shop", "orders-west-data"}));
  kube::DeleteOptions force;
  force.grace_seconds = 0;
  ASSERT_TRUE(cluster_->client().remove(kube::kPods, scenario_->pod("west"), force));
  // The status may be of before for some seconds yet: first the new pod's own log, then the status.
  EXPECT_TRUE(eventually(150s, [&] { return said("west", kClone); }));
  EXPECT_TRUE(eventually(60s, [&] { return value("west", "SELECT n FROM kept", "shop") == "42"; }));
  expect(scenario_->wait_streaming(150s));
  EXPECT_EQ(value("west", "SELECT system_identifier FROM pg_control_system()"), before);
}

}  // namespace
}  // namespace twinspan::sandbox
