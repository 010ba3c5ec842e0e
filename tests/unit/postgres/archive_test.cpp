#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <future>

#include "core/wait.hpp"
#include "engines/postgres/archive/listener.hpp"
#include "engines/postgres/archive/request.hpp"
#include "engines/postgres/settings.hpp"

namespace twinspan::postgres {
namespace {

using std::chrono_literals::operator""ms;

// PostgreSQL takes every code up to 125 as "there is no such file".
TEST(RestoreCommand, SaysAbsentOnlyWhereThatIsSure) {
  EXPECT_EQ(restore_exit_code(0), 0);
  EXPECT_EQ(restore_exit_code(1), 1);
  for (int code = 2; code < 256; ++code) EXPECT_EQ(restore_exit_code(code), 126) << code;
  EXPECT_EQ(restore_exit_code(std::nullopt), 126);
}

TEST(ArchiveCommand, EndsTheArchiverWhileTheDatabaseStops) { EXPECT_GT(kExitEnding, 128); }

struct Folder {
  std::string path = [] {
    std::string pattern = "/tmp/archive-XXXXXX";
    return std::string(mkdtemp(pattern.data()));
  }();
  ~Folder() { std::filesystem::remove_all(path); }
};

TEST(ArchiveCommand, WaitsForAnAgentThatIsAwayAndForItsAnswer) {
  const Folder folder;
  const std::string socket = folder.path + "/archive.sock";
  auto answer = std::async(std::launch::async, [&] { return ask_to_store(socket, "pg_wal/1"); });
  EXPECT_EQ(answer.wait_for(300ms), std::future_status::timeout) << "nobody listens";
  {
    // One that goes away without an answer.
    StoreListener silent(socket, [](const std::string&, const auto&, const std::stop_token& stop) {
      wait_for(std::chrono::seconds(60), stop);
      return std::optional<StoreAnswer>();
    });
    ASSERT_TRUE(silent.start());
    EXPECT_EQ(answer.wait_for(500ms), std::future_status::timeout);
  }
  std::promise<std::string> asked;
  StoreListener listener(socket, [&](const std::string& file, const auto&, const std::stop_token&) {
    asked.set_value(file);
    return std::optional(StoreAnswer::kStored);
  });
  ASSERT_TRUE(listener.start());
  EXPECT_EQ(answer.get(), StoreAnswer::kStored);
  EXPECT_EQ(asked.get_future().get(), "pg_wal/1");
}

TEST(ArchiveSettings, AreThereOnlyWhereTheLogIsStored) {
  const Layout layout{"/bin", "/data", "/run", "/tls"};
  Settings settings;
  const std::string without = render_conf(layout, settings);
  EXPECT_EQ(without.find("archive"), std::string::npos) << "a link without backups runs as ever";
  settings.archive_command = "twinspan-archive store /run/archive.sock %p # pgbackrest";
  const std::string with = render_conf(layout, settings);
  EXPECT_NE(with.find("archive_mode = 'always'"), std::string::npos);
  EXPECT_NE(with.find("# pgbackrest"), std::string::npos) << "pgBackRest refuses a backup without that word";
  EXPECT_EQ(with.find("restore_command"), std::string::npos) << "a replica asks its upstream, and nobody else";
  settings.restore_command = "twinspan-archive follow /run/c s %f \"%p\" 1";
  EXPECT_NE(render_conf(layout, settings).find("restore_command = 'twinspan-archive follow /run/c s %f \"%p\" 1'"),
            std::string::npos);
}

}  // namespace
}  // namespace twinspan::postgres
