// What comes as text: kubeconfig files, lists and watch lines in pieces, base64.
#include <filesystem>
#include <fstream>

#include "core/base64.hpp"
#include "fake_api.hpp"
#include "kube/list_splitter.hpp"
#include "kube/object_parser.hpp"
#include "kube/watch_decoder.hpp"

namespace twinspan::kube::testing {
namespace {

TEST(Resource, PathsOfTheApi) {
  EXPECT_EQ(kPods.path("ns", "p"), "/api/v1/namespaces/ns/pods/p");
  EXPECT_EQ(kPods.path("", ""), "/api/v1/pods");
  EXPECT_EQ(kNodes.path("ignored", "n"), "/api/v1/nodes/n");
  EXPECT_EQ(kLeases.path("ns", ""), "/apis/coordination.k8s.io/v1/namespaces/ns/leases");
  EXPECT_EQ(kReplicationLinks.path("shop", "orders"),
            "/apis/twinspan.dev/v1alpha1/namespaces/shop/replicationlinks/orders");
  EXPECT_EQ(kLeases.api_version(), "coordination.k8s.io/v1");
  EXPECT_EQ(kPods.api_version(), "v1");
}

TEST(ObjectParser, ReadsWhatTheLibraryReads) {
  for (const std::string text :
       {R"({"a":[1,-2,3.5,"x",null,true,{"b":{}},[]],"metadata":{"name":"n","labels":{"managedFields":"kept"}}})", "[]",
        "7", "\"text\"", R"({"spec":{"metadata":{"managedFields":[{"f":1}]}},"managedFields":[1]})",
        R"({"a":{"object":{"metadata":{"managedFields":[]}}}})", R"([{"metadata":{"managedFields":[]}}])",
        R"({"a":1,"a":2})"})
    EXPECT_EQ(parse_object(text), Json::parse(text)) << text;
  for (const std::string text : {"", "{", "{\"metadata\":{\"managedFields\":[}", "{} {}", "nul", "{\"a\":1,}"})
    EXPECT_TRUE(parse_object(text).is_discarded()) << text;
}

TEST(ObjectParser, LeavesManagedFieldsOut) {
  const Json kept = {{"metadata", {{"name", "n"}, {"resourceVersion", "7"}}}, {"status", {{"a", 1}}}};
  for (const Json& unread :
       {Json::array({{{"fieldsV1", {{"f:a", {{".", Json::object()}}}}}, {"time", "t"}}, Json::array({1})}),
        Json::object({{"a", Json::array({1, 2})}}), Json(nullptr), Json("text"), Json::array()}) {
    Json object = kept;
    object["metadata"]["managedFields"] = unread;
    EXPECT_EQ(parse_object(object.dump()), kept) << unread;
    const Json event = {{"type", "ADDED"}, {"object", object}};
    EXPECT_EQ(parse_object(event.dump()), Json({{"type", "ADDED"}, {"object", kept}})) << unread;
    EXPECT_EQ(parse_object(event.dump(2)), Json({{"type", "ADDED"}, {"object", kept}})) << unread;
  }
  const Json wanted = Json::parse(R"({"metadata":{"annotations":{"a":"\"managedFields\":[\\"},"name":"n"}})");
  for (const std::string text :
       {R"({"metadata":{"annotations":{"a":"\"managedFields\":[\\"},"managedFields":[{"f":"]\"}"}],"name":"n"}})",
        R"({"metadata":{"annotations":{"a":"\"managedFields\":[\\"},"name":"n","managedFields":[[]]}})",
        R"({"metadata":{"managedFields":[],"annotations":{"a":"\"managedFields\":[\\"},"name":"n"}})"})
    EXPECT_EQ(parse_object(text), wanted) << text;
  EXPECT_EQ(parse_object(R"({"metadata":{"managedFields":[1]}})"), Json::parse(R"({"metadata":{}})"));
}

