#include "controllers/s3/s3_render.hpp"

#include <gtest/gtest.h>

#include "golden.hpp"
#include "s3_world.hpp"

namespace twinspan::controllers::testing {
namespace {

TEST(S3Render, EverythingOfItsOwn) {
  const S3Seen seen = s3_world();
  expect_golden("s3_objects", Json::array({render_s3_set(seen.link(), s3_render_config()),
                                           render_s3_role(seen.link(), 1), render_set_budget(seen.link()),
                                           render_lease(seen.link(), s3_lease_name(seen.link().metadata.name, 0))}));
}

TEST(S3Render, CredentialsAreFilesNeverArgumentsNorVariables) {
  const S3Seen seen = s3_world();
  const Json set = render_s3_set(seen.link(), s3_render_config());
  const Json& container = set["spec"]["template"]["spec"]["containers"][0];
  EXPECT_EQ(container["args"].dump().find("spaces"), std::string::npos);
  EXPECT_EQ(container["env"].dump().find("secret"), std::string::npos);
  std::vector<std::string> paths;
  for (const Json& mount : container["volumeMounts"]) {
    paths.push_back(mount["mountPath"]);
    EXPECT_TRUE(mount["name"] == "tmp" || mount["readOnly"] == true) << mount;
  }
  EXPECT_EQ(paths, (Lines{"/tmp", "/etc/twinspan/tls", "/etc/twinspan/s3"}));
  std::vector<std::string> files;
  for (const Json& source : set["spec"]["template"]["spec"]["volumes"][2]["projected"]["sources"]) {
    EXPECT_EQ(source["secret"]["optional"], true);
    files.push_back(source["secret"]["name"].get<std::string>() + ": " +
                    source["secret"]["items"][0]["path"].get<std::string>());
  }
  EXPECT_EQ(files, (Lines{"spaces-sgp: sgp/credentials/accessKeyId", "spaces-nyc: nyc/credentials/accessKeyId",
                          "own-ca: nyc/ca/ca.crt"}));
}

TEST(S3Render, TheKeyOfClientEncryptionIsAFileToo) {
  api::ReplicationLink link = s3_world().link();
  link.spec.s3.client_encryption = api::ClientEncryption{{"backup-key", "aes"}};
  const Json set = render_s3_set(link, s3_render_config());
  const Json& sources = set["spec"]["template"]["spec"]["volumes"][2]["projected"]["sources"];
  EXPECT_EQ(sources.back(), Json::parse(R"({"secret": {"name": "backup-key", "optional": true,
                                           "items": [{"key": "aes", "path": "client_encryption/key"}]}})"));
  EXPECT_EQ(set["spec"]["template"]["spec"]["containers"][0].dump().find("backup-key"), std::string::npos);
}

TEST(S3Render, LongestNamesStayWithinKubernetesLimits) {
  const std::string thirty(30, 'a');
  EXPECT_LE(s3_lease_name(thirty, 63).size(), 63u);
}

}  // namespace
}  // namespace twinspan::controllers::testing
