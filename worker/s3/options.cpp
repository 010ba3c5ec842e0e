#include "worker/s3/options.hpp"

#include <CLI/CLI.hpp>

namespace twinspan::worker_s3 {

std::expected<Options, int> parse_options(int argc, const char* const* argv) {
  Options options;
  CLI::App app{"Twinspan's S3 worker: replicates buckets as its link's spec says", "twinspan-s3-worker"};
  add_pod_options(app, options, "tls.crt, tls.key, ca.crt", options.tls_dir);
  app.add_option("--s3-dir", options.s3_dir,
                 "Where ENDPOINT/credentials, ENDPOINT/ca and client_encryption are mounted")
      ->required();
  if (const auto parsed = worker::parse(app, argc, argv); !parsed) return std::unexpected(parsed.error());
  return options;
}

}  // namespace twinspan::worker_s3
