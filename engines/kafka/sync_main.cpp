// twinspan-kafka-sync: topics carried from one Kafka cluster to another by the engine of Kafka links, without
// Kubernetes. Prints how far it came as one line of JSON.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/file.hpp"
#include "core/json.hpp"
#include "core/log.hpp"
#include "core/signals.hpp"
#include "core/wait.hpp"
#include "engines/kafka/driver.hpp"
#include "engines/kafka/topics.hpp"

namespace {

namespace kafka = twinspan::kafka;
namespace engine = twinspan::kafka_engine;
using twinspan::Json;
using twinspan::Result;
using twinspan::Status;

constexpr int kLooks = 20;
constexpr std::chrono::milliseconds kBetweenLooks{500};

struct SideOptions {
  std::vector<std::string> brokers;
  std::string ca_file, sasl;
  bool tls = false;
};
struct Options {
  SideOptions source, target;
  std::vector<std::string> topics;
  std::string rules_file;
  std::optional<int64_t> bytes_per_second, transaction_records, partitions_at_once;
  std::string prefix, link = "default.once", start = "Earliest", log_level = "warn";
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

// As in spec.kafka of a link: filter, transform, compression, and limits.batchSize as batchSize; source: what ${source}
// stands for.
Result<engine::RecordRules> read_rules(const std::string& path) {
  engine::RecordRules rules;
  if (path.empty()) return rules;
  const auto text = twinspan::read_file(path);
  if (!text) return std::unexpected(text.error());
  const auto wrong = [&](const std::string& what) {
    return twinspan::fail(twinspan::Code::kInvalid, fmt::format("--rules {}: {}", path, what));
  };
  static const std::map<std::string, engine::Codec> kCodecs{
      {"Keep", engine::Codec::kKeep},     {"None", engine::Codec::kNone}, {"Gzip", engine::Codec::kGzip},
      {"Snappy", engine::Codec::kSnappy}, {"Lz4", engine::Codec::kLz4},   {"Zstd", engine::Codec::kZstd}};
  std::string at;
  try {
    const Json given = Json::parse(*text);
    for (const auto& [key, value] : given.items()) {
      at = key;
      if (key == "includePatterns") {
        value.get_to(rules.include_patterns);
      } else if (key == "excludePatterns") {
        value.get_to(rules.exclude_patterns);
      } else if (key == "headers") {
        value.get_to(rules.headers);
      } else if (key == "minTimestampMilliseconds") {
        rules.min_time = value.get<int64_t>();
      } else if (key == "mapHeaders") {
        value.get_to(rules.map_headers);
      } else if (key == "removeHeaders") {
        value.get_to(rules.remove_headers);
      } else if (key == "addHeaders") {
        value.get_to(rules.add_headers);
      } else if (key == "compression" && kCodecs.contains(value.get<std::string>())) {
        rules.codec = kCodecs.at(value.get<std::string>());
      } else if (key == "batchSize") {
        rules.batch_records = value.get<int32_t>();
      } else if (key == "source") {
        value.get_to(rules.source);
      } else {
        return wrong(fmt::format("{}: {}: not a rule of that name and value", key, value.dump()));
      }
    }
  } catch (const Json::exception& error) {
    return wrong(fmt::format("{}: {}", at, error.what()));
  }
  return rules;
}

Json to_json(const engine::LaneStatus& status) {
  Json out{{"commits", status.commits},
           {"begunAnew", status.begun_anew},
           {"lastDoubt", status.last_doubt},
           {"partitions", Json::array()}};
  int64_t records = 0, bytes = 0, halted = 0;
  for (const auto& [name, partition] : status.partitions) {
    Json row{{"topic", name.topic},
             {"partition", name.partition},
             {"position", partition.committed.offset},
             {"records", partition.records},
             {"batches", partition.batches},
             {"droppedBatches", partition.dropped},
             {"filtered", partition.filtered},
             {"encodedBatches", partition.encoded},
             {"encodedRecords", partition.encoded_records}};
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
  auto rules = read_rules(options.rules_file);
  if (!rules) return twinspan::log::error("wrong options", {{"error", rules.error().message}}), 2;
  const auto source_access = access_of("SOURCE", options.source), target_access = access_of("TARGET", options.target);
  for (const auto* access : {&source_access, &target_access})
    if (!*access) return twinspan::log::error("wrong options", {{"error", access->error().message}}), 2;
  auto choice = engine::TopicChoice::parse(options.topics, {});
  if (!choice) return twinspan::log::error("wrong options", {{"error", choice.error().message}}), 2;
  const engine::TopicWish wish{std::move(*choice), options.prefix, engine::state_topic_of(options.link), {}};
  engine::DriverOptions driver{
      .source = *source_access, .target = *target_access, .lane = {}, .until_end = options.until_end};
  kafka::Cluster source(*source_access), target(*target_access);
  engine::TopicMemory memory;
  auto prepared = engine::prepare_topics(source, target, wish, memory, stop);
  // What has just been made is not known to every broker yet.
  const auto passes = [](const engine::TopicTrouble& one) { return one.state == "Waiting"; };
  for (int look = 1; look < kLooks && prepared && std::ranges::any_of(prepared->troubled, passes); ++look) {
    if (!twinspan::wait_for(kBetweenLooks, stop)) break;
    prepared = engine::prepare_topics(source, target, wish, memory, stop);
  }
  if (!prepared)
    return twinspan::log::error("the topics are not there", {{"error", prepared.error().error.message}}), 1;
  if (prepared->stall)
    return twinspan::log::error("the topics are not there", {{"error", prepared->stall->message}}), 1;
  for (const engine::TopicTrouble& one : prepared->troubled)
    twinspan::log::error("a topic is not carried", {{"topic", one.topic}, {"error", one.message}});
  if (prepared->partitions.empty()) return twinspan::log::error("there is nothing to carry", {}), 1;
  source.hang_up();
  target.hang_up();
  driver.lane.partitions = std::move(prepared->partitions);
  driver.lane.state_topic = wish.state_topic;
  driver.lane.transactional_id = engine::transactional_id_of(options.link);
  driver.lane.holder = fmt::format("{}-{}", getpid(), std::chrono::system_clock::now().time_since_epoch().count());
  driver.lane.start = options.start == "Latest" ? engine::Start::kLatest : engine::Start::kEarliest;
  driver.lane.into_existing = options.into_existing;
  driver.lane.checkpoint = engine::Time{options.checkpoint_ms};
  driver.lane.transaction_timeout = engine::Time{options.transaction_timeout_ms};
  driver.lane.rules = std::move(*rules);
  driver.lane.bytes_per_second = options.bytes_per_second;
  driver.lane.transaction_records = options.transaction_records;
  driver.lane.partitions_at_once = options.partitions_at_once;
  engine::LaneStatus status;
  const Status done = engine::run(driver, stop, status);
  Json out = to_json(status);
  if (!done) out["error"] = done.error().message;
  std::printf("%s\n", out.dump().c_str());
  if (!done) return twinspan::log::error("it cannot go on", {{"error", done.error().message}}), 1;
  return out["halted"] == 0 && prepared->troubled.empty() ? 0 : 1;
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
  app.add_option("--topics", options.topics, "names, or patterns of whole names")->required()->delimiter(',');
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
  app.add_option(
      "--rules", options.rules_file,
      "JSON file: includePatterns, excludePatterns, headers, minTimestampMilliseconds, mapHeaders, removeHeaders, "
      "addHeaders, compression, batchSize, source");
  app.add_option("--bytes-per-second", options.bytes_per_second, "to the target")->check(CLI::PositiveNumber);
  app.add_option("--transaction-records", options.transaction_records)->check(CLI::PositiveNumber);
  app.add_option("--partitions-at-once", options.partitions_at_once)->check(CLI::PositiveNumber);
  app.add_flag("--into-existing", options.into_existing, "also into partitions that have records already");
  app.add_flag("--until-end", options.until_end, "end once all that the source had is committed");
  app.add_option("--log-level", options.log_level)->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  CLI11_PARSE(app, argc, argv);
  twinspan::log::configure(twinspan::log::parse_level(options.log_level), {{"component", "kafka-sync"}});
  const twinspan::Signals signals(std::chrono::seconds(30));
  return sync(options, signals.stop_token());
}
