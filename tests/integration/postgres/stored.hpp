// A primary whose log and backups pgBackRest writes into an S3 server with TLS. Skipped where pgBackRest is not
// installed.
#pragma once
#include <fmt/format.h>
#include <unistd.h>

#include <map>

#include "integration/postgres/pair.hpp"
#include "sandbox/s3/stub.hpp"
#include "worker/postgres/backup/pgbackrest.hpp"
#include "worker/postgres/backup/repository_access.hpp"

namespace twinspan::worker {

using std::chrono_literals::operator""h;

inline constexpr const char* kStanza = "orders-1-77";
inline constexpr const char* kPassphrase = "0123456789abcdef0123456789abcdef";

class Secrets final : public SecretSource {
 public:
  std::map<std::string, std::string> values;
  Result<std::string> read(const api::SecretKeyReference& key, const std::stop_token&) override {
    const auto value = values.find(key.key);
    if (value == values.end()) return fail(Code::kNotFound, "Secret " + key.name + " has no key " + key.key);
    return value->second;
  }
};

// What one transaction left behind: its number, where and when it was committed.
struct Commit {
  std::string number, position, time;
};

class Stored : public postgres::testing::Pair {
 protected:
  void SetUp() override {
    if (access("/usr/bin/pgbackrest", X_OK) != 0) GTEST_SKIP() << "pgbackrest is not installed";
    start_bucket();
    secrets_.values["accessKeyId"] = "test";
    secrets_.values["secretAccessKey"] = "test-secret";
    secrets_.values["key"] = kPassphrase;
    destination_.s3.endpoint = fmt::format("https://localhost:{}", bucket_->port());
    destination_.s3.region = "us-east-1";
    destination_.s3.bucket = "backups";
    destination_.s3.path_style = true;
    destination_.s3.prefix = "orders/";
    destination_.s3.credentials_secret_ref.name = "bucket";
    destination_.s3.ca_secret_ref.emplace().name = "bucket";
    const auto config = access_.write(
        destination_, encryption(),
        {kStanza, east.layout.pgdata(), east.layout.run_dir, east.settings.port, scratch.path() + "/b"}, {});
    ASSERT_OK(config);
    program_.emplace(children, *config, kStanza);
    east.settings.archive_command =
        fmt::format("/usr/bin/pgbackrest --config={} --stanza={} archive-push %p", *config, kStanza);
    east.settings.parameters["track_commit_timestamp"] = "on";
    make_primary(east);
    ASSERT_OK(program_->run_checked({"stanza-create"}, {}, {}));
    ASSERT_OK(east.sql("CREATE TABLE rows (i int)"));
  }
  void start_bucket() {
    const WallTime now = clock_.wall_now();
    pki::CertificateRequest request;
    request.common_name = "bucket";
    request.dns_names = {"localhost"};
    request.server = true;
    request.not_before = now - 1h;
    request.not_after = now + 24h;
    const auto issued = pki::issue(authority.ca, request);
    ASSERT_OK(issued);
    secrets_.values["ca.crt"] = authority.ca.certificate_pem;
    s3_stub::StubOptions options;
    options.server.identity = {issued->certificate_pem, issued->key_pem};
    options.server.threads = 8;
    bucket_ = std::make_unique<s3_stub::Stub>(std::move(options));
    bucket_->create_bucket("backups");
    ASSERT_OK(bucket_->start());
  }
  static api::BackupEncryption encryption() { return {{"passphrase", "key"}}; }

  void back_up() { ASSERT_OK(program_->run_checked({"--type=full", "backup"}, {}, {})); }
  // In a session of its own, so that the position before the commit can be asked for.
  Commit commit(int i) {
    Commit done;
    auto session = postgres::open_local(east.layout, east.settings.port, std::chrono::seconds(10));
    EXPECT_TRUE(session) << session.error().message;
    const auto ask = [&](const std::string& text) {
      const auto rows = session->simple(text, std::chrono::seconds(10));
      EXPECT_TRUE(rows) << rows.error().message;
      return rows && !rows->empty() ? rows->front().front().value_or("") : "";
    };
    ask("BEGIN");
    ask(fmt::format("INSERT INTO public.rows VALUES ({})", i));
    done.number = ask("SELECT pg_current_xact_id()");
    done.position = ask("SELECT pg_current_wal_insert_lsn()");
    ask("COMMIT");
    done.time =
        ask(fmt::format("SELECT to_char(pg_xact_commit_timestamp('{}'::xid) AT TIME ZONE 'UTC', "
                        "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
                        done.number));
    return done;
  }
  void store_all() {
    const std::string segment = east.value("SELECT pg_walfile_name(pg_current_wal_lsn())");
    ASSERT_OK(east.sql("SELECT pg_switch_wal()"));
    ASSERT_TRUE(eventually([&] { return east.value("SELECT last_archived_wal FROM pg_stat_archiver") >= segment; }))
        << east.value("SELECT last_failed_wal FROM pg_stat_archiver");
  }

  api::RestoreAssignment assignment() {
    api::RestoreAssignment from;
    from.name = fmt::format("r{}", ++restores_);
    from.stanza = kStanza;
    from.timeline = 1;
    from.destination = destination_;
    from.encryption = encryption();
    return from;
  }

  SystemClock clock_;
  Secrets secrets_;
  RepositoryAccess access_{secrets_};
  std::unique_ptr<s3_stub::Stub> bucket_;
  api::BackupDestination destination_;
  std::optional<PgBackRest> program_;
  int restores_ = 0;
};

}  // namespace twinspan::worker
