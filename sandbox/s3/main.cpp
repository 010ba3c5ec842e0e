// twinspan-s3-stub: the S3 server in memory as a program, until SIGTERM or SIGINT.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "core/file.hpp"
#include "sandbox/s3/stub.hpp"

int main(int argc, char** argv) {
  CLI::App app("An S3 server in memory, for tests and for trying out: it keeps nothing.");
  twinspan::s3_stub::StubOptions options;
  std::string certificate, key;
  std::vector<std::string> buckets;
  int64_t objects = 0;
  app.add_option("--address", options.server.address, "where to listen")->capture_default_str();
  app.add_option("--port", options.server.port, "0: any free one")->capture_default_str();
  app.add_option("--access-key", options.credentials.access_key_id)->envname("S3_ACCESS_KEY");
  app.add_option("--secret-key", options.credentials.secret_access_key)->envname("S3_SECRET_KEY");
  app.add_option("--certificate", certificate, "PEM file; with --key: TLS");
  app.add_option("--key", key, "PEM file");
  app.add_option("--bucket", buckets, "made at the start; may be repeated");
  app.add_option("--objects", objects, "as many small objects in the first bucket");
  CLI11_PARSE(app, argc, argv);
  if (!certificate.empty()) {
    const auto certificate_pem = twinspan::read_file(certificate), key_pem = twinspan::read_file(key);
    for (const auto& file : {certificate_pem, key_pem})
      if (!file) {
        std::fprintf(stderr, "%s\n", file.error().message.c_str());
        return 1;
      }
    options.server.identity = {*certificate_pem, *key_pem};
  }
  options.server.threads = 32;

  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  twinspan::s3_stub::Stub stub(std::move(options));
  for (const std::string& bucket : buckets) stub.create_bucket(bucket);
  for (int64_t i = 0; i < objects && !buckets.empty(); ++i)
    stub.add(buckets[0], fmt::format("{:03}/{:07}", i % 1000, i), fmt::format("object {}", i));
  if (const auto started = stub.start(); !started) {
    std::fprintf(stderr, "%s\n", started.error().message.c_str());
    return 1;
  }
  std::printf("%s\n", stub.endpoint().c_str());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&ends, &signal);
  return 0;
}
