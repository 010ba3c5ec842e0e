// What the command lines of all workers share (ARCHITECTURE.md, "Worker pod contract").
#pragma once
#include <CLI/CLI.hpp>
#include <expected>
#include <string>

namespace twinspan::worker {

struct PodOptions {
  std::string ns, link;
  std::string pod_name, pod_uid, address;
  int status_port = 8443;
  int health_port = 8080;
  std::string log_level = "info";
};

// `tls_dir`: what the mounted Secret holds, and where it goes.
void add_pod_options(CLI::App& app, PodOptions& options, const std::string& tls_files, std::string& tls_dir);

// Absent, or the exit code where the program has to end (--help, a wrong flag): everything is said already.
std::expected<void, int> parse(CLI::App& app, int argc, const char* const* argv);

}  // namespace twinspan::worker
