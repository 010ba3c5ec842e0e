// The process runtime against the embedded API: pods that are shell scripts.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/wait.hpp"
#include "kube/client.hpp"
#include "sandbox/api/server.hpp"
#include "sandbox/runtime/host.hpp"
#include "sandbox/runtime/logs.hpp"

namespace twinspan::sandbox {
namespace {

namespace fs = std::filesystem;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds patience = 30s) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    wait_for(5ms, {});
  }
  return true;
}

// Answers every HTTP request with 200 while the file `healthy` is there, else 503; every plain line with the pod's
// name.
constexpr const char* kServer = R"(
import http.server, os, socket, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if os.path.exists(os.environ["STATE"] + "/healthy") else 503)
        self.end_headers()
    def log_message(self, *args): pass
def names():
    s = socket.create_server((os.environ["POD_IP"], 7000))
    while True:
        c, _ = s.accept()
        c.sendall(os.environ["HOSTNAME"].encode())
        c.close()
threading.Thread(target=names, daemon=True).start()
print("serving", flush=True)
http.server.ThreadingHTTPServer((os.environ["POD_IP"], 8080), Handler).serve_forever()
)";

class RuntimeTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string path = "/tmp/ts-runtime-XXXXXX";
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    state_ = path;
    fs::permissions(state_, fs::perms(0755));
    ASSERT_TRUE(api_.start());
    client_ = std::make_unique<kube::Client>(api_.config());
    RuntimeOptions options;
    options.api = api_.config();
    options.state = state_;
    options.backoff_base = 50ms;
    options.backoff_limit = 400ms;
    runtime_ = std::make_unique<Runtime>(options, clock_);
    ASSERT_TRUE(runtime_->start());
    (void)client_->create(kube::kNamespaces,
                          {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", "shop"}}}});
    const auto account = client_->create(
        kube::kServiceAccounts,
        {{"apiVersion", "v1"}, {"kind", "ServiceAccount"}, {"metadata", {{"name", "runner"}, {"namespace", "shop"}}}});
    ASSERT_TRUE(account) << account.error().message;
  }
  void TearDown() override {
    runtime_.reset();
    api_.stop();
    fs::remove_all(state_);
  }

  static Json pod(const std::string& name, const std::string& program, const std::vector<std::string>& args) {
    return {{"apiVersion", "v1"},
            {"kind", "Pod"},
            {"metadata", {{"name", name}, {"namespace", "shop"}, {"labels", {{"app", "test"}, {"name", name}}}}},
            {"spec",
             {{"serviceAccountName", "runner"},
              {"terminationGracePeriodSeconds", 20},
              {"containers",
               Json::array({{{"name", "main"},
                             {"image", "exec:" + program},
                             {"args", args},
                             {"env", Json::array({{{"name", "POD_IP"},
                                                   {"valueFrom", {{"fieldRef", {{"fieldPath", "status.podIP"}}}}}},
                                                  {{"name", "STATE"}, {"value", "/state"}}})},
                             {"volumeMounts", Json::array({{{"name", "state"}, {"mountPath", "/state"}}})}}})},
              {"volumes", Json::array({{{"name", "state"}, {"emptyDir", Json::object()}}})}}}};
  }
  static Json shell(const std::string& name, const std::string& script) { return pod(name, "/bin/sh", {"-c", script}); }
  Json server(const std::string& name) {
    Json out = pod(name, "/usr/bin/python3", {"-c", kServer});
    out["spec"]["containers"][0]["readinessProbe"] = {
        {"httpGet", {{"path", "/"}, {"port", 8080}}}, {"periodSeconds", 1}, {"failureThreshold", 1}};
    return out;
  }
  void create(const kube::Resource& resource, const Json& object) {
    const auto made = client_->create(resource, object);
    ASSERT_TRUE(made) << made.error().message;
  }
  Json status(const std::string& name) const {
    const auto found = client_->get(kube::kPods, {"shop", name});
    return found ? found->value("status", Json::object()) : Json();
  }
  bool ready(const std::string& name) const {
    for (const Json& condition : status(name).value("conditions", Json::array()))
      if (condition.value("type", "") == "Ready") return condition.value("status", "") == "True";
    return false;
  }
  Json container(const std::string& name) const {
    const Json statuses = status(name).value("containerStatuses", Json::array());
    return statuses.empty() ? Json::object() : statuses[0];
  }
  bool gone(const std::string& name) const {
    const auto found = client_->get(kube::kPods, {"shop", name});
    return !found && found.error().code == Code::kNotFound;
  }
  std::string log(const std::string& name, bool previous = false) const {
    const auto file = runtime_->log_file({"shop", name}, "", previous);
    if (!file) return file.error().message;
    std::ifstream in(*file);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  // What answers behind the Service's address; "refused" where nothing does.
  static std::string ask(const std::string& address, int port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(static_cast<uint16_t>(port));
    inet_pton(AF_INET, address.c_str(), &where.sin_addr);
    std::string out = "refused";
    if (connect(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0) {
      std::array<char, 128> buffer{};
      const ssize_t got = read(fd, buffer.data(), buffer.size());
      out = got > 0 ? std::string(buffer.data(), static_cast<size_t>(got)) : "reset";
    }
    close(fd);
    return out;
  }

  fs::path state_;
  SystemClock clock_;
  ApiServer api_;
  std::unique_ptr<kube::Client> client_;
  std::unique_ptr<Runtime> runtime_;
};

TEST_F(RuntimeTest, PodRunsOnItsOwnAddressAndReportsItsEnd) {
  Json object = shell("job", "echo at $POD_IP; exit 3");
  object["spec"]["restartPolicy"] = "Never";
  create(kube::kPods, object);
  ASSERT_TRUE(eventually([&] { return status("job").value("phase", "") == "Failed"; })) << status("job").dump(2);
  EXPECT_EQ(container("job")["state"]["terminated"]["exitCode"], 3);
  EXPECT_EQ(log("job"), "at " + status("job")["podIP"].get<std::string>() + "\n");
  EXPECT_THAT(status("job")["podIP"].get<std::string>(), testing::StartsWith("127.20."));
}

TEST_F(RuntimeTest, CrashingContainerIsRestartedWithBackOff) {
  create(kube::kPods, shell("crash", "echo run; exit 1"));
  ASSERT_TRUE(eventually([&] {
    const Json now = container("crash");
    return now.value("restartCount", 0) >= 3 && now["state"].contains("waiting") &&
           now["state"]["waiting"]["reason"] == "CrashLoopBackOff";
  })) << status("crash").dump(2);
  EXPECT_EQ(container("crash")["lastState"]["terminated"]["exitCode"], 1);
  EXPECT_EQ(status("crash")["phase"], "Running");
  EXPECT_EQ(log("crash", true), "run\n");
}

TEST_F(RuntimeTest, DeletedPodGetsSigtermAndTheRestOfItsGrace) {
  const fs::path farewell = state_ / "out" / "bye";
  fs::create_directory(farewell.parent_path());
  fs::permissions(farewell.parent_path(), fs::perms(0777));
  create(kube::kPods, shell("polite", "trap 'sleep 0.3; echo bye > " + farewell.string() +
                                          "; exit 0' TERM; echo up; while :; do sleep 0.02; done"));
  ASSERT_TRUE(eventually([&] { return log("polite") == "up\n"; }));
  ASSERT_TRUE(client_->remove(kube::kPods, {"shop", "polite"}));
  ASSERT_TRUE(eventually([&] { return gone("polite"); }));
  EXPECT_TRUE(fs::exists(farewell));
}

TEST_F(RuntimeTest, StubbornPodIsKilledWhenItsGraceIsOver) {
  create(kube::kPods, shell("stubborn", "trap '' TERM; echo $$$$; while :; do sleep 0.02; done"));
  ASSERT_TRUE(eventually([&] { return log("stubborn").ends_with("\n"); }));
  const auto pid = static_cast<pid_t>(std::atol(log("stubborn").c_str()));
  kube::DeleteOptions options;
  options.grace_seconds = 1;
  ASSERT_TRUE(client_->remove(kube::kPods, {"shop", "stubborn"}, options));
  ASSERT_TRUE(eventually([&] { return gone("stubborn"); }));
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST_F(RuntimeTest, PodOfTheSameNameStartsAfterTheOldOneIsGone) {
  create(kube::kPods, shell("again", "echo first; sleep 600"));
  ASSERT_TRUE(eventually([&] { return log("again") == "first\n"; }));
  kube::DeleteOptions options;
  options.grace_seconds = 0;
  ASSERT_TRUE(client_->remove(kube::kPods, {"shop", "again"}, options));
  ASSERT_TRUE(eventually([&] { return gone("again"); }));
  create(kube::kPods, shell("again", "echo second; sleep 600"));
  EXPECT_TRUE(eventually([&] { return log("again") == "second\n"; })) << log("again");
}

TEST_F(RuntimeTest, WaitsForTheSecretAndFollowsIt) {
  Json object = shell("reader", "while :; do cat /secret/word; sleep 0.05; done");
  object["spec"]["volumes"].push_back(Json::parse(R"({"name": "secret", "secret": {"secretName": "word"}})"));
  object["spec"]["containers"][0]["volumeMounts"].push_back(
      Json::parse(R"({"name": "secret", "mountPath": "/secret"})"));
  object["spec"]["containers"][0]["args"][1] = "while :; do cat $SECRET/word; sleep 0.05; done";
  object["spec"]["containers"][0]["env"].push_back(Json::parse(R"({"name": "SECRET", "value": "/secret"})"));
  create(kube::kPods, object);
  ASSERT_TRUE(eventually([&] { return status("reader").value("podIP", "") != ""; }));
  EXPECT_FALSE(ready("reader"));
  create(
      kube::kSecrets,
      Json::parse(
          R"({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "word", "namespace": "shop"}, "data": {"word": "b25lCg=="}})"));
  ASSERT_TRUE(eventually([&] { return log("reader").ends_with("one\n"); }));
  ASSERT_TRUE(client_->merge_patch(kube::kSecrets, {"shop", "word"}, Json::parse(R"({"data": {"word": "dHdvCg=="}})")));
  EXPECT_TRUE(eventually([&] { return log("reader").ends_with("two\n"); }));
}

TEST_F(RuntimeTest, ClaimIsBoundAndOutlivesThePod) {
  create(kube::kPersistentVolumeClaims,
         Json::parse(
             R"({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "shop"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}})"));
  for (const char* expected : {"1\n", "2\n"}) {
    Json object = shell("writer", "echo x >> $STATE/lines; wc -l < $STATE/lines; sleep 600");
    object["spec"]["volumes"][0] = Json::parse(R"({"name": "state", "persistentVolumeClaim": {"claimName": "data"}})");
    object["spec"]["terminationGracePeriodSeconds"] = 1;
    create(kube::kPods, object);
    ASSERT_TRUE(eventually([&] { return log("writer") == expected; })) << log("writer");
    ASSERT_TRUE(client_->remove(kube::kPods, {"shop", "writer"}));
    ASSERT_TRUE(eventually([&] { return gone("writer"); }));
  }
  const auto claim = client_->get(kube::kPersistentVolumeClaims, {"shop", "data"});
  EXPECT_EQ((*claim)["status"]["phase"], "Bound");
  ASSERT_TRUE(client_->remove(kube::kPersistentVolumeClaims, {"shop", "data"}));
  EXPECT_TRUE(eventually([&] { return fs::is_empty(state_ / "c"); }));
}

TEST_F(RuntimeTest, PodHasItsServiceAccountsAccess) {
  create(kube::kPods, shell("who", "cat $KUBECONFIG; cat $(dirname $KUBECONFIG)/token; sleep 600"));
  ASSERT_TRUE(eventually([&] { return log("who").find("tokenFile") != std::string::npos; })) << status("who").dump(2);
  const fs::path pod_folder = runtime_->log_file({"shop", "who"}, "", false)->parent_path().parent_path();
  const auto config = kube::kubeconfig((pod_folder / "kubeconfig").string(), "");
  ASSERT_TRUE(config) << config.error().message;
  kube::Client as_pod(*config);
  const auto denied = as_pod.get(kube::kSecrets, {"shop", "any"});
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().code, Code::kDenied) << denied.error().message;
  EXPECT_THAT(denied.error().message, testing::HasSubstr("system:serviceaccount:shop:runner"));
}

TEST_F(RuntimeTest, DefaultServiceAccountIsMadeWherePodsNeedIt) {
  Json object = shell("plain", "echo up; sleep 600");
  object["spec"].erase("serviceAccountName");
  create(kube::kPods, object);
  EXPECT_TRUE(eventually([&] { return log("plain") == "up\n"; })) << status("plain").dump(2);
}

TEST_F(RuntimeTest, ServiceFollowsReadinessSelectorAndDeletion) {
  create(kube::kPods, server("a"));
  create(kube::kPods, server("b"));
  create(kube::kServices,
         Json::parse(R"({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "svc", "namespace": "shop"},
    "spec": {"selector": {"name": "a"}, "ports": [{"name": "names", "port": 7000}]}})"));
  const std::string address = (*client_->get(kube::kServices, {"shop", "svc"}))["spec"]["clusterIP"].get<std::string>();
  ASSERT_TRUE(eventually([&] { return log("a") == "serving\n" && log("b") == "serving\n"; })) << log("a");
  EXPECT_EQ(ask(address, 7000), "refused") << "not ready yet";
  const auto make_healthy = [&](const std::string& name) {
    std::ofstream(runtime_->volume_folder({"shop", name}, "state") / "healthy") << "yes";
  };
  make_healthy("a");
  make_healthy("b");
  ASSERT_TRUE(eventually([&] { return ask(address, 7000) == "a"; }));
  ASSERT_TRUE(eventually([&] { return ready("b"); }));
  ASSERT_TRUE(
      client_->merge_patch(kube::kServices, {"shop", "svc"}, Json::parse(R"({"spec": {"selector": {"name": "b"}}})")));
  ASSERT_TRUE(eventually([&] { return ask(address, 7000) == "b"; }));
  fs::remove(runtime_->volume_folder({"shop", "b"}, "state") / "healthy");
  ASSERT_TRUE(eventually([&] { return ask(address, 7000) == "refused"; }));
  ASSERT_TRUE(client_->merge_patch(kube::kServices, {"shop", "svc"},
                                   Json::parse(R"({"spec": {"publishNotReadyAddresses": true}})")));
  ASSERT_TRUE(eventually([&] { return ask(address, 7000) == "b"; }));
  const std::string pod_ip = status("b")["podIP"].get<std::string>();
  runtime_->refuse(pod_ip, true);
  ASSERT_TRUE(eventually([&] { return ask(address, 7000) == "refused"; }));
  runtime_->refuse(pod_ip, false);
  ASSERT_TRUE(eventually([&] { return ask(address, 7000) == "b"; }));
  ASSERT_TRUE(client_->remove(kube::kServices, {"shop", "svc"}));
  EXPECT_TRUE(eventually([&] { return ask(address, 7000) == "refused"; }));
  EXPECT_TRUE(eventually([&] { return !client_->get(kube::kEndpointSlices, {"shop", "svc-sandbox"}); }));
}

TEST_F(RuntimeTest, LivenessFailureRestartsTheContainer) {
  Json object = server("sick");
  object["spec"]["containers"][0].erase("readinessProbe");
  object["spec"]["containers"][0]["livenessProbe"] = Json::parse(
      R"({"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1, "failureThreshold": 2, "terminationGracePeriodSeconds": 1})");
  create(kube::kPods, object);
  EXPECT_TRUE(eventually([&] { return container("sick").value("restartCount", 0) >= 1; })) << status("sick").dump(2);
}

TEST_F(RuntimeTest, NothingIsLeftRunningWhenItStops) {
  create(kube::kPods, shell("left", "setsid sleep 600 & echo $!; wait"));
  ASSERT_TRUE(eventually([&] { return log("left").ends_with("\n"); }));
  const auto pid = static_cast<pid_t>(std::atol(log("left").c_str()));
  ASSERT_EQ(::kill(pid, 0), 0);
  runtime_->stop();
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST(RuntimeLogs, LastLines) {
  EXPECT_EQ(last_lines("a\nb\nc\n", 2), "b\nc\n");
  EXPECT_EQ(last_lines("a\nb\nc", 1), "c");
  EXPECT_EQ(last_lines("a\n", 5), "a\n");
  EXPECT_EQ(last_lines("a\nb\n", 0), "");
  EXPECT_EQ(last_lines("", 3), "");
  EXPECT_EQ(last_lines("a\nb\n", -1), "a\nb\n");
}

}  // namespace
}  // namespace twinspan::sandbox
