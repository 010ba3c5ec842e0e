#include "sandbox/api/routes.hpp"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "core/wait.hpp"
#include "sandbox/api/openapi.hpp"
#include "sandbox/api/patch.hpp"
#include "sandbox/api/selector.hpp"
#include "sandbox/api/table.hpp"

namespace twinspan::sandbox {
namespace {

std::vector<std::string> segments(const std::string& path) {
  std::vector<std::string> out;
  size_t begin = 0;
  while (begin < path.size()) {
    const size_t end = std::min(path.find('/', begin), path.size());
    if (end > begin) out.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

Form wanted_form(const std::string& accept) {
  const std::string first = accept.substr(0, accept.find(','));
  if (first.find("as=Table") != std::string::npos) return Form::kTable;
  if (first.find("as=PartialObjectMetadata") != std::string::npos) return Form::kMetadata;
  return Form::kObject;
}

}  // namespace

std::string ApiCall::query(const std::string& parameter) const {
  const auto found = http->query.find(parameter);
  return found == http->query.end() ? "" : found->second;
}

bool ApiCall::flag(const std::string& parameter) const {
  const std::string value = query(parameter);
  return value == "true" || value == "1";
}

net::OutgoingResponse answer(int status, const Json& body) {
  net::OutgoingResponse out;
  out.status = status;
  out.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  return out;
}

net::OutgoingResponse answer(const Refusal& refusal) {
  net::OutgoingResponse out = answer(refusal.code, to_status(refusal));
  if (refusal.retry_after_seconds)
    out.headers.emplace_back("Retry-After", std::to_string(*refusal.retry_after_seconds));
  if (refusal.code == 401) out.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"sandbox\"");
  return out;
}

Json shaped(const ApiCall& call, const Json& object) {
  Json out = call.form == Form::kMetadata ? partial_metadata(object) : object;
  if (call.form != Form::kMetadata) {
    out["apiVersion"] = call.kind->api_version();  // one stored form, served in every version the CRD has
    out["kind"] = call.kind->kind;
  }
  return out;
}

Routes::Routes(const ApiOptions& options, Store& store, Catalog& catalog, Registry& registry, Access& access,
               Faults& faults)
    : options_(options), store_(store), catalog_(catalog), registry_(registry), access_(access), faults_(faults) {}

void Routes::handle_pods(PodHandler handler) {
  std::lock_guard lock(pods_mutex_);
  pods_ = std::move(handler);
}

std::optional<User> Routes::authenticate(const net::IncomingRequest& request) const {
  if (const std::string header = request.header("Authorization"); header.starts_with("Bearer "))
    return access_.by_token(header.substr(7));
  User user;
  if (!request.peer_common_name.empty())
    user = Access::by_certificate(request.peer_common_name);
  else if (!options_.tls)
    user = Access::admin();
  else
    return std::nullopt;
  if (const std::string as = request.header("Impersonate-User"); !as.empty() && user.in_group("system:masters")) {
    User other{as, "", {"system:authenticated"}};
    for (const auto& [name, value] : request.headers)
      if (name == "Impersonate-Group") other.groups.push_back(value);
    return other;
  }
  return user;
}

net::OutgoingResponse Routes::handle(const net::IncomingRequest& request) {
  try {
    const auto path = segments(request.path);
    if (!path.empty() && path[0] == "sandbox") {
      const auto user = authenticate(request);
      if (!user || !user->in_group("system:masters"))
        return answer(refuse(401, "Unauthorized", "Unauthorized").error());
      return faults_endpoint(request);
    }
    if (faults_.unavailable())
      return answer(refuse(503, "ServiceUnavailable", "the sandbox was told to be unavailable").error());
    if (request.path == "/healthz" || request.path == "/readyz" || request.path == "/livez") {
      net::OutgoingResponse out;
      out.body = "ok";
      out.content_type = "text/plain; charset=utf-8";
      return out;
    }
    const auto user = authenticate(request);
    if (!user) return answer(refuse(401, "Unauthorized", "Unauthorized").error());
    if (auto done = unstored(request, *user)) return std::move(*done);

    // /api/VERSION/… or /apis/GROUP/VERSION/…, then [namespaces/NS/]RESOURCE[/NAME[/SUBRESOURCE]]
    const auto no_such_path = [] {
      return answer(refuse(404, "NotFound", "the server could not find the requested resource").error());
    };
    ApiCall call;
    call.http = &request;
    call.user = *user;
    const bool core = path[0] == "api";
    size_t at = core ? 2 : 3;
    if ((!core && path[0] != "apis") || path.size() <= at) return no_such_path();
    const std::string group = core ? "" : path[1], version = path[at - 1];
    if (path[at] == "namespaces" && path.size() > at + 2 && path[at + 2] != "status" && path[at + 2] != "finalize") {
      call.ns = path[at + 1];
      at += 2;
    }
    call.kind = catalog_.find(group, version, path[at]);
    if (!call.kind || (!call.ns.empty() && !call.kind->namespaced)) return no_such_path();
    if (path.size() > at + 1) call.name = path[at + 1];
    if (path.size() > at + 2) call.subresource = path[at + 2];
    if (path.size() > at + 3) return no_such_path();
    if (call.kind->namespaced && call.ns.empty() && !call.name.empty()) return no_such_path();
    call.form = wanted_form(request.header("Accept"));
    call.include_whole_object = call.query("includeObject") == "Object";

    const std::string& method = request.method;
    const bool one = !call.name.empty();
    if (method == "GET" || method == "HEAD")
      call.verb = one ? "get" : call.flag("watch") ? "watch" : "list";
    else if (method == "POST")
      call.verb = "create";
    else if (method == "PUT")
      call.verb = "update";
    else if (method == "PATCH")
      call.verb = "patch";
    else if (method == "DELETE")
      call.verb = one ? "delete" : "deletecollection";
    const bool fits = (call.verb == "create"                           ? !one || !call.subresource.empty()
                       : call.verb == "update" || call.verb == "patch" ? one
                                                                       : !call.verb.empty());
    if (!fits)
      return answer(
          refuse(405, "MethodNotAllowed", "the server does not allow this method on the requested resource").error());
    return serve(call);
  } catch (const Json::exception& e) {  // a body whose shape nobody expected
    return answer(bad_request(fmt::format("the body of the request can't be read: {}", e.what())).error());
  } catch (const std::exception& e) {
    return answer(refuse(500, "InternalError", fmt::format("Internal error occurred: {}", e.what())).error());
  }
}

net::OutgoingResponse Routes::serve(ApiCall& call) {
  const FaultSubject subject{call.verb, call.kind->plural, call.ns, call.name, call.http->header("User-Agent")};
  const FaultAction fault = faults_.on_request(subject);
  if (fault.delay.count() > 0) wait_for(fault.delay, {});
  const auto forbidden = [&](const char* why) {
    auto out = refuse(
        403, "Forbidden",
        fmt::format("{} {}is forbidden: User \"{}\" cannot {} resource \"{}\" in API group \"{}\" {}{}",
                    call.kind->resource().qualified(), call.name.empty() ? "" : fmt::format("\"{}\" ", call.name),
                    call.user.name, call.verb,
                    call.kind->plural + (call.subresource.empty() ? "" : "/" + call.subresource), call.kind->group,
                    call.ns.empty() ? "at the cluster scope" : fmt::format("in the namespace \"{}\"", call.ns), why));
    out.error().group = call.kind->group;
    out.error().kind = call.kind->plural;
    out.error().name = call.name;
    return answer(out.error());
  };
  if (fault.deny) return forbidden(": denied by a fault rule");
  const auto fail_with = [&](int status) {
    static const std::map<int, std::pair<const char*, const char*>> kReasons = {
        {409, {"Conflict", "Operation cannot be fulfilled: a fault rule answers conflict"}},
        {410, {"Expired", "too old resource version: a fault rule answers expired"}},
        {429, {"TooManyRequests", "too many requests: a fault rule answers throttled"}},
        {500, {"InternalError", "Internal error occurred: a fault rule answers so"}},
        {503, {"ServiceUnavailable", "the server is currently unable to handle the request: a fault rule answers so"}},
        {504, {"Timeout", "the server was unable to return a response in the time allotted: a fault rule answers so"}}};
    const auto reason = kReasons.find(status);
    auto out = reason == kReasons.end() ? refuse(status, "InternalError", "a fault rule answers so")
                                        : refuse(status, reason->second.first, reason->second.second);
    out.error().retry_after_seconds = fault.retry_after_seconds;
    return answer(out.error());
  };
  if (fault.status && !fault.write_then_fail) return fail_with(*fault.status);
  // A collection read by metadata.name is authorised as that one object (Kubernetes: RBAC, "Referring to resources").
  constexpr std::string_view kByName = "metadata.name=";
  const std::string selector = call.query("fieldSelector");
  const bool by_name = call.name.empty() && selector.starts_with(kByName) && selector.find(',') == std::string::npos;
  const std::string accessed = by_name ? selector.substr(kByName.size()) : call.name;
  if (!access_.allowed(call.user,
                       {call.verb, call.kind->group, call.kind->plural, call.subresource, call.ns, accessed, ""}))
    return forbidden("");

  net::OutgoingResponse out;
  const bool pod_call = call.kind->group.empty() && call.kind->plural == "pods" &&
                        (call.subresource == "log" || call.subresource == "exec" || call.subresource == "eviction" ||
                         call.subresource == "binding");
  const bool account_call =
      call.kind->group.empty() && call.kind->plural == "serviceaccounts" && call.subresource == "token";
  const bool status_call = call.subresource == "status" && call.kind->status;
  const bool finalize = call.kind->plural == "namespaces" && call.subresource == "finalize";
  if (pod_call || account_call)
    out = pod_action(call);
  else if (!call.subresource.empty() && !status_call && !finalize)
    out = answer(refuse(404, "NotFound", "the server could not find the requested resource").error());
  else if (call.verb == "get")
    out = get(call);
  else if (call.verb == "list")
    out = list(call);
  else if (call.verb == "watch")
    out = watch(call);
  else if (call.verb == "create")
    out = create(call);
  else if (call.verb == "update")
    out = update(call);
  else if (call.verb == "patch")
    out = patch(call);
  else if (call.verb == "delete")
    out = remove(call);
  else
    out = remove_collection(call);
  if (fault.write_then_fail) return fail_with(fault.status.value_or(500));
  for (const std::string& warning : call.warnings)
    out.headers.emplace_back("Warning", fmt::format("299 - \"{}\"", [&] {
                               std::string escaped;
                               for (const char c : warning)
                                 escaped += c == '"' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
                               return escaped;
                             }()));
  return out;
}

namespace {
net::OutgoingResponse answer_object(const ApiCall& call, int status, const Json& object) {
  if (call.form != Form::kTable) return answer(status, shaped(call, object));
  const Json served = shaped(call, object);
  return answer(
      status, make_table(*call.kind, {&served}, {{"resourceVersion", object["metadata"].value("resourceVersion", "")}},
                         {call.include_whole_object, true}, SystemClock().wall_now()));
}
}  // namespace

net::OutgoingResponse Routes::get(ApiCall& call) {
  const auto found = registry_.get(*call.kind, {call.ns, call.name});
  if (!found) return answer(found.error());
  if (const std::string version = call.query("resourceVersion");
      !version.empty() && std::strtoull(version.c_str(), nullptr, 10) > store_.revision())
    return answer(refuse(504, "Timeout", "Too large resource version").error());
  return answer_object(call, 200, **found);
}

net::OutgoingResponse Routes::list(ApiCall& call) {
  const auto labels = LabelSelector::parse(call.query("labelSelector"));
  if (!labels) return answer(labels.error());
  const auto fields = FieldSelector::parse(call.query("fieldSelector"), *call.kind);
  if (!fields) return answer(fields.error());
  const size_t limit = std::strtoull(call.query("limit").c_str(), nullptr, 10);
  uint64_t revision = 0;
  kube::Key after;
  if (const std::string token = call.query("continue");
      !token.empty()) {  // REVISION.NAMESPACE/NAME of the last item given
    const size_t dot = token.find('.'), slash = token.rfind('/');
    if (dot == std::string::npos || slash == std::string::npos || slash < dot)
      return answer(bad_request("continue key is not valid").error());
    revision = std::strtoull(token.c_str(), nullptr, 10);
    after = {token.substr(dot + 1, slash - dot - 1), token.substr(slash + 1)};
  } else if (const std::string version = call.query("resourceVersion"); !version.empty() && version != "0") {
    const uint64_t asked = std::strtoull(version.c_str(), nullptr, 10);
    if (asked == 0) return answer(bad_request(fmt::format("Invalid value: \"{}\": resourceVersion", version)).error());
    if (asked > store_.revision()) {
      auto refused = refuse(
          504, "Timeout", "Too large resource version: " + version + ", current: " + std::to_string(store_.revision()));
      refused.error().retry_after_seconds = 1;
      refused.error().causes.push_back({"ResourceVersionTooLarge", "Too large resource version", ""});
      return answer(refused.error());
    }
    if (call.query("resourceVersionMatch") == "Exact") revision = asked;
  }
  const auto listed = store_.list(call.kind->resource(), call.ns, revision);
  if (!listed) {
    if (call.query("continue").empty())
      return answer(gone(fmt::format("The resourceVersion for the provided list is too old.")).error());
    return answer(gone("The provided continue parameter is too old to display a consistent list result. You can start "
                       "a new list without the continue parameter.")
                      .error());
  }
  std::vector<const Json*> chosen;
  std::string token;
  size_t remaining = 0;
  kube::Key last;
  for (const auto& [key, object] : listed->items) {
    if (!after.name.empty() && key <= after) continue;
    if (!labels->matches(*object) || !fields->matches(*object)) continue;
    if (limit > 0 && chosen.size() == limit) {
      ++remaining;
      continue;
    }
    chosen.push_back(object.get());
    last = key;
  }
  Json metadata = {{"resourceVersion", std::to_string(listed->revision)}};
  if (remaining > 0) {
    metadata["continue"] = fmt::format("{}.{}/{}", listed->revision, last.ns, last.name);
    if (labels->empty() && fields->empty()) metadata["remainingItemCount"] = remaining;
  }
  if (call.form == Form::kTable) {
    return answer(200, make_table(*call.kind, chosen, std::move(metadata), {call.include_whole_object, true},
                                  SystemClock().wall_now()));
  }
  // Written piece by piece: a list of thousands is not copied into one value first.
  const bool partial = call.form == Form::kMetadata;
  net::OutgoingResponse out;
  out.body = fmt::format("{{\"apiVersion\":{},\"kind\":{},\"metadata\":{},\"items\":[",
                         Json(partial ? "meta.k8s.io/v1" : call.kind->api_version()).dump(),
                         Json(partial ? "PartialObjectMetadataList" : call.kind->list_kind()).dump(), metadata.dump());
  for (const Json* object : chosen) {
    if (object != chosen.front()) out.body += ',';
    const bool as_stored = !partial && (*object)["apiVersion"] == call.kind->api_version();
    out.body += (as_stored ? *object : shaped(call, *object)).dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  out.body += "]}";
  return out;
}

Answer<WriteOptions> Routes::write_options(ApiCall& call) const {
  WriteOptions out;
  out.warnings = &call.warnings;
  out.manager = call.query("fieldManager");
  if (out.manager.empty()) {
    const std::string agent = call.http->header("User-Agent");
    out.manager = agent.substr(0, agent.find('/'));
    if (out.manager.empty()) out.manager = "unknown";
  }
  if (const std::string dry = call.query("dryRun"); !dry.empty()) {
    if (dry != "All")
      return bad_request(
          fmt::format("Invalid value: \"{}\": dryRun: Unsupported value: supported values: \"All\"", dry));
    out.dry_run = true;
  }
  out.force = call.flag("force");
  const std::string validation = call.query("fieldValidation");
  if (validation == "Ignore")
    out.validation = FieldValidation::kIgnore;
  else if (validation == "Strict")
    out.validation = FieldValidation::kStrict;
  else if (!validation.empty() && validation != "Warn")
    return bad_request(fmt::format("fieldValidation: Unsupported value: \"{}\"", validation));
  return out;
}

net::OutgoingResponse Routes::create(ApiCall& call) {
  auto body = parse_body(call.http->body);
  if (!body) return answer(body.error());
  const auto options = write_options(call);
  if (!options) return answer(options.error());
  const std::string ns = call.kind->namespaced ? call.ns : "";
  const auto created = registry_.create(*call.kind, ns, std::move(*body), *options);
  if (!created) return answer(created.error());
  return answer_object(call, 201, **created);
}

net::OutgoingResponse Routes::update(ApiCall& call) {
  auto body = parse_body(call.http->body);
  if (!body) return answer(body.error());
  const auto options = write_options(call);
  if (!options) return answer(options.error());
  const std::string subresource = call.subresource == "finalize" ? "" : call.subresource;
  const auto updated = registry_.update(*call.kind, {call.ns, call.name}, std::move(*body), subresource, *options);
  if (!updated) return answer(updated.error());
  return answer_object(call, 200, **updated);
}

net::OutgoingResponse Routes::patch(ApiCall& call) {
  static const std::map<std::string, PatchType> kTypes = {
      {"application/json-patch+json", PatchType::kJson},
      {"application/merge-patch+json", PatchType::kMerge},
      {"application/strategic-merge-patch+json", PatchType::kStrategic},
      {"application/apply-patch+yaml", PatchType::kApply}};
  std::string type = call.http->header("Content-Type");
  type = type.substr(0, type.find(';'));
  const auto found = kTypes.find(type);
  if (found == kTypes.end())
    return answer(
        refuse(415, "UnsupportedMediaType",
               fmt::format("the body of the request was in an unknown format - accepted media types include: {}",
                           "application/json-patch+json, application/merge-patch+json, "
                           "application/strategic-merge-patch+json, application/apply-patch+yaml"))
            .error());
  auto body = parse_body(call.http->body);
  if (!body) return answer(body.error());
  const auto options = write_options(call);
  if (!options) return answer(options.error());
  if (found->second == PatchType::kApply && call.query("fieldManager").empty())
    return answer(
        invalid("meta.k8s.io", "PatchOptions", "", {required_value("fieldManager", "is required for apply patch")})
            .error());
  const auto patched =
      registry_.patch(*call.kind, {call.ns, call.name}, found->second, *body, call.subresource, *options);
  if (!patched) return answer(patched.error());
  return answer_object(call, patched->created ? 201 : 200, *patched->object);
}

namespace {
Answer<DeleteRequest> delete_request(const ApiCall& call) {
  DeleteRequest out;
  Json body = Json::object();
  if (!call.http->body.empty()) {
    auto parsed = parse_body(call.http->body);
    if (!parsed) return std::unexpected(parsed.error());
    if (parsed->is_object()) body = std::move(*parsed);
  }
  if (body.contains("gracePeriodSeconds") && body["gracePeriodSeconds"].is_number())
    out.grace_seconds = body["gracePeriodSeconds"].get<int64_t>();
  if (const std::string grace = call.query("gracePeriodSeconds"); !grace.empty())
    out.grace_seconds = std::strtoll(grace.c_str(), nullptr, 10);
  if (body.contains("propagationPolicy") && body["propagationPolicy"].is_string())
    out.propagation = body["propagationPolicy"];
  if (const std::string policy = call.query("propagationPolicy"); !policy.empty()) out.propagation = policy;
  if (body.value("orphanDependents", false)) out.propagation = "Orphan";
  if (!out.propagation.empty() && out.propagation != "Foreground" && out.propagation != "Background" &&
      out.propagation != "Orphan")
    return invalid("meta.k8s.io", "DeleteOptions", "",
                   {unsupported_value("propagationPolicy", out.propagation, {"Background", "Foreground", "Orphan"})});
  const Json preconditions =
      body.contains("preconditions") && body["preconditions"].is_object() ? body["preconditions"] : Json::object();
  out.uid = preconditions.value("uid", "");
  out.resource_version = preconditions.value("resourceVersion", "");
  out.dry_run = call.query("dryRun") == "All" || body.value("dryRun", Json::array()) == Json::array({"All"});
  return out;
}
}  // namespace

net::OutgoingResponse Routes::remove(ApiCall& call) {
  const auto request = delete_request(call);
  if (!request) return answer(request.error());
  const auto deleted = registry_.remove(*call.kind, {call.ns, call.name}, *request);
  if (!deleted) return answer(deleted.error());
  const bool returns_object =
      !deleted->gone || (!call.kind->custom && (call.kind->plural == "pods" || call.kind->plural == "services" ||
                                                call.kind->plural == "persistentvolumeclaims"));
  if (returns_object) return answer(200, shaped(call, *deleted->object));
  Json status = success_status();
  status["details"] = {
      {"name", call.name}, {"kind", call.kind->plural}, {"uid", (*deleted->object)["metadata"].value("uid", "")}};
  if (!call.kind->group.empty()) status["details"]["group"] = call.kind->group;
  return answer(200, status);
}

net::OutgoingResponse Routes::remove_collection(ApiCall& call) {
  const auto request = delete_request(call);
  if (!request) return answer(request.error());
  const auto labels = LabelSelector::parse(call.query("labelSelector"));
  if (!labels) return answer(labels.error());
  const auto fields = FieldSelector::parse(call.query("fieldSelector"), *call.kind);
  if (!fields) return answer(fields.error());
  const auto listed = store_.list(call.kind->resource(), call.ns);
  Json items = Json::array();
  for (const auto& [key, object] : listed->items) {
    if (!labels->matches(*object) || !fields->matches(*object)) continue;
    if (const auto deleted = registry_.remove(*call.kind, key, *request))
      items.push_back(shaped(call, *deleted->object));
  }
  return answer(200, {{"apiVersion", call.kind->api_version()},
                      {"kind", call.kind->list_kind()},
                      {"metadata", {{"resourceVersion", std::to_string(store_.revision())}}},
                      {"items", items}});
}

net::OutgoingResponse Routes::pod_action(ApiCall& call) {
  const kube::Key key{call.ns, call.name};
  const auto object = registry_.get(*call.kind, key);
  if (!object) return answer(object.error());
  auto body = call.http->body.empty() || call.subresource == "exec" ? Answer<Json>(Json::object())
                                                                    : parse_body(call.http->body);
  if (!body) return answer(body.error());
  if (call.subresource == "token") {
    const std::string token = access_.issue_token(call.ns, call.name);
    (*body)["apiVersion"] = "authentication.k8s.io/v1";
    (*body)["kind"] = "TokenRequest";
    const int64_t seconds = body->value("spec", Json::object()).value("expirationSeconds", int64_t{3600});
    (*body)["status"] = {{"token", token},
                         {"expirationTimestamp", to_rfc3339(SystemClock().wall_now() + std::chrono::seconds(seconds))}};
    return answer(201, *body);
  }
  if (call.subresource == "eviction") {
    DeleteRequest request;
    if (const Json options = body->value("deleteOptions", Json::object()); options.contains("gracePeriodSeconds"))
      request.grace_seconds = options["gracePeriodSeconds"].get<int64_t>();
    if (const auto deleted = registry_.remove(*call.kind, key, request); !deleted) return answer(deleted.error());
    return answer(201, success_status());
  }
  if (call.subresource == "binding") {
    const std::string node = body->value("target", Json::object()).value("name", "");
    const auto bound = registry_.amend(*call.kind, key, [&](Json& pod) {
      pod["spec"]["nodeName"] = node;
      return true;
    });
    return bound ? answer(201, success_status()) : answer(bound.error());
  }
  PodHandler handler;
  {
    std::lock_guard lock(pods_mutex_);
    handler = pods_;
  }
  if (!handler)
    return answer(
        refuse(501, "NotImplemented", fmt::format("pods/{}: nothing runs pods here", call.subresource)).error());
  return handler(PodCall{call.ns, call.name, call.subresource, *call.http});
}

}  // namespace twinspan::sandbox
