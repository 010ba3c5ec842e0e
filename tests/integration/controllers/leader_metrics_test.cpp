// Two replicas of the operator: what scrapers see of links comes from the one that acts.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link_rig.hpp"
#include "net/http.hpp"
#include "operator/operator.hpp"

namespace twinspan::controllers::testing {
namespace {

// Another one at each call, below those that the kernel gives to outgoing connections: nobody takes it in between.
int free_port() {
  static int next = 10000 + getpid() % 10000;
  for (;; ++next) {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(next));
    const bool free = ::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(socket);
    if (free) return next++;
  }
}

struct Replica {
  explicit Replica(LinkRig& rig) : config(rig.api->config()) {
    options.health = {"127.0.0.1", 0};
    options.metrics = {"127.0.0.1", free_port()};
    options.leader_elect = true;
    options.leader_election_namespace = "shop";
    options.leader_election_lease_seconds = 30;  // released on a stop: nobody waits for it
    thread = std::jthread(
        [this, &rig](const std::stop_token& stop) { EXPECT_EQ(run_operator(options, config, rig.clock, stop), 0); });
  }
  std::string metrics() const {
    net::Client client("http://127.0.0.1:" + std::to_string(options.metrics.port), {});
    net::Request request;
    request.path = "/metrics";
    const auto answer = client.send(request);
    return answer ? answer->body : "";
  }
  bool answers() const { return metrics().find("twinspan_build_info") != std::string::npos; }
  bool shows_links() const { return metrics().find("twinspan_links{") != std::string::npos; }

  Options options;
  kube::Config config;
  std::jthread thread;
};

TEST(LeaderMetrics, LinksAreShownByTheReplicaThatActsAndByNoOther) {
  LinkRig rig;
  rig.stop_operator();
  Replica first(rig);
  ASSERT_TRUE(rig.eventually([&] { return first.shows_links(); }));
  auto second = std::make_unique<Replica>(rig);
  ASSERT_TRUE(rig.eventually([&] { return second->answers(); }));
  EXPECT_FALSE(second->shows_links());
  first.thread.request_stop();
  ASSERT_TRUE(rig.eventually([&] { return second->shows_links(); }));
}

}  // namespace
}  // namespace twinspan::controllers::testing
