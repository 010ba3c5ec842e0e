// twinspan-s3-sync: one full sync of two buckets by the engine that the S3 worker runs, without Kubernetes. Prints what
// came of it as one line of JSON.
#include <fmt/format.h>
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/file.hpp"
#include "core/log.hpp"
#include "core/signals.hpp"
#include "engines/s3/sync.hpp"
#include "s3/credentials.hpp"

namespace {

namespace s3 = twinspan::s3;
using twinspan::Json;
using twinspan::Result;

// Credentials come from the environment only: arguments can be read by everybody.
Result<s3::Credentials> credentials_of(const std::string& side) {
  const char *id = std::getenv((side + "_ACCESS_KEY_ID").c_str()),
             *secret = std::getenv((side + "_SECRET_ACCESS_KEY").c_str()),
             *token = std::getenv((side + "_SESSION_TOKEN").c_str());
  if (!id || !secret)
    return twinspan::fail(twinspan::Code::kDenied,
                          fmt::format("{0}_ACCESS_KEY_ID, {0}_SECRET_ACCESS_KEY: not set", side));
  return s3::Credentials{.access_key_id = id, .secret_access_key = secret, .session_token = token ? token : ""};
}

struct Options {
  s3::ClientConfig source, target;
  std::string source_prefix, target_prefix, ca_file, log_level = "warn";
  s3::Settings settings{.link = "default-once"};
  int objects_at_once = 0;
  bool deletes = false;
};

void add_side(CLI::App& app, const std::string& name, s3::ClientConfig& config, std::string& prefix) {
  app.add_option("--" + name, config.endpoint, "URL of the server")->required();
  app.add_option("--" + name + "-bucket", config.bucket)->required();
  app.add_option("--" + name + "-prefix", prefix, "only keys that begin with it");
  app.add_option("--" + name + "-region", config.region)->capture_default_str();
}

Json to_json(const s3::SyncProgress& progress, const std::vector<s3::DeadLetter>& failed) {
  Json out{{"complete", progress.complete},     {"total", progress.total},
           {"replicated", progress.replicated}, {"skipped", progress.skipped},
           {"failed", progress.failed},         {"extra", progress.extra},
           {"deleted", progress.deleted},       {"bytes", progress.bytes},
           {"error", progress.error},           {"deletesWithheld", progress.deletes_withheld}};
  out["seconds"] =
      std::chrono::duration<double>(progress.completed_at.value_or(progress.started_at) - progress.started_at).count();
  for (size_t i = 0; i < std::min<size_t>(failed.size(), 10); ++i)
    out["failures"].push_back({{"key", failed[i].key}, {"error", failed[i].error}});
  return out;
}

int sync(Options options, std::stop_token stop) {
  const auto source_credentials = credentials_of("SOURCE"), target_credentials = credentials_of("TARGET");
  Result<std::string> ca = std::string();
  if (!options.ca_file.empty()) ca = twinspan::read_file(options.ca_file);
  for (const auto* credentials : {&source_credentials, &target_credentials})
    if (!*credentials) return twinspan::log::error("no credentials", {{"error", credentials->error().message}}), 2;
  if (!ca) return twinspan::log::error("no CA certificates", {{"error", ca.error().message}}), 2;
  s3::Settings& settings = options.settings;
  if (options.objects_at_once > 0) {
    settings.objects_at_once.min = settings.objects_at_once.initial = settings.objects_at_once.max =
        options.objects_at_once;
  }
  if (options.deletes) settings.deletes.mode = s3::DeleteMode::kReplicate;
  for (s3::ClientConfig* side : {&options.source, &options.target}) {
    side->ca_pem = *ca;
    side->connections = static_cast<size_t>(settings.objects_at_once.max) + 8;
  }
  const twinspan::SystemClock clock;
  s3::Client source(options.source, std::make_shared<s3::StaticCredentials>(*source_credentials), clock);
  s3::Client target(options.target, std::make_shared<s3::StaticCredentials>(*target_credentials), clock);
  s3::Route route(settings, {source, options.source_prefix}, {target, options.target_prefix}, clock);
  s3::UploadRecords records(route);
  s3::Transfers transfers(route, records);
  s3::SyncRun run(route, records, transfers);
  const s3::SyncProgress progress = run.run(std::move(stop));
  std::printf("%s\n", to_json(progress, transfers.dead_letters()).dump().c_str());
  return progress.complete && progress.failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"One full sync of two buckets. Credentials: SOURCE_ACCESS_KEY_ID, SOURCE_SECRET_ACCESS_KEY, TARGET_…",
               "twinspan-s3-sync"};
  add_side(app, "source", options.source, options.source_prefix);
  add_side(app, "target", options.target, options.target_prefix);
  app.add_option("--ca", options.ca_file, "PEM file: who signed the servers' certificates; none: the system's roots");
  app.add_option("--objects-at-once", options.objects_at_once, "a fixed number; 0: as a link does by default")
      ->check(CLI::Range(0, 1000));
  app.add_option("--listers", options.settings.listers)->check(CLI::Range(1, 64))->capture_default_str();
  app.add_flag("--deletes", options.deletes, "also remove what the source does not have");
  app.add_option("--log-level", options.log_level)->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  CLI11_PARSE(app, argc, argv);
  twinspan::log::configure(twinspan::log::parse_level(options.log_level), {{"component", "s3-sync"}});
  mallopt(M_ARENA_MAX, 2);  // as the worker
  const twinspan::Signals signals(std::chrono::seconds(30));
  return sync(std::move(options), signals.stop_token());
}
