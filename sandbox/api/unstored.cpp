// Paths that answer without a stored object: discovery, schemas, version, reviews, fault injection.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "sandbox/api/openapi.hpp"
#include "sandbox/api/patch.hpp"
#include "sandbox/api/routes.hpp"

namespace twinspan::sandbox {

std::optional<net::OutgoingResponse> Routes::unstored(const net::IncomingRequest& request, const User& user) {
  std::string path = request.path;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  const auto not_there = [] {
    return answer(refuse(404, "NotFound", "the server could not find the requested resource").error());
  };
  const auto parts = std::count(path.begin(), path.end(), '/');
  const bool api = path == "/api" || path.starts_with("/api/"), apis = path == "/apis" || path.starts_with("/apis/");
  if (!api && !apis && !access_.allowed(user, {"get", "", "", "", "", "", path}))
    return answer(
        refuse(403, "Forbidden", fmt::format("forbidden: User \"{}\" cannot get path \"{}\"", user.name, path))
            .error());
  if (path == "/version")
    return answer(200, {{"major", "1"},
                        {"minor", "34"},
                        {"gitVersion", "v1.34.4+sandbox"},
                        {"gitCommit", ""},
                        {"gitTreeState", "clean"},
                        {"buildDate", "1970-01-01T00:00:00Z"},
                        {"goVersion", ""},
                        {"compiler", ""},
                        {"platform", "linux/amd64"}});
  if (path == "/api") return answer(200, core_versions());
  if (path == "/apis") return answer(200, group_list(catalog_));
  if (path == "/api/v1") return answer(200, *resource_list(catalog_, "", "v1"));
  if (apis && parts == 2) {
    const auto document = group_document(catalog_, path.substr(6));
    return document ? answer(200, *document) : not_there();
  }
  if (apis && parts == 3) {
    const size_t slash = path.rfind('/');
    const auto document = resource_list(catalog_, path.substr(6, slash - 6), path.substr(slash + 1));
    return document ? answer(200, *document) : not_there();
  }
  if (path == "/openapi/v2") {
    if (request.header("Accept").find("protobuf") != std::string::npos &&
        request.header("Accept").find("json") == std::string::npos)
      return answer(refuse(406, "NotAcceptable", "only application/json is served here").error());
    return answer(200, openapi_v2(catalog_));
  }
  if (path == "/openapi/v3") return answer(200, openapi_v3_index(catalog_));
  if (path.starts_with("/openapi/v3/")) {
    const auto document = openapi_v3(catalog_, path.substr(12));
    return document ? answer(200, *document) : not_there();
  }
  if (path.starts_with("/apis/authentication.k8s.io/v1/") || path.starts_with("/apis/authorization.k8s.io/v1/"))
    return review(request, user);
  if (!api && !apis) return not_there();
  return std::nullopt;
}

std::optional<net::OutgoingResponse> Routes::review(const net::IncomingRequest& request, const User& user) {
  const std::string resource = request.path.substr(request.path.rfind('/') + 1);
  if (request.method != "POST")
    return answer(
        refuse(405, "MethodNotAllowed", "the server does not allow this method on the requested resource").error());
  const std::string group =
      request.path.starts_with("/apis/authentication") ? "authentication.k8s.io" : "authorization.k8s.io";
  if (!access_.allowed(user, {"create", group, resource, "", "", "", ""}))
    return answer(refuse(403, "Forbidden",
                         fmt::format("{}.{} is forbidden: User \"{}\" cannot create resource \"{}\" in API group "
                                     "\"{}\" at the cluster scope",
                                     resource, group, user.name, resource, group))
                      .error());
  auto body = parse_body(request.body);
  if (!body) return answer(body.error());
  if (!body->is_object()) return answer(bad_request("the body of the request must be an object").error());
  Json& out = *body;
  if (!out.contains("spec")) out["spec"] = Json::object();
  const auto described = [](const User& who) {
    Json info = {{"username", who.name}, {"groups", who.groups}};
    if (!who.uid.empty()) info["uid"] = who.uid;
    return info;
  };
  if (resource == "tokenreviews") {
    const auto found = access_.by_token(out["spec"].value("token", ""));
    out["status"] = found ? Json{{"authenticated", true}, {"user", described(*found)}}
                          : Json{{"authenticated", false}, {"error", "the token is not known"}};
  } else if (resource == "selfsubjectreviews") {
    out["status"] = {{"userInfo", described(user)}};
  } else if (resource == "selfsubjectrulesreviews") {
    out["status"] = {{"resourceRules", Json::array()}, {"nonResourceRules", Json::array()}, {"incomplete", true}};
  } else if (resource.ends_with("subjectaccessreviews")) {
    User who = user;
    if (resource != "selfsubjectaccessreviews") {
      who = User{out["spec"].value("user", ""), out["spec"].value("uid", ""),
                 out["spec"].value("groups", std::vector<std::string>{})};
    }
    AccessRequest asked;
    if (out["spec"].contains("resourceAttributes")) {
      const Json& attributes = out["spec"]["resourceAttributes"];
      asked = {attributes.value("verb", ""),
               attributes.value("group", ""),
               attributes.value("resource", ""),
               attributes.value("subresource", ""),
               attributes.value("namespace", ""),
               attributes.value("name", ""),
               ""};
    } else {
      const Json attributes = out["spec"].value("nonResourceAttributes", Json::object());
      asked.verb = attributes.value("verb", "");
      asked.path = attributes.value("path", "/");
    }
    const bool allowed = access_.allowed(who, asked);
    out["status"] = {{"allowed", allowed}, {"reason", allowed ? "RBAC: allowed" : ""}};
  } else {
    return std::nullopt;
  }
  if (!out.contains("metadata")) out["metadata"] = Json::object();
  return answer(201, out);
}

net::OutgoingResponse Routes::faults_endpoint(const net::IncomingRequest& request) {
  if (request.path == "/sandbox/compact" && request.method == "POST") {
    store_.compact();
    return answer(200, success_status());
  }
  if (request.path == "/sandbox/save" && request.method == "POST") {
    store_.save();
    return answer(200, success_status());
  }
  if (request.path == "/sandbox/restore" && request.method == "POST") {
    FaultRule restarting;  // as the API servers do when their etcd is replaced
    restarting.action.unavailable = std::chrono::milliseconds(500);
    faults_.add(std::move(restarting));
    if (!store_.set_back()) return answer(refuse(409, "Conflict", "nothing was saved").error());
    return answer(200, success_status());
  }
  if (request.path != "/sandbox/faults")
    return answer(refuse(404, "NotFound", "faults, compact, save and restore are what there is").error());
  if (request.method == "DELETE") {
    faults_.clear();
    return answer(200, success_status());
  }
  if (request.method == "GET") return answer(200, {{"hits", faults_.hits()}});
  const Json body = Json::parse(request.body, nullptr, false);
  if (body.is_discarded()) return answer(bad_request("the body of the request must be JSON").error());
  std::vector<FaultRule> rules;
  for (const Json& each : body.is_array() ? body : Json::array({body})) {
    auto rule = parse_fault(each);
    if (!rule) return answer(bad_request(rule.error().message).error());
    rules.push_back(std::move(*rule));
  }
  for (FaultRule& rule : rules) faults_.add(std::move(rule));
  store_.wake();
  return answer(201, success_status());
}

}  // namespace twinspan::sandbox
