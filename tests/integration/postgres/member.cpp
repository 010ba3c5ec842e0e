#include "integration/postgres/member.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace twinspan::postgres::testing {

// Of those that are repeated: long enough for a busy machine, short enough for another try.
constexpr std::chrono::seconds kOneTry{10};

std::string empty_small_disk() {
  const char* small = getenv("TWINSPAN_SMALL_DISK");
  if (small == nullptr) return "";
  for (const auto& left : std::filesystem::directory_iterator(small)) std::filesystem::remove_all(left);
  return small;
}

bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds time) {
  const auto deadline = std::chrono::steady_clock::now() + time;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

Scratch::Scratch() {
  const char* base = getenv("TMPDIR");
  std::string pattern = fmt::format("{}/twinspan-pg-XXXXXX", base != nullptr ? base : "/tmp");
  if (mkdtemp(pattern.data()) == nullptr) abort();
  path_ = pattern;
}

Scratch::~Scratch() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Authority::Authority() {
  const auto now = SystemClock().wall_now();
  ca = pki::make_ca("orders-ca", now - std::chrono::hours(1), now + std::chrono::hours(24)).value();
}

Member::Member(Children& children, const Authority& authority, const std::string& root, std::string endpoint,
               int number)
    : children_(children) {
  const std::string home = root + "/" + endpoint;
  layout = {kBinDir, home + "/data", home + "/run", home + "/tls"};
  for (const std::string& directory : {layout.data_dir, layout.run_dir, layout.tls_dir}) {
    std::filesystem::create_directories(directory);
    chmod(directory.c_str(), 0700);
  }
  const auto now = SystemClock().wall_now();
  pki::CertificateRequest request;
  request.common_name = "orders-" + endpoint + "-0";
  request.dns_names = {request.common_name};
  request.server = true;
  request.not_before = now - std::chrono::hours(1);
  request.not_after = now + std::chrono::hours(24);
  // As the link controller issues them: neither serves for the other's purpose.
  const auto serving = pki::issue(authority.ca, request).value();
  request.common_name = kReplicationRole;
  request.dns_names = {};
  request.server = false;
  request.client = true;
  const auto replicating = pki::issue(authority.ca, request).value();
  std::ofstream(layout.tls_dir + "/tls.crt") << serving.certificate_pem;
  std::ofstream(layout.tls_dir + "/tls.key") << serving.key_pem;
  std::ofstream(layout.tls_dir + "/client.crt") << replicating.certificate_pem;
  std::ofstream(layout.tls_dir + "/client.key") << replicating.key_pem;
  std::ofstream(layout.tls_dir + "/ca.crt") << authority.ca.certificate_pem;
  settings.endpoint = std::move(endpoint);
  settings.address = fmt::format("127.0.77.{}", number);
  settings.port = 20000 + getpid() % 20000;
  settings.parameters = {{"max_connections", "30"}, {"shared_buffers", "16MB"}};
  postmaster = std::make_unique<Postmaster>(children, layout, nullptr, [this](const Death& death) {
    std::lock_guard lock(mutex_);
    death_ = death;
    died_.notify_all();
  });
}

Member::~Member() { postmaster.reset(); }

Status Member::configure() {
  if (auto copied = copy_tls_files(layout); !copied) return std::unexpected(copied.error());
  auto wrote = write_configuration(children_, layout, settings, true);
  if (!wrote) return std::unexpected(wrote.error());
  return {};
}

Status Member::start() {
  {
    std::lock_guard lock(mutex_);
    death_.reset();
  }
  if (auto done = configure(); !done) return done;
  if (auto done = postmaster->start(); !done) return done;
  return wait_for_sql();
}

Status Member::wait_for_sql(std::chrono::milliseconds time) {
  if (eventually([this] { return open_local(layout, settings.port, kOneTry).has_value(); }, time)) return {};
  return fail(Code::kTimeout, "no SQL");
}

Status Member::reload() {
  if (auto done = configure(); !done) return done;
  postmaster->reload();
  return {};
}

Result<Rows> Member::sql(const std::string& text, std::chrono::milliseconds time) {
  auto session = Session::open(local_conninfo(layout, settings.port), kOneTry);
  if (!session) return std::unexpected(session.error());
  return session->simple(text, time);
}

std::string Member::value(const std::string& text) {
  const auto rows = sql(text);
  if (!rows) return rows.error().message;
  return rows->empty() ? "no row" : rows->front().front().value_or("null");
}

Result<Observation> Member::look() {
  auto session = open_local(layout, settings.port, kOneTry);
  if (!session) return std::unexpected(session.error());
  return observe(*session, kOneTry);
}

Observation Member::seen() {
  auto found = look();
  EXPECT_TRUE(found) << found.error().message;
  return found.value_or(Observation{});
}

bool Member::streams_from(Member& upstream) {
  const auto here = look();
  const auto there = upstream.look();
  if (!here || !there || !here->receiver || here->receiver->status != "streaming") return false;
  for (const auto& sender : there->senders)
    if (sender.application == settings.endpoint && sender.state == "streaming")
      return here->replayed >= there->received;
  return false;
}

std::optional<Death> Member::wait_for_death(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  died_.wait_for(lock, time, [this] { return death_.has_value(); });
  return std::exchange(death_, std::nullopt);  // each is told once
}

std::string Member::owner_conninfo(const std::string& user, const std::string& password,
                                   const std::string& database) const {
  return conninfo({{"host", as_upstream().host},
                   {"hostaddr", settings.address},
                   {"port", std::to_string(settings.port)},
                   {"user", user},
                   {"password", password},
                   {"dbname", database},
                   {"sslmode", "verify-full"},
                   {"sslrootcert", layout.tls_dir + "/ca.crt"},
                   {"sslcert", "/nonexistent"},
                   {"sslkey", "/nonexistent"}});
}

}  // namespace twinspan::postgres::testing

// PostgreSQL refuses root: the whole program runs again as an unprivileged user, by exec, so that nothing of root is
// left in it.
int main(int argc, char** argv) {
  if (geteuid() == 0) {
    const passwd* user = getpwnam("postgres");
    if (user == nullptr) user = getpwnam("nobody");
    // A small disk of this program's own, for the test of a full one; gone with it. Its path is nobody else's, too: the
    // processes of an instance are found by the path of its data, and several of these programs run at one time.
    const std::string small = fmt::format("/mnt/{}", getpid());
    if (user != nullptr && unshare(CLONE_NEWNS) == 0 &&
        mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
        mount("tmpfs", "/mnt", "tmpfs", 0, "size=160m,mode=755") == 0 && mkdir(small.c_str(), 0700) == 0 &&
        chown(small.c_str(), user->pw_uid, user->pw_gid) == 0)
      setenv("TWINSPAN_SMALL_DISK", small.c_str(), 1);
    if (user == nullptr || setgroups(0, nullptr) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0 ||
        chdir("/tmp") != 0) {
      std::perror("becoming an unprivileged user");
      return 1;
    }
    execv("/proc/self/exe", argv);
    std::perror("running again as an unprivileged user");
    return 1;
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
