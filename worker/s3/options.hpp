// The command line of an S3 worker pod (ARCHITECTURE.md, "Worker pod contract").
#pragma once
#include <expected>
#include <string>

#include "worker/pod_options.hpp"

namespace twinspan::worker_s3 {

struct Options : worker::PodOptions {
  std::string tls_dir;  // tls.crt, tls.key, ca.crt
  std::string s3_dir;   // ENDPOINT/credentials, ENDPOINT/ca and client_encryption: mounted Secrets
};

// The options, or the exit code where the program has to end (--help, a wrong flag): everything is said already.
std::expected<Options, int> parse_options(int argc, const char* const* argv);

}  // namespace twinspan::worker_s3
