#include "operator/options.hpp"

#include <gtest/gtest.h>

namespace twinspan {
namespace {

std::expected<Options, Leave> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "twinspan-operator");
  return parse_options(static_cast<int>(arguments.size()), arguments.data());
}

TEST(OperatorOptions, DefaultsAreThoseOfTheChart) {
  const auto options = parse({});
  ASSERT_TRUE(options);
  EXPECT_TRUE(options->watch_namespaces.empty());
  EXPECT_EQ(options->health.port, 8081);
  EXPECT_EQ(options->metrics.port, 8080);
  EXPECT_FALSE(options->metrics_secure);
  EXPECT_FALSE(options->leader_elect);
  EXPECT_FALSE(options->worker_network_policies);
  EXPECT_EQ(options->leader_election_lease_seconds, 8);
  EXPECT_EQ(options->log_level, log::Level::kInfo);
}

TEST(OperatorOptions, FlagsAreTaken) {
  const auto options =
      parse({"--watch-namespace", "a", "--watch-namespace=b,c", "--worker-image=w:1", "--leader-elect",
             "--leader-election-namespace=system", "--health-address=127.0.0.1:9", "--metrics-address=[::1]:7",
             "--log-level=warn", "--leader-election-lease-seconds=30", "--kubeconfig=/k",
             "--worker-image-pull-policy=Never", "--worker-image-pull-secret=a", "--worker-image-pull-secret=b",
             "--change-trial-seconds=900", "--worker-network-policies={\"operators\": [{\"podSelector\": {}}]}",
             "--metrics-secure", "--metrics-service=m", "--metrics-certificate-dir=/tls"});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->watch_namespaces, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(options->worker_image, "w:1");
  EXPECT_EQ(options->worker_image_pull_policy, "Never");
  EXPECT_EQ(options->worker_image_pull_secrets, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(options->leader_elect);
  EXPECT_EQ(options->leader_election_namespace, "system");
  EXPECT_EQ(options->health.host, "127.0.0.1");
  EXPECT_EQ(options->metrics.host, "::1");
  EXPECT_EQ(options->metrics.port, 7);
  EXPECT_EQ(options->log_level, log::Level::kWarn);
  EXPECT_EQ(options->leader_election_lease_seconds, 30);
  EXPECT_EQ(options->change_trial_seconds, 900);
  ASSERT_TRUE(options->worker_network_policies);
  EXPECT_EQ(options->worker_network_policies->operators.size(), 1U);
  EXPECT_TRUE(options->worker_network_policies->clients_from.empty());
  EXPECT_TRUE(options->metrics_secure);
  EXPECT_EQ(options->metrics_service, "m");
  EXPECT_EQ(options->metrics_certificate_dir, "/tls");
  EXPECT_EQ(options->kubeconfig, "/k");
}

TEST(OperatorOptions, TheEnvironmentStandsInForAbsentFlags) {
  setenv("TWINSPAN_WATCH_NAMESPACES", "x,y", 1);
  setenv("TWINSPAN_LOG_LEVEL", "debug", 1);
  setenv("TWINSPAN_LEADER_ELECT", "true", 1);
  const auto from_environment = parse({});
  const auto from_flags = parse({"--log-level=error"});
  unsetenv("TWINSPAN_WATCH_NAMESPACES");
  unsetenv("TWINSPAN_LOG_LEVEL");
  unsetenv("TWINSPAN_LEADER_ELECT");
  ASSERT_TRUE(from_environment && from_flags);
  EXPECT_EQ(from_environment->watch_namespaces, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(from_environment->log_level, log::Level::kDebug);
  EXPECT_TRUE(from_environment->leader_elect);
  EXPECT_EQ(from_flags->log_level, log::Level::kError);
}

TEST(OperatorOptions, WrongOnesAreRefusedByName) {
  for (const char* wrong :
       {"--health-address=8081", "--health-address=:99999", "--metrics-address=:x", "--log-level=loud",
        "--worker-image-pull-policy=Sometimes", "--link-workers=0", "--leader-election-lease-seconds=2",
        "--worker-network-policies={}", "--metrics-certificate-dir=/tls", "--no-such-flag", "stray"}) {
    const auto options = parse({wrong});
    ASSERT_FALSE(options) << wrong;
    EXPECT_NE(options.error().code, 0) << wrong;
    const std::string name = std::string(wrong).substr(0, std::string(wrong).find('='));
    EXPECT_NE(options.error().text.find(name), std::string::npos) << options.error().text;
  }
}

TEST(OperatorOptions, HelpAndVersionLeaveWithoutAnError) {
  EXPECT_EQ(parse({"--help"}).error().code, 0);
  const auto version = parse({"--version"});
  ASSERT_FALSE(version);
  EXPECT_EQ(version.error().code, 0);
  EXPECT_FALSE(version.error().text.empty());
}

}  // namespace
}  // namespace twinspan
