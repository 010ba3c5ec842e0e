// A link and a folder of mounted Secrets, for tests.
#pragma once
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "api/types.hpp"

namespace twinspan::worker_kafka::given {

inline Json link_json() {
  return Json::parse(R"({
    "apiVersion": "twinspan.dev/v1alpha1", "kind": "ReplicationLink",
    "metadata": {"name": "west-east", "namespace": "streams", "uid": "link-uid", "generation": 3},
    "spec": {"engine": "Kafka",
      "source": {"name": "west", "kafka": {"brokers": ["west.example:9092"]}},
      "targets": [{"name": "east", "kafka": {"brokers": ["east.example:9092"]}}],
      "kafka": {"topics": {"include": ["orders", "inventory.*"]}}}})");
}

inline api::ReplicationLink link(const Json& json = link_json()) {
  auto parsed = api::parse_replication_link(json);
  EXPECT_TRUE(parsed) << parsed.error().message;
  return parsed.value_or(api::ReplicationLink{});
}

class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "kafka-secrets-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  void write(const std::string& file, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(path_ + "/" + file).parent_path());
    std::ofstream(path_ + "/" + file) << text;
  }

 private:
  std::string path_;
};

}  // namespace twinspan::worker_kafka::given
