// The command line of an S3 worker pod (ARCHITECTURE.md, "Worker pod contract").
#pragma once
#include <expected>
#include <string>

namespace twinspan::worker_s3 {

struct Options {
  std::string ns, link;
  std::string pod_name, pod_uid, address;
  std::string tls_dir;  // tls.crt, tls.key, ca.crt
  std::string s3_dir;   // ENDPOINT/credentials and ENDPOINT/ca: mounted Secrets
  int status_port = 8443;
  int health_port = 8080;
  std::string log_level = "info";
};

// The options, or the exit code where the program has to end (--help, a wrong flag): everything is said already.
std::expected<Options, int> parse_options(int argc, const char* const* argv);

}  // namespace twinspan::worker_s3
