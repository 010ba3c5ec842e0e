// Volumes as folders: contents, owners, replacement in one step.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "sandbox/runtime/volumes.hpp"

namespace twinspan::sandbox {
namespace {

namespace fs = std::filesystem;

class VolumesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string path = "/tmp/ts-volumes-XXXXXX";
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    root_ = path;
    VolumeSources sources;
    const auto find = [this](const std::string& kind) {
      return [this, kind](const std::string& name) -> std::shared_ptr<const Json> {
        const auto found = objects_.find(kind + "/" + name);
        return found == objects_.end() ? nullptr : std::make_shared<const Json>(found->second);
      };
    };
    sources.secret = find("secret");
    sources.config_map = find("config_map");
    sources.claim = find("claim");
    sources.token = [this](const std::string& audience, int) -> Result<ServiceAccountToken> {
      return ServiceAccountToken{"token for " + audience, clock_.boot_now() + std::chrono::hours(1)};
    };
    volumes_ = std::make_unique<Volumes>(sources, clock_, PodPlace{"127.20.1.1", "127.0.0.1", "n"}, root_ / "pod",
                                         root_ / "c", pod_account());
  }
  void TearDown() override { fs::remove_all(root_); }
  static Json pod(const std::string& volumes) {
    return {{"metadata", {{"name", "p"}, {"namespace", "shop"}, {"uid", "u"}}},
            {"spec", {{"volumes", Json::parse(volumes)}}}};
  }
  std::string read(const std::string& volume, const std::string& file) const {
    std::ifstream in(*volumes_->folder_of(volume) / file);
    std::stringstream text;
    text << in.rdbuf();
    return in ? text.str() : "missing";
  }

  fs::path root_;
  SystemClock clock_;
  std::map<std::string, Json> objects_;
  std::unique_ptr<Volumes> volumes_;
};

TEST_F(VolumesTest, SecretIsReadableByThePodsAccountAloneAndFollowsTheObject) {
  const Json wanted = pod(R"([{"name": "tls", "secret": {"secretName": "orders-tls", "defaultMode": 420}}])");
  EXPECT_EQ(volumes_->sync(wanted).error().message, "secret \"orders-tls\" not found");
  objects_["secret/orders-tls"] = Json::parse(R"({"data": {"tls.key": "b25l", "tls.crt": "dHdv"}})");
  ASSERT_TRUE(volumes_->sync(wanted));
  EXPECT_EQ(read("tls", "tls.key"), "one");
  struct stat facts {};
  ASSERT_EQ(stat((*volumes_->folder_of("tls") / "tls.key").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
  EXPECT_EQ(facts.st_uid, pod_account() ? pod_account()->uid : getuid());

  objects_["secret/orders-tls"] = Json::parse(R"({"data": {"tls.key": "dGhyZWU="}})");
  ASSERT_TRUE(volumes_->sync(wanted));
  EXPECT_EQ(read("tls", "tls.key"), "three");
  EXPECT_EQ(read("tls", "tls.crt"), "missing") << "a key that is gone is no longer a file";
}

TEST_F(VolumesTest, ProjectedVolumeHoldsTokenCaAndNamespace) {
  objects_["config_map/kube-root-ca.crt"] = Json::parse(R"({"data": {"ca.crt": "CA"}})");
  ASSERT_TRUE(volumes_->sync(
      pod(R"([{"name": "api", "projected": {"sources": [{"serviceAccountToken": {"path": "token", "audience": "a"}},
      {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "sub/ca.crt"}]}},
      {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}}]}}])")));
  EXPECT_EQ(read("api", "token"), "token for a");
  EXPECT_EQ(read("api", "sub/ca.crt"), "CA");
  EXPECT_EQ(read("api", "namespace"), "shop");
}

TEST_F(VolumesTest, ClaimIsMountedOnceBoundAndKeepsItsFolderForTheNextPod) {
  const Json wanted = pod(R"([{"name": "data", "persistentVolumeClaim": {"claimName": "d"}}])");
  EXPECT_FALSE(volumes_->sync(wanted));
  objects_["claim/d"] = Json::parse(R"({"metadata": {"uid": "12345678-1234-1234"}, "status": {"phase": "Pending"}})");
  EXPECT_FALSE(volumes_->sync(wanted));
  objects_["claim/d"]["status"]["phase"] = "Bound";
  ASSERT_TRUE(volumes_->sync(wanted));
  std::ofstream(*volumes_->folder_of("data") / "kept") << "data";
  Volumes next({nullptr, nullptr,
                [this](const std::string&) { return std::make_shared<const Json>(objects_["claim/d"]); }, nullptr, ""},
               clock_, {}, root_ / "pod2", root_ / "c", pod_account());
  ASSERT_TRUE(next.sync(wanted));
  EXPECT_TRUE(fs::exists(*next.folder_of("data") / "kept"));
}

TEST_F(VolumesTest, MountsNameTheFoldersAndSubPaths) {
  ASSERT_TRUE(volumes_->sync(pod(R"([{"name": "run", "emptyDir": {}}])")));
  const auto mounts = volumes_->mounts(Json::parse(
      R"({"volumeMounts": [{"name": "run", "mountPath": "/run/twinspan/"}, {"name": "run", "mountPath": "/x", "subPath": "deep"}]})"));
  ASSERT_TRUE(mounts);
  EXPECT_EQ((*mounts)[0].container_path, "/run/twinspan");
  EXPECT_EQ((*mounts)[0].host_path, root_ / "pod/v/run");
  EXPECT_EQ((*mounts)[1].host_path, root_ / "pod/v/run/deep");
  EXPECT_FALSE(volumes_->mounts(Json::parse(R"({"volumeMounts": [{"name": "other", "mountPath": "/y"}]})")));
}

}  // namespace
}  // namespace twinspan::sandbox