TEST(ObjectParser, ReadsTextAndNumbersAsTheLibraryDoes) {
  for (const std::string text :
       {R"("a\"b\\c\/d\b\f\n\r\t")", R"("\u00e9\u20ac\ud83d\ude00\u0000x")", "\"é€😀\"", "\"\"", "0", "-0", "-1",
        "9223372036854775807", "18446744073709551615", "18446744073709551616", "-9223372036854775808",
        "-9223372036854775809", "0.1", "-2.5e-3", "1E+2", " [ 1 , { \"a\" : [ ] } ] \n", R"({"\u0061":1,"a":2})",
        R"({"b":1,"a":{"c":[true,false,null]}})"}) {
    const Json wanted = Json::parse(text), found = parse_object(text);
    EXPECT_EQ(found, wanted) << text;
    EXPECT_EQ(found.type(), wanted.type()) << text;
  }
  for (const std::string text : {"01",
                                 "-",
                                 "1.",
                                 ".5",
                                 "1e",
                                 "+1",
                                 "1e999",
                                 "\"a",
                                 "\"\\x\"",
                                 "\"\\u12g4\"",
                                 "\"\\ud800\"",
                                 "\"\\ud800\\u0041\"",
                                 "\"\\udc00\"",
                                 "\"\n\"",
                                 "\"\x80\"",
                                 "\"\xc0\xaf\"",
                                 "\"\xe0\x80\x80\"",
                                 "\"\xed\xa0\x80\"",
                                 "\"\xf5\x80\x80\x80\"",
                                 "\"\xe2\x82\"",
                                 "[1,]",
                                 "[1 2]",
                                 "{\"a\" 1}",
                                 "{a:1}",
                                 "{,}",
                                 "[",
                                 "tru",
                                 "nullx"}) {
    ASSERT_TRUE(Json::parse(text, nullptr, false).is_discarded()) << text;
    EXPECT_TRUE(parse_object(text).is_discarded()) << text;
  }
  EXPECT_TRUE(parse_object(std::string(100'000, '[')).is_discarded());
  EXPECT_FALSE(parse_object(std::string(500, '[') + std::string(500, ']')).is_discarded());
}

TEST(ObjectParser, TextCutAnywhereIsNoJson) {
  const std::string text = R"({"metadata":{"managedFields":[{"f":{}}],"name":"n"},"a":["\u00e9",-1.5e3,true,null,{}]})";
  ASSERT_FALSE(parse_object(text).is_discarded());
  for (size_t size = 0; size < text.size(); ++size)
    EXPECT_TRUE(parse_object(std::string_view(text).substr(0, size)).is_discarded()) << size;
}

TEST(ObjectParser, HeadsTellWhatAnObjectIs) {
  const Json object = {{"metadata",
                        {{"name", "n"},
                         {"namespace", "ns"},
                         {"resourceVersion", "7"},
                         {"managedFields", {{{"name", "wrong"}}}},
                         {"labels", {{"name", "wrong"}, {"resourceVersion", "8"}}}}},
                       {"spec", {{"metadata", {{"name", "wrong"}}}, {"text", "}\"name\":\"wrong\""}}}};
  for (const std::string& text : {object.dump(), object.dump(2)}) {
    const auto head = head_of(text);
    ASSERT_TRUE(head) << text;
    EXPECT_EQ(head->key, (Key{"ns", "n"}));
    EXPECT_EQ(head->version, "7");
    EXPECT_EQ(head->event, "");
  }
  const auto event = head_of(Json({{"type", "MODIFIED"}, {"object", object}}).dump());
  ASSERT_TRUE(event);
  EXPECT_EQ(event->event, "MODIFIED");
  EXPECT_EQ(event->key, (Key{"ns", "n"}));
  for (const char* text :
       {"", "[]", "{", "{}", R"({"metadata":{}})", R"({"metadata":{"name":7}})", R"({"metadata":"n"})"})
    EXPECT_FALSE(head_of(text)) << text;
}

TEST(ListSplitter, PassesOverWhatIsKnown) {
  std::string seen;
  ListSplitter splitter([&](Json&& item) { seen += item["metadata"]["name"].get<std::string>(); },
                        [](const ObjectHead& head) { return head.key.name == "a" && head.version == "1"; });
  ASSERT_TRUE(splitter.push(
      R"({"items":[{"metadata":{"name":"a","resourceVersion":"1"}},)"
      R"({"metadata":{"name":"b","resourceVersion":"1"}},{"metadata":{"name":"a","resourceVersion":"2"}}]})"));
  ASSERT_TRUE(splitter.finish());
  EXPECT_EQ(seen, "ba");
  EXPECT_EQ(splitter.items(), 3u);
}

TEST(WatchDecoder, PassesOverWhatIsKnownButNeverADeletion) {
  std::string seen;
  WatchDecoder decoder(
      [&](WatchType, Json&& object) { seen += object["metadata"]["resourceVersion"].get<std::string>(); },
      [](const ObjectHead& head) { return version_number(head.version) <= 3; });
  for (const auto& [type, version] :
       {std::pair{"ADDED", "1"}, {"MODIFIED", "2"}, {"DELETED", "3"}, {"MODIFIED", "4"}, {"BOOKMARK", "3"}})
    ASSERT_TRUE(decoder.push(
        Json({{"type", type}, {"object", {{"metadata", {{"name", "n"}, {"resourceVersion", version}}}}}}).dump() +
        "\n"));
  EXPECT_EQ(seen, "343");
}

TEST(ListSplitter, FindsItemsWhereverTheTextIsCut) {
  const Json items = {{{"metadata", {{"name", "a"}}}, {"text", "] } , { [ \" \\ \"items\": [ é"}},
                      {{"list", {1, 2, {{"items", {3}}}}}, {"empty", Json::object()}},
                      Json::object()};
  const Json list = {{"kind", "List"},
                     {"metadata", {{"resourceVersion", "7"}, {"continue", "items"}}},
                     {"items", items},
                     {"tail", {{"items", {1}}}}};
  for (const std::string& text : {list.dump(), list.dump(2)}) {
    for (size_t cut = 0; cut <= text.size(); ++cut) {
      Json found = Json::array();
      ListSplitter splitter([&](Json&& item) { found.push_back(std::move(item)); });
      ASSERT_TRUE(splitter.push(std::string_view(text).substr(0, cut)));
      ASSERT_TRUE(splitter.push(std::string_view(text).substr(cut)));
      ASSERT_EQ(found, items) << cut;
      const auto shell = splitter.finish();
      ASSERT_TRUE(shell) << cut;
      EXPECT_EQ((*shell)["metadata"], list["metadata"]);
      EXPECT_EQ((*shell)["items"], Json::array());
      EXPECT_EQ((*shell)["tail"], list["tail"]);
    }
  }
}

TEST(ListSplitter, RefusesWhatIsNoList) {
  for (const std::string text :
       {"", "[", "null", "{\"items\":[", "{\"items\":[{]}", "not json", "{\"items\":[{\"a\":}]}"}) {
    ListSplitter splitter([](Json&&) {});
    const bool taken = splitter.push(text);
    EXPECT_FALSE(taken && splitter.finish().has_value()) << text;
  }
  ListSplitter none([](Json&&) { ADD_FAILURE(); });
  EXPECT_TRUE(none.push(R"({"metadata":{"resourceVersion":"1"},"items":null})"));
  EXPECT_TRUE(none.finish());
}

TEST(WatchDecoder, FindsEventsWhereverTheTextIsCut) {
  const std::string text = R"({"type":"ADDED","object":{"n":1,"s":"\n"}})"
                           "\n\n"
                           R"({"type":"MODIFIED","object":{"n":2}})"
                           "\r\n"
                           R"({"type":"NEWFANGLED","object":{"n":0}})"
                           "\n"
                           R"({"type":"DELETED","object":{"n":3}})"
                           "\n"
                           R"({"type":"BOOKMARK","object":{"n":4}})"
                           "\n";
  for (size_t first = 0; first <= text.size(); ++first) {
    std::string seen;
    WatchDecoder decoder([&](WatchType type, Json&& object) {
      seen += std::to_string(static_cast<int>(type)) + object["n"].dump() + " ";
    });
    const size_t second = first + (text.size() - first) / 2;
    ASSERT_TRUE(decoder.push(std::string_view(text).substr(0, first)));
    ASSERT_TRUE(decoder.push(std::string_view(text).substr(first, second - first)));
    ASSERT_TRUE(decoder.push(std::string_view(text).substr(second)));
    ASSERT_EQ(seen, "01 12 23 34 ");
  }
}

TEST(WatchDecoder, ErrorsEndIt) {
  const auto after = [](const std::string& line) {
    WatchDecoder decoder([](WatchType, Json&&) {});
    EXPECT_FALSE(decoder.push(line + "\n"));
    return decoder.error()->code;
  };
  EXPECT_EQ(after(R"({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}})"), Code::kGone);
  EXPECT_EQ(after(R"({"type":"ERROR","object":{"kind":"Status","code":500,"reason":"InternalError"}})"),
            Code::kUnavailable);
  EXPECT_EQ(after(R"({"type":"ADDED"})"), Code::kUnavailable);
  EXPECT_EQ(after(R"({"type":"ADDED","object":{)"), Code::kUnavailable);
  EXPECT_EQ(after("nonsense"), Code::kUnavailable);
}

TEST(Base64, RoundTripsAndRefuses) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
    bytes += static_cast<char>(i * 7);
  }
  EXPECT_EQ(base64_encode("hunter2"), "aHVudGVyMg==");
  EXPECT_EQ(base64_decode("aHVu\ndGVy Mg=="), "hunter2");
  for (const char* bad : {"a", "aHVudGVyMg=", "aHVudGVyMg===", "a$==", "aH=V", "aHVudGVyMg", "aHVudGVy----"})
    EXPECT_EQ(base64_decode(bad), std::nullopt) << bad;
}

class Kubeconfig : public ::testing::Test {
 protected:
  void SetUp() override {
    folder = std::filesystem::path(::testing::TempDir()) / ("kubeconfig-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder / "sub");
    unsetenv("KUBECONFIG");
  }
  void TearDown() override {
    std::filesystem::remove_all(folder);
    unsetenv("KUBECONFIG");
  }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder / name) << text;
    return (folder / name).string();
  }
  std::filesystem::path folder;
};

