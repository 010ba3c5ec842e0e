// twinspan-kafka-sync: topics carried from one Kafka cluster to another by the engine of Kafka links, without
// Kubernetes. Prints how far it came as one line of JSON.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/file.hpp"
#include "core/json.hpp"
#include "core/log.hpp"
#include "core/signals.hpp"
#include "engines/kafka/driver.hpp"
#include "engines/kafka/topics.hpp"

namespace {

namespace kafka = twinspan::kafka;
namespace engine = twinspan::kafka_engine;
using twinspan::Json;
using twinspan::Result;
using twinspan::Status;

struct SideOptions {
  std::vector<std::string> brokers;
  std::string ca_file, sasl;
  bool tls = false;
};
struct Options {
  SideOptions source, target;
  std::vector<std::string> topics;
  std::string prefix, link = "default-once", start = "Earliest", log_level = "warn";
  bool into_existing = false, until_end = false;
  int checkpoint_ms = 1000, transaction_timeout_ms = 60000;
};

void add_side(CLI::App& app, const std::string& name, SideOptions& side) {
  app.add_option("--" + name, side.brokers, "HOST:PORT of its brokers")->required()->delimiter(',');
  app.add_flag("--" + name + "-tls", side.tls);
  app.add_option("--" + name + "-ca", side.ca_file,
                 "PEM file: who signed the brokers' certificates; none: the system's roots");
  app.add_option("--" + name + "-sasl", side.sasl)->check(CLI::IsMember({"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}));
}

// Passwords come from the environment only: arguments can be read by everybody.
Result<kafka::Access> access_of(const std::string& name, const SideOptions& side) {
  kafka::Access access;
  for (const std::string& broker : side.brokers) {
    auto address = kafka::parse_address(broker);
    if (!address) return std::unexpected(address.error());
    access.brokers.push_back(std::move(*address));
  }
  if (side.tls) {
    access.tls.emplace();
    if (!side.ca_file.empty()) {
      auto ca = twinspan::read_file(side.ca_file);
      if (!ca) return std::unexpected(ca.error());
      access.tls->ca_pem = std::move(*ca);
    }
  }
  if (!side.sasl.empty()) {
    if (side.sasl == "PLAIN" && !side.tls)
      return twinspan::fail(
          twinspan::Code::kInvalid,
          fmt::format("--{}-sasl PLAIN: shows the password to the network; expected --{}-tls beside it",
                      name == "SOURCE" ? "source" : "target", name == "SOURCE" ? "source" : "target"));
    const char *user = std::getenv((name + "_USER").c_str()), *password = std::getenv((name + "_PASSWORD").c_str());
    if (!user || !password)
      return twinspan::fail(twinspan::Code::kDenied, fmt::format("{0}_USER, {0}_PASSWORD: not set", name));
    const auto mechanism = side.sasl == "PLAIN"           ? kafka::SaslMechanism::kPlain
                           : side.sasl == "SCRAM-SHA-256" ? kafka::SaslMechanism::kScramSha256
                                                          : kafka::SaslMechanism::kScramSha512;
    access.sasl = kafka::Sasl{.mechanism = mechanism, .user = user, .password = password};
  }
  return access;
}

Json to_json(const engine::LaneStatus& status) {
  Json out{{"commits", status.commits},
           {"begunAnew", status.begun_anew},
           {"lastDoubt", status.last_doubt},
           {"partitions", Json::array()}};
  int64_t records = 0, bytes = 0, halted = 0;
  for (const auto& [name, partition] : status.partitions) {
    Json row{{"topic", name.topic},          {"partition", name.partition},  {"position", partition.committed.offset},
             {"records", partition.records}, {"batches", partition.batches}, {"droppedBatches", partition.dropped}};
    if (partition.source_end) row["sourceEnd"] = *partition.source_end;
    if (partition.foreign > 0) row["foreignOffsets"] = partition.foreign;
    if (partition.halt)
      row["halted"] = {{"reason", engine::to_string(partition.halt->reason)},
                       {"offset", partition.halt->offset},
                       {"message", partition.halt->message}};
    records += partition.records;
    bytes += partition.bytes;
    halted += partition.halt.has_value();
    out["partitions"].push_back(std::move(row));
  }
  out["records"] = records;
  out["bytes"] = bytes;
  out["halted"] = halted;
  return out;
}

int sync(const Options& options, const std::stop_token& stop) {
  const auto source_access = access_of("SOURCE", options.source), target_access = access_of("TARGET", options.target);
  for (const auto* access : {&source_access, &target_access})
    if (!*access) return twinspan::log::error("wrong options", {{"error", access->error().message}}), 2;
  const std::string state_topic = "__twinspan." + options.link + ".state";
  engine::DriverOptions driver{
      .source = *source_access, .target = *target_access, .lane = {}, .until_end = options.until_end};
  kafka::Cluster source(*source_access), target(*target_access);
  auto partitions = engine::prepare_topics(source, target, {options.topics.begin(), options.topics.end()},
                                           options.prefix, state_topic, stop);
  if (!partitions) return twinspan::log::error("the topics are not there", {{"error", partitions.error().message}}), 1;
  source.hang_up();
  target.hang_up();
  driver.lane.partitions = std::move(*partitions);
  driver.lane.state_topic = state_topic;
  driver.lane.transactional_id = "twinspan." + options.link + ".0";
  driver.lane.holder = fmt::format("{}-{}", getpid(), std::chrono::system_clock::now().time_since_epoch().count());
  driver.lane.start = options.start == "Latest" ? engine::Start::kLatest : engine::Start::kEarliest;
  driver.lane.into_existing = options.into_existing;
  driver.lane.checkpoint = engine::Time{options.checkpoint_ms};
  driver.lane.transaction_timeout = engine::Time{options.transaction_timeout_ms};
  engine::LaneStatus status;
  const Status done = engine::run(driver, stop, status);
  Json out = to_json(status);
  if (!done) out["error"] = done.error().message;
  std::printf("%s\n", out.dump().c_str());
  if (!done) return twinspan::log::error("it cannot go on", {{"error", done.error().message}}), 1;
  return out["halted"] == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{
      "Topics carried from one Kafka cluster to another, each record once and in order. Users: SOURCE_USER, "
      "SOURCE_PASSWORD, TARGET_…",
      "twinspan-kafka-sync"};
  add_side(app, "source", options.source);
  add_side(app, "target", options.target);
  app.add_option("--topics", options.topics, "names")->required()->delimiter(',');
  app.add_option("--prefix", options.prefix, "what the target's topics are called by in front of the source's names");
  app.add_option("--link", options.link, "by whose name the state is kept at the target")->capture_default_str();
  app.add_option("--start", options.start, "of what was never carried")
      ->check(CLI::IsMember({"Earliest", "Latest"}))
      ->capture_default_str();
  app.add_option("--checkpoint-ms", options.checkpoint_ms, "a transaction's age at most")
      ->check(CLI::Range(1, 60000))
      ->capture_default_str();
  app.add_option("--transaction-timeout-ms", options.transaction_timeout_ms)
      ->check(CLI::Range(1000, 900000))
      ->capture_default_str();
  app.add_flag("--into-existing", options.into_existing, "also into partitions that have records already");
  app.add_flag("--until-end", options.until_end, "end once all that the source had is committed");
  app.add_option("--log-level", options.log_level)->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  CLI11_PARSE(app, argc, argv);
  twinspan::log::configure(twinspan::log::parse_level(options.log_level), {{"component", "kafka-sync"}});
  const twinspan::Signals signals(std::chrono::seconds(30));
  return sync(options, signals.stop_token());
}
