// Copies that are compressed and sealed, over HTTP: made, known again, read by twinspan-s3-open, brought back.
#include <filesystem>
#include <fstream>

#include "engines/s3/sync.hpp"
#include "engines/s3/verify.hpp"
#include "integration/s3/world.hpp"
#include "s3/digest.hpp"
#include "tests/places.hpp"

namespace twinspan::s3::testing {
namespace {

struct StoredCopies : WithBucket {
  StoredCopies() : folder(::testing::TempDir() + "stored-" + std::to_string(::getpid())) {
    std::filesystem::create_directories(folder);
  }
  ~StoredCopies() override { std::filesystem::remove_all(folder); }
  static SyncProgress sync(const Settings& settings, Client& from, Client& to) {
    Route route(settings, {from}, {to}, system_clock());
    UploadRecords records(route);
    Transfers transfers(route, records);
    return SyncRun(route, records, transfers).run({});
  }
  std::unique_ptr<Client> another() {
    auto made = make(client->name() + "-" + std::to_string(++others_));
    EXPECT_TRUE(made->create_bucket({}));
    return made;
  }
  // As people do it: what the bucket has, through the program.
  std::string opened(Client& bucket, const std::string& key, const std::string& flags) {
    const auto stored = body_of(bucket, {.key = key});
    EXPECT_TRUE(stored) << stored.error().message;
    std::ofstream(folder + "/stored", std::ios::binary) << stored.value_or("");
    const std::string command =
        "cd " + folder + " && " + test::in_build("/bin/twinspan-s3-open ") + flags + " <stored >plain 2>said";
    EXPECT_EQ(std::system(command.c_str()), 0) << read_file(folder + "/said").value_or("");
    return read_file(folder + "/plain").value_or("");
  }
  const std::string folder;

 private:
  int others_ = 0;
};

TEST_F(StoredCopies, AreMadeKnownAgainReadAndBroughtBack) {
  const std::string secret(32, 'k');
  std::ofstream(folder + "/key") << base64_encode(secret) << "\n";
  const std::string large(12 << 20, 'l');
  PutRequest rich;
  rich.metadata.content_encoding = "identity";
  rich.metadata.user = {{"owner", "genesis"}};
  put("daily/a b+c.txt", "some text", rich);
  put("empty", "");
  put("large", large);
  for (bool sealed : {false, true})
    for (Packing packing : {Packing::kNone, Packing::kGzip, Packing::kZstd}) {
      Settings settings;
      settings.link = "stored";
      settings.single_put_bytes_max = 6 << 20;
      settings.stored.packing = packing;
      if (sealed) settings.stored.key = SealKey::parse(secret).value_or(nullptr);
      if (settings.stored.plain()) continue;
      SCOPED_TRACE(settings.stored.mark());
      const auto target = another(), home = another();
      EXPECT_EQ(sync(settings, *client, *target).replicated, 3u);
      EXPECT_EQ(sync(settings, *client, *target).skipped, 3u);
      const std::string flags = sealed ? "--key-file key --name " : "";
      EXPECT_TRUE(opened(*target, "large", flags + (sealed ? "large" : "")) == large);
      EXPECT_EQ(opened(*target, "daily/a b+c.txt", flags + (sealed ? "'daily/a b+c.txt'" : "")), "some text");
      EXPECT_EQ(opened(*target, "empty", flags + (sealed ? "empty" : "")), "");
      const auto head = target->head("daily/a b+c.txt", {});
      ASSERT_TRUE(head) << head.error().message;
      EXPECT_TRUE(head->metadata.content_encoding.starts_with("identity, ")) << head->metadata.content_encoding;

      Route route(settings, {*client}, {*target}, system_clock());
      VerifySettings deep;
      deep.read_back = true;
      EXPECT_TRUE(Verification(route, deep).run({}).consistent);

      Settings back;
      back.link = "back";
      back.restore = true;
      back.restore_key = settings.stored.key;
      EXPECT_EQ(sync(back, *target, *home).replicated, 3u);
      EXPECT_EQ(body_of(*home, {.key = "daily/a b+c.txt"}), "some text");
      EXPECT_TRUE(body_of(*home, {.key = "large"}) == large);
      const auto restored = home->head("daily/a b+c.txt", {});
      ASSERT_TRUE(restored);
      EXPECT_EQ(restored->metadata.content_encoding, "identity");
      EXPECT_FALSE(stored_mark(restored->metadata));
    }
}

}  // namespace
}  // namespace twinspan::s3::testing