constexpr const char* kCluster = R"(
current-context: one
contexts:
- {name: one, context: {cluster: c, user: u, namespace: shop}}
- {name: two, context: {cluster: c, user: other}}
clusters:
- {name: c, cluster: {server: "https://10.0.0.1:6443", certificate-authority-data: aHVudGVyMg==, tls-server-name: api}}
users:
- {name: u, user: {client-certificate: sub/cert.pem, client-key: sub/key.pem}}
- {name: other, user: {token: secret}}
)";

TEST_F(Kubeconfig, ReadsContextsClustersAndUsers) {
  write("sub/cert.pem", "CERT");
  write("sub/key.pem", "KEY");
  const std::string path = write("config", kCluster);
  const auto one = kubeconfig(path, "");
  ASSERT_TRUE(one) << one.error().message;
  EXPECT_EQ(one->server, "https://10.0.0.1:6443");
  EXPECT_EQ(one->ca_pem, "hunter2");
  EXPECT_EQ(one->tls_server_name, "api");
  EXPECT_EQ(one->default_namespace, "shop");
  EXPECT_EQ(one->client_certificate_pem, "CERT");
  EXPECT_EQ(one->client_key_pem, "KEY");
  const auto two = kubeconfig(path, "two");
  ASSERT_TRUE(two) << two.error().message;
  EXPECT_EQ(two->token, "secret");
  EXPECT_EQ(two->default_namespace, "default");
}

