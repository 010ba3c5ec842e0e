// Manifests as JSON, resolved as kubectl does: what is quoted is a string.
#pragma once
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "tests/places.hpp"

namespace twinspan::test {

inline std::string read_text(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

inline Json to_json(const YAML::Node& node) {
  if (node.IsMap()) {
    Json object = Json::object();
    for (const auto& item : node) object[item.first.as<std::string>()] = to_json(item.second);
    return object;
  }
  if (node.IsSequence()) {
    Json list = Json::array();
    for (const auto& item : node) list.push_back(to_json(item));
    return list;
  }
  if (!node.IsDefined() || node.IsNull()) return nullptr;
  const std::string text = node.Scalar();
  if (node.Tag() == "!") return text;
  const Json value = Json::parse(text, nullptr, false);
  return value.is_number() || value.is_boolean() || value.is_null() ? value : Json(text);
}

inline std::vector<Json> read_manifests(const std::string& path) {
  std::vector<Json> documents;
  for (const YAML::Node& node : YAML::LoadAll(read_text(path)))
    if (!node.IsNull()) documents.push_back(to_json(node));
  return documents;
}

// The files of tests/bad_manifests, by name.
inline std::vector<std::filesystem::path> bad_manifests() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(test::in_source("/tests/bad_manifests")))
    if (entry.path().extension() == ".yaml") paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

// The value of a header comment "# KEY: value"; empty where there is none.
inline std::string header(const std::string& text, const std::string& key) {
  const std::string start = "# " + key + ": ";
  const size_t at = text.find(start);
  return at == std::string::npos ? "" : text.substr(at + start.size(), text.find('\n', at) - at - start.size());
}

}  // namespace twinspan::test
