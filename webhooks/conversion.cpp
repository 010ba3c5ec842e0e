#include "webhooks/conversion.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "core/text.hpp"
#include "kube/resource.hpp"
#include "webhooks/wrong.hpp"

namespace twinspan::webhooks {
namespace {

constexpr std::string_view kApiVersion = "apiextensions.k8s.io/v1", kPrefix = "twinspan.dev/";

// What follows our group in an apiVersion; empty where the group is another.
std::string version_in(const std::string& api_version) {
  return api_version.starts_with(kPrefix) ? api_version.substr(kPrefix.size()) : "";
}

Result<Json> converted(Json object, const std::string& to, const Conversions& known) {
  const std::string kind = text_of(object, "kind"), from = version_in(text_of(object, "apiVersion"));
  if (from == to && !from.empty()) return object;
  std::vector<std::string> versions{std::string(kube::kReplicationLinks.version)};
  for (const Conversion& one : known) {
    if (one.kind != kind) continue;
    if (one.from == from && one.to == to) {
      if (one.change) one.change(object);
      object["apiVersion"] = std::string(kPrefix) + to;
      return object;
    }
    for (const std::string& version : {one.from, one.to})
      if (std::find(versions.begin(), versions.end(), version) == versions.end()) versions.push_back(version);
  }
  const Json& metadata = member_of(object, "metadata");
  return fail(Code::kInvalid, fmt::format("{} {}/{}: can't be made {}{} of {}: this version of Twinspan knows {}", kind,
                                          text_of(metadata, "namespace"), text_of(metadata, "name"), kPrefix, to,
                                          one_line(text_of(object, "apiVersion"), 80), fmt::join(versions, ", ")));
}

}  // namespace

Result<Json> convert(std::string_view body, const Conversions& known) {
  const Json review = Json::parse(body, nullptr, false);
  if (!review.is_object()) return fail(Code::kInvalid, "the body is no JSON object: expected a ConversionReview");
  if (text_of(review, "apiVersion") != kApiVersion)
    return wrong("apiVersion", member_of(review, "apiVersion"), kApiVersion);
  if (text_of(review, "kind") != "ConversionReview")
    return wrong("kind", member_of(review, "kind"), "ConversionReview");
  const Json& request = member_of(review, "request");
  const std::string uid = text_of(request, "uid"), to = version_in(text_of(request, "desiredAPIVersion"));
  const Json& objects = member_of(request, "objects");
  if (uid.empty()) return wrong("request.uid", member_of(request, "uid"), "the request's uid");
  if (to.empty())
    return wrong("request.desiredAPIVersion", member_of(request, "desiredAPIVersion"), "a version of twinspan.dev");
  if (!objects.is_array()) return wrong("request.objects", objects, "a list of objects");
  Json response = {{"uid", uid}, {"result", {{"status", "Success"}}}, {"convertedObjects", Json::array()}};
  for (const Json& object : objects) {
    if (!object.is_object()) return wrong("request.objects", object, "objects");
    auto one = converted(object, to, known);
    if (!one) {  // none is better than some: the API server takes all or nothing
      response["result"] = {{"status", "Failure"}, {"message", one.error().message}};
      response["convertedObjects"] = Json::array();
      break;
    }
    response["convertedObjects"].push_back(std::move(*one));
  }
  return Json{{"apiVersion", kApiVersion}, {"kind", "ConversionReview"}, {"response", std::move(response)}};
}

}  // namespace twinspan::webhooks
