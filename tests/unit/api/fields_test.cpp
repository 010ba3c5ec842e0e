// A field that nothing reads is a lie: whoever sets it believes that something changed. Every field of a spec is read
// by the code that acts, or refused with words.
#include <gtest/gtest.h>

#include <cctype>
#include <filesystem>
#include <set>

#include "manifest.hpp"
#include "tests/places.hpp"

namespace twinspan::api {
namespace {

std::string snake(const std::string& name) {
  std::string text;
  for (const char c : name) {
    if (std::isupper(static_cast<unsigned char>(c)) && !text.empty()) text += '_';
    text += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return text;
}

// The text of the rooms that act on a spec. Rooms that only parse or judge (api/) don't count.
std::string sources() {
  std::string text;
  for (const char* room : {"controllers", "failover", "operator", "worker", "engines"})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(test::in_source("/") + room))
      if (entry.path().extension() == ".cpp" || entry.path().extension() == ".hpp")
        text += test::read_text(entry.path());
  return text;
}

bool is_read(const std::string& sources, const std::string& name) {
  for (const std::string& member : {"." + name, "->" + name})
    for (size_t at = sources.find(member); at != std::string::npos; at = sources.find(member, at + 1)) {
      const char next = at + member.size() < sources.size() ? sources[at + member.size()] : ' ';
      if (!std::isalnum(static_cast<unsigned char>(next)) && next != '_' && next != '(') return true;
    }
  return false;
}

// "… this version supports ExactlyOnce only": of a field that nobody reads as it has one value.
bool is_refusal(const std::string& message) {
  const auto says = [&](const char* words) { return message.find(words) != std::string::npos; };
  return says("supported by this version") || says("carried by this version") ||
         says("this version does not support") || (says("this version supports") && message.ends_with(" only"));
}
// Kubernetes' own shapes, handed on as they are.
const std::set<std::string> kHandedOn{"resources", "affinity", "tolerations", "topologySpreadConstraints"};
// Words of C++, which api/generate.py gives a line at the end.
const std::set<std::string> kKeywords{"import", "operator", "template"};

// A person's word that something else is meant: judged (api/validate_restore.cpp), and nothing more.
const std::set<std::string> kJudgedAlone{"confirm"};

// What the rules of `schema` itself refuse, by their messages.
std::string refusals(const Json& schema) {
  std::string text;
  for (const Json& rule : schema.value("x-kubernetes-validations", Json::array()))
    if (const std::string message = rule.value("message", ""); is_refusal(message)) text += message + "\n";
  return text;
}

void walk(const Json& schema, const std::string& path, const std::string& code, std::vector<std::string>& unread) {
  if (schema.contains("items")) return walk(schema["items"], path, code, unread);
  const std::string refused = refusals(schema);
  const Json properties = schema.value("properties", Json::object());  // named: items() refers to it
  for (const auto& [name, property] : properties.items()) {
    if (refused.find(name) != std::string::npos || !refusals(property).empty()) continue;
    if (kJudgedAlone.contains(name)) continue;
    if (!is_read(code, kKeywords.contains(name) ? name + "_" : snake(name))) unread.push_back(path + "." + name);
    if (!kHandedOn.contains(name)) walk(property, path + "." + name, code, unread);
  }
}

TEST(Fields, OfASpecAreReadByTheCodeThatActsOrRefused) {
  const std::string code = sources();
  for (const char* kind : {"failoverpolicies", "replicationlinks", "backupschedules", "backups", "restores"}) {
    const auto crd = test::read_manifests(test::in_source("/crds/") + kind + ".yaml");
    std::vector<std::string> unread;
    for (const Json& version : crd.front()["spec"]["versions"])
      walk(version["schema"]["openAPIV3Schema"]["properties"]["spec"], "spec", code, unread);
    for (const std::string& field : unread) ADD_FAILURE() << kind << ": " << field << " is read by nobody";
  }
}

}  // namespace
}  // namespace twinspan::api
