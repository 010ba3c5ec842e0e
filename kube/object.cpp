#include "kube/object.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

#include "core/log.hpp"
#include "kube/metrics.hpp"

namespace twinspan::kube {
namespace {

std::string metadata(const Json& object, const char* name) { return text_of(member_of(object, "metadata"), name); }

}  // namespace

Key key_of(const Json& object) { return {metadata(object, "namespace"), metadata(object, "name")}; }
std::string resource_version_of(const Json& object) { return metadata(object, "resourceVersion"); }

uint64_t version_number(const std::string& version) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(version.data(), version.data() + version.size(), number);
  return error == std::errc() && end == version.data() + version.size() ? number : 0;
}

void note_undecodable(const std::string& plural, const Key& key, const std::string& reason) {
  log::error("object can't be read", {{"resource", plural}, {"object", key.str()}, {"error", reason}});
  metrics().undecodable_objects_total.Add({{"resource", plural}}).Increment();
}

}  // namespace twinspan::kube
