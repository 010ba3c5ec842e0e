#include "backup/standby.hpp"

#include <gtest/gtest.h>

namespace twinspan::backup {
namespace {

TEST(StandbyBackup, AllThatThePrimaryNeedsToBeToldTravelsFromTheReplica) {
  const auto options =
      standby_options({"localhost", 40001, "/data/pgdata", "/run/east", 5432}, {"ca.crt", "client.crt", "client.key"});
  EXPECT_EQ(options,
            (std::vector<std::string>{
                "--backup-standby", "--pg2-host=localhost", "--pg2-host-type=tls", "--pg2-host-port=40001",
                "--pg2-host-ca-file=ca.crt", "--pg2-host-cert-file=client.crt", "--pg2-host-key-file=client.key",
                "--pg2-path=/data/pgdata", "--pg2-port=5432", "--pg2-socket-path=/run/east", "--pg2-user=postgres"}));
}

TEST(StandbyBackup, TheServerKnowsNoRepositoryAndServesOneStanzaToOneCertificate) {
  const auto text = render_server(
      {"10.0.0.1", {"/run/ca.crt", "/run/tls.crt", "/run/tls.key"}, "twinspan_replication", "orders-1-77"});
  ASSERT_TRUE(text);
  EXPECT_NE(text->find("tls-server-auth=twinspan_replication=orders-1-77\n"), std::string::npos);
  EXPECT_NE(text->find("tls-server-address=10.0.0.1\n"), std::string::npos);
  EXPECT_EQ(text->find("repo"), std::string::npos) << *text;
  for (const Server& wrong : {Server{"", {"a", "b", "c"}, "d", "e"}, Server{"x\ny", {"a", "b", "c"}, "d", "e"},
                              Server{"x", {"a", "b", ""}, "d", "e"}, Server{"x", {"a", "b", "c"}, "d\n", "e"}})
    EXPECT_FALSE(render_server(wrong));
}

}  // namespace
}  // namespace twinspan::backup
