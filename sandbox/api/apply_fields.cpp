#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "sandbox/api/apply.hpp"

namespace twinspan::sandbox {

FieldSet FieldSet::parse(const Json& fields_v1) {
  FieldSet out;
  if (!fields_v1.is_object()) return out;
  for (const auto& [name, child] : fields_v1.items()) {
    if (name == ".") {
      out.member = true;
      continue;
    }
    FieldSet parsed = parse(child);
    if (parsed.children.empty()) parsed.member = true;
    out.children.emplace(name, std::move(parsed));
  }
  return out;
}

Json FieldSet::to_json() const {
  Json out = Json::object();
  if (member && !children.empty()) out["."] = Json::object();
  for (const auto& [name, child] : children) out[name] = child.to_json();
  return out;
}

bool FieldSet::empty() const {
  return !member &&
         std::all_of(children.begin(), children.end(), [](const auto& child) { return child.second.empty(); });
}

void FieldSet::unite(const FieldSet& other) {
  member = member || other.member;
  for (const auto& [name, child] : other.children) children[name].unite(child);
}

void FieldSet::subtract(const FieldSet& other) {
  if (other.member) member = false;
  for (const auto& [name, child] : other.children) {
    const auto mine = children.find(name);
    if (mine == children.end()) continue;
    mine->second.subtract(child);
    if (mine->second.empty()) children.erase(mine);
  }
}

FieldSet FieldSet::intersect(const FieldSet& other) const {
  FieldSet out;
  out.member = member && other.member;
  for (const auto& [name, child] : other.children) {
    const auto mine = children.find(name);
    if (mine == children.end()) continue;
    FieldSet common = mine->second.intersect(child);
    if (!common.empty()) out.children.emplace(name, std::move(common));
  }
  return out;
}

namespace {
void collect(const FieldSet& set, const std::string& path, std::vector<std::string>& out) {
  if (set.member) out.push_back(path);
  for (const auto& [element, child] : set.children) {
    std::string here = path;
    if (element.starts_with("f:")) {
      here += "." + element.substr(2);
    } else if (element.starts_with("k:")) {
      std::string keys;
      const Json parsed = Json::parse(element.substr(2), nullptr, false);
      if (parsed.is_object())
        for (const auto& [name, value] : parsed.items()) keys += (keys.empty() ? "" : ",") + name + "=" + value.dump();
      here += "[" + keys + "]";
    } else {
      here += "[=" + element.substr(2) + "]";
    }
    collect(child, here, out);
  }
}
}  // namespace

std::vector<std::string> FieldSet::paths() const {
  std::vector<std::string> out;
  collect(*this, "", out);
  return out;
}

}  // namespace twinspan::sandbox
