// Of the program: the pod that tests a restore.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>

#include "core/file.hpp"
#include "core/log.hpp"
#include "core/signals.hpp"
#include "engines/postgres/files.hpp"
#include "engines/postgres/owner.hpp"
#include "worker/pod_options.hpp"
#include "worker/postgres/backup/restore_test.hpp"
#include "worker/postgres/secret_reader.hpp"

namespace twinspan::worker {
namespace {

struct TestOptions {
  postgres::Layout layout;
  std::string order, secrets_dir, result;
};

// Secrets as files, which a pod without rights at the API has mounted.
class MountedSecrets final : public SecretSource {
 public:
  explicit MountedSecrets(std::string folder) : folder_(std::move(folder)) {}
  Result<std::string> read(const api::SecretKeyReference& key, const std::stop_token&) override {
    const auto text = read_file(folder_ + "/" + secret_file_name(key.name, key.key));
    if (!text) return fail(Code::kNotFound, "Secret " + key.name + " does not exist, or has no key " + key.key);
    std::string value = postgres::without_line_break(*text);
    if (value.empty()) return fail(Code::kInvalid, "Secret " + key.name + ", key " + key.key + ": is empty");
    return value;
  }

 private:
  const std::string folder_;
};

std::expected<TestOptions, int> parse_test_options(int argc, const char* const* argv) {
  TestOptions options;
  CLI::App app("Restores a backup, asks what it was told to, and says what came of it.",
               "twinspan-worker restore-test");
  app.add_option("--order", options.order, "File that says what is restored and asked")->required();
  app.add_option("--secrets-dir", options.secrets_dir, "Files of what opens the repository, SECRET_KEY each")
      ->required();
  app.add_option("--data-dir", options.layout.data_dir, "Empty volume for the data")->required();
  app.add_option("--run-dir", options.layout.run_dir, "Volume for the socket and configuration")->required();
  app.add_option("--result", options.result, "File that the answer goes to")->required();
  app.add_option("--postgres-bin-dir", options.layout.bin_dir, "PostgreSQL's programs")->required();
  if (const auto parsed = parse(app, argc, argv); !parsed) return std::unexpected(parsed.error());
  return options;
}

RestoreTestResult tested(const TestOptions& options, const std::stop_token& stop) {
  RestoreTestResult failed;
  const auto text = read_file(options.order);
  const auto order = text ? parse_restore_test_order(*text) : std::unexpected(text.error());
  if (!order) {
    failed.message = order.error().message;
    return failed;
  }
  failed.asked = order->test.asked;
  if (postgres::exists(options.layout.pgdata())) {
    failed.message = options.layout.pgdata() + " exists: a test begins with nothing";
    return failed;
  }
  MountedSecrets secrets(options.secrets_dir);
  const RepositoryAccess access(secrets);
  postgres::Children children;
  const SystemClock clock;
  return test_restore({children, options.layout, access, clock}, *order, stop);
}

// Not by a file beside it that is renamed: Kubernetes mounts this one alone.
Status write_result(const std::string& path, const std::string& text) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool written = file >= 0 && write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  if (file >= 0) close(file);
  return written ? Status{} : fail(Code::kInternal, path + ": " + std::strerror(error));
}

}  // namespace

int restore_test_main(int argc, char** argv) {
  const auto options = parse_test_options(argc, argv);
  if (!options) return options.error();
  log::configure(log::Level::kInfo, {{"component", "restore-test"}});
  signal(SIGPIPE, SIG_IGN);
  const Signals signals(std::chrono::seconds(20));
  const RestoreTestResult result = tested(*options, signals.stop_token());
  log::info("the test has ended", {{"result", to_text(result)}});
  if (auto wrote = write_result(options->result, to_text(result)); !wrote) {
    log::error("the answer is lost", {{"error", wrote.error().message}});
    return 1;
  }
  return result.outcome == RestoreTestResult::Outcome::kPassed ? 0 : 1;
}

}  // namespace twinspan::worker
