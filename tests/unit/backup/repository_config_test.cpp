#include "backup/repository_config.hpp"

#include <gtest/gtest.h>

namespace twinspan::backup {
namespace {

const Repository kRepository{
    "https://s3.example:9000", "us-east-1", "backups", "shop/orders/", true, "AK", "SK", "/run/ca.crt", ""};
const Instance kInstance{"orders-1234-77", "/data/pgdata", "/run/twinspan", 5432, "/run/twinspan/backup"};

bool has(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(RepositoryConfiguration, SaysWhereTheRepositoryAndTheDatabaseAre) {
  const auto text = render_configuration(kRepository, kInstance);
  ASSERT_TRUE(text);
  for (const char* line :
       {"repo1-s3-endpoint=s3.example", "repo1-storage-port=9000", "repo1-path=/shop/orders", "repo1-s3-uri-style=path",
        "[orders-1234-77]", "pg1-path=/data/pgdata", "pg1-socket-path=/run/twinspan", "archive-mode-check=n",
        "expire-auto=n", "repo1-s3-key-secret=SK", "repo1-storage-ca-file=/run/ca.crt"})
    EXPECT_TRUE(has(*text, line)) << line;
  EXPECT_EQ(text->find("cipher"), std::string::npos);
  // It would be dropped silently where it is set.
  EXPECT_EQ(text->find("archive-push-queue-max"), std::string::npos);
}

TEST(RepositoryConfiguration, IsEncryptedWithAPassphrase) {
  Repository repository = kRepository;
  repository.passphrase = "0123456789abcdef0123456789abcdef";
  const auto text = render_configuration(repository, kInstance);
  ASSERT_TRUE(text);
  EXPECT_TRUE(has(*text, "repo1-cipher-type=aes-256-cbc"));
  EXPECT_TRUE(has(*text, "repo1-cipher-pass=0123456789abcdef0123456789abcdef"));
}

TEST(RepositoryConfiguration, IsReadAsItWasWritten) {
  for (const char* prefix : {"shop/orders/", "", "orders"})
    for (const bool path_style : {true, false})
      for (const char* passphrase : {"", "0123456789abcdef=0123456789abcdef"}) {
        Repository repository = kRepository;
        repository.prefix = prefix;
        repository.path_style = path_style;
        repository.passphrase = passphrase;
        const auto text = render_configuration(repository, kInstance);
        ASSERT_TRUE(text);
        const auto read = parse_repository(*text);
        ASSERT_TRUE(read) << read.error().message;
        EXPECT_EQ(read->endpoint, repository.endpoint);
        EXPECT_EQ(read->bucket + read->region, repository.bucket + repository.region);
        EXPECT_EQ(read->prefix, *prefix == 'o' ? "orders/" : prefix);
        EXPECT_EQ(read->path_style, path_style);
        EXPECT_EQ(read->access_key + read->secret_key + read->ca_file, "AKSK/run/ca.crt");
        EXPECT_EQ(read->passphrase, passphrase);
      }
  for (const char* other : {"", "[global]\n", "[orders]\nrepo1-s3-bucket=b\n"}) EXPECT_FALSE(parse_repository(other));
  const auto text = render_configuration(kRepository, kInstance);
  ASSERT_TRUE(text);
  const auto half = parse_repository("[global]\nrepo1-cipher-type=aes-256-cbc\n" + *text);
  EXPECT_FALSE(half) << "an encrypted repository whose passphrase is missing is not a plain one";
}

TEST(RepositoryConfiguration, RefusesWhatWouldMeanSomethingElse) {
  for (const char* endpoint : {"http://s3.example", "https://", "https://host:port", "s3.example"}) {
    Repository repository = kRepository;
    repository.endpoint = endpoint;
    EXPECT_FALSE(render_configuration(repository, kInstance)) << endpoint;
  }
  Repository repository = kRepository;
  repository.secret_key = "a\nrepo1-path=/elsewhere";
  EXPECT_FALSE(render_configuration(repository, kInstance));
  repository.secret_key.clear();
  EXPECT_FALSE(render_configuration(repository, kInstance));
}

TEST(RepositoryConfiguration, TargetsAreInUtcWithSixDigits) {
  EXPECT_EQ(target_time(*parse_rfc3339("2026-11-25T14:30:00.5+01:00")), "2026-11-25 13:30:00.500000+00");
}

}  // namespace
}  // namespace twinspan::backup