TEST_F(Kubeconfig, MergesFilesTheFirstOneWinning) {
  const std::string first = write("first", R"(
contexts: [{name: one, context: {cluster: c, user: mine}}]
users: [{name: mine, user: {token: first}}]
)");
  const std::string second = write("second", std::string(kCluster) + "- {name: mine, user: {token: second}}\n");
  setenv("KUBECONFIG", (first + ":/nowhere/at/all:" + second).c_str(), 1);
  const auto config = kubeconfig("", "");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->token, "first");
  EXPECT_EQ(config->server, "https://10.0.0.1:6443");
  const auto same = default_config();
  ASSERT_TRUE(same);
  EXPECT_EQ(same->token, "first");
}

TEST_F(Kubeconfig, ReadsExecPlugins) {
  const auto config = kubeconfig(write("config", R"(
current-context: one
contexts: [{name: one, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://h"}}]
users:
- name: u
  user:
    exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin, args: [get, "5"], env: [{name: A, value: b}]}
)"),
                                 "");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(std::filesystem::path(config->exec.command).lexically_normal(), (folder / "plugin").lexically_normal());
  EXPECT_EQ(config->exec.args, (std::vector<std::string>{"get", "5"}));
  EXPECT_EQ(config->exec.env, (std::vector<std::pair<std::string, std::string>>{{"A", "b"}}));
}

TEST_F(Kubeconfig, SaysWhatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"current-context: x", "no context \"x\""},
      {"current-context: x\ncontexts: [{name: x, context: {cluster: c}}]", "no cluster \"c\""},
      {"current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\nclusters: [{name: c, cluster: {a: b}}]",
       "cluster.server"},
      {"current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: "
       "{server: https://h}}]",
       "no user \"u\""},
      {"current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\nclusters: [{name: c, cluster: {server: "
       "https://h, certificate-authority-data: $$}}]",
       "certificate-authority-data"},
      {"current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\nclusters: [{name: c, cluster: {server: "
       "https://h, certificate-authority: no.pem}}]",
       "no.pem"},
      {"{broken", "kubeconfig"},
  };
  for (const auto& [text, wanted] : table) {
    const auto config = kubeconfig(write("config", text), "");
    ASSERT_FALSE(config) << text;
    EXPECT_EQ(config.error().code, Code::kInvalid);
    EXPECT_NE(config.error().message.find(wanted), std::string::npos) << config.error().message;
  }
  EXPECT_FALSE(kubeconfig("/nowhere/at/all", ""));
  setenv("KUBECONFIG", "/nowhere/at/all", 1);
  EXPECT_FALSE(kubeconfig("", ""));
}

TEST_F(Kubeconfig, OutsideAClusterThereIsNoInClusterConfig) {
  unsetenv("KUBERNETES_SERVICE_HOST");
  const auto config = in_cluster_config();
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace twinspan::kube::testing
