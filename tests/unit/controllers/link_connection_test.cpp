#include <gtest/gtest.h>

#include "controllers/link/connection.hpp"
#include "core/base64.hpp"
#include "link_world.hpp"

namespace twinspan::controllers::testing {
namespace {

const ConnectionFacts kFacts{"shop", "orders-rw", 5432, "shop", "bundle"};

// The Secret as the API server has it, with what a patch changed.
class Stored {
 public:
  explicit Stored(const Json& data = {{"username", "shop"}, {"password", "pw"}}) {
    for (const auto& [key, value] : data.items()) put(key, value);
  }
  void put(const std::string& key, const std::string& value) { json_["data"][key] = base64_encode(value); }
  std::string get(const std::string& key) const {
    return base64_decode(json_["data"].value(key, "")).value_or("not base64");
  }
  std::string ours() const {
    return json_.value("/metadata/annotations"_json_pointer, Json::object())
        .value(std::string(kConnectionAnnotation), "");
  }
  std::optional<Json> patch(const ConnectionFacts& facts = kFacts) const {
    return connection_patch(*decode_secret(json_), facts);
  }
  // What was written, by name.
  Lines settle(const ConnectionFacts& facts = kFacts) {
    Lines written;
    const auto wanted = patch(facts);
    if (!wanted) return written;
    EXPECT_EQ((*wanted)["metadata"]["resourceVersion"], "5");
    const Json data = wanted->value("data", Json::object());  // named: items() refers to it
    for (const auto& [key, value] : data.items()) written.push_back(key);
    json_.merge_patch(*wanted);
    EXPECT_FALSE(patch(facts)) << "what was written is not written again";
    return written;
  }
  Json json_ = {{"kind", "Secret"}, {"metadata", {{"name", "orders-owner"}, {"resourceVersion", "5"}}}};
};

TEST(LinkConnection, TheOwnersSecretSaysWithWhatToConnect) {
  Stored secret;
  EXPECT_EQ(secret.settle(), (Lines{"ca.crt", "dbname", "host", "jdbc-uri", "pgpass", "port", "uri"}));
  EXPECT_EQ(secret.ours(), "ca.crt,dbname,host,jdbc-uri,pgpass,port,uri");
  EXPECT_EQ(secret.get("host"), "orders-rw.shop.svc");
  EXPECT_EQ(secret.get("port"), "5432");
  EXPECT_EQ(secret.get("dbname"), "shop");
  EXPECT_EQ(secret.get("uri"), "postgresql://shop:pw@orders-rw.shop.svc:5432/shop");
  EXPECT_EQ(secret.get("jdbc-uri"), "jdbc:postgresql://orders-rw.shop.svc:5432/shop?user=shop&password=pw");
  EXPECT_EQ(secret.get("pgpass"), "orders-rw.shop.svc:5432:shop:shop:pw\n");
  EXPECT_EQ(secret.get("ca.crt"), "bundle");
  EXPECT_EQ(secret.get("username") + secret.get("password"), "shoppw");
}

TEST(LinkConnection, WhatIsSpecialToAFormatIsEscaped) {
  Stored secret({{"username", "a:b@c\r\n"}, {"password", "p/w:%\\ +&\n"}});
  secret.settle();
  EXPECT_EQ(secret.get("uri"), "postgresql://a%3Ab%40c:p%2Fw%3A%25%5C%20%2B%26@orders-rw.shop.svc:5432/shop");
  EXPECT_EQ(secret.get("jdbc-uri"),
            "jdbc:postgresql://orders-rw.shop.svc:5432/shop?user=a%3Ab%40c&password=p%2Fw%3A%25%5C%20%2B%26");
  EXPECT_EQ(secret.get("pgpass"), "orders-rw.shop.svc:5432:shop:a\\:b@c:p/w\\:%\\\\ +&\n");
  Stored lines({{"username", "shop"}, {"password", "one\ntwo"}});
  lines.settle();
  EXPECT_EQ(lines.get("pgpass"), "") << "a line break would begin another entry";
  EXPECT_EQ(lines.get("uri"), "postgresql://shop:one%0Atwo@orders-rw.shop.svc:5432/shop");
}

TEST(LinkConnection, ItFollowsThePasswordTheServiceAndTheAuthority) {
  Stored secret;
  secret.settle();
  secret.put("password", "other");
  EXPECT_EQ(secret.settle(), (Lines{"jdbc-uri", "pgpass", "uri"}));
  ConnectionFacts facts = kFacts;
  facts.ca_pem = "next";
  EXPECT_EQ(secret.settle(facts), Lines{"ca.crt"});
  facts.service = "shop-db";
  facts.port = 6432;
  EXPECT_EQ(secret.settle(facts), (Lines{"host", "jdbc-uri", "pgpass", "port", "uri"}));
  EXPECT_EQ(secret.get("uri"), "postgresql://shop:other@shop-db.shop.svc:6432/shop");
}

TEST(LinkConnection, WithoutAServiceThereIsNoHostAndWhatWasWrittenStays) {
  ConnectionFacts facts = kFacts;
  facts.service.clear();
  Stored secret;
  EXPECT_EQ(secret.settle(facts), (Lines{"ca.crt", "dbname", "port"}));
  EXPECT_EQ(secret.settle(), (Lines{"host", "jdbc-uri", "pgpass", "uri"}));
  EXPECT_EQ(secret.settle(facts), Lines{});
  EXPECT_EQ(secret.get("host"), "orders-rw.shop.svc");
  EXPECT_EQ(secret.settle(), Lines{});
}

TEST(LinkConnection, AKeyOfAPersonsIsNeverWrittenAndOneOfOursIsPutRight) {
  Stored secret({{"username", "shop"}, {"password", "pw"}, {"host", "pooler"}, {"note", "x"}});
  EXPECT_EQ(secret.settle(), (Lines{"ca.crt", "dbname", "jdbc-uri", "pgpass", "port", "uri"}));
  EXPECT_EQ(secret.get("host"), "pooler");
  EXPECT_EQ(secret.get("note"), "x");
  secret.put("uri", "mine");
  EXPECT_EQ(secret.settle(), Lines{"uri"});
  // Taken out of the annotation it is theirs, and deleted it is ours again.
  secret.json_["metadata"]["annotations"][std::string(kConnectionAnnotation)] = "ca.crt,dbname,jdbc-uri,pgpass,port";
  secret.put("uri", "mine");
  EXPECT_EQ(secret.settle(), Lines{});
  EXPECT_EQ(secret.get("uri"), "mine");
  secret.json_["data"].erase("uri");
  EXPECT_EQ(secret.settle(), Lines{"uri"});
}

TEST(LinkConnection, WhatCanNotBeWrittenIsLeftAlone) {
  Stored immutable;
  immutable.json_["immutable"] = true;
  EXPECT_FALSE(immutable.patch());
  Stored certificate(Json{{"tls.crt", "x"}});
  EXPECT_FALSE(certificate.patch());
}

// One patch, once the Secret is ours, and nothing for a person's or a paused link.
TEST(LinkConnection, ThePlannerWritesItOnce) {
  Stored secret;
  World world;
  world.primary_service = "orders-rw";
  world.owner->connection = decode_secret(secret.json_)->connection;
  EXPECT_EQ(lines(world.plan()), Lines{"Patch Secret orders-owner"});
  for (const Step& step : world.plan().steps) EXPECT_EQ(step.reason + step.message, "") << "no Event with a password";
  world.link->spec.paused = true;
  EXPECT_EQ(lines(world.plan()), Lines{});
  world.link->spec.paused = false;
  secret.settle({"shop", "orders-rw", 5432, "shop", "bundle"});
  world.owner->connection = decode_secret(secret.json_)->connection;
  EXPECT_EQ(lines(world.plan()), Lines{});
  world.owner->connection->hashes.erase("uri");
  EXPECT_EQ(lines(world.plan()), Lines{"Patch Secret orders-owner"});
  world.owner->made_for = "an earlier link";
  world.owner->owner = "an earlier link";
  EXPECT_EQ(lines(world.plan()), Lines{"Patch Secret orders-owner"}) << "taken over first";
  world.owner->managed = false;
  EXPECT_EQ(lines(world.plan()), Lines{"MakeOwner"});
}

}  // namespace
}  // namespace twinspan::controllers::testing
