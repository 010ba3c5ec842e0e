#include "kube/api_error.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace twinspan::kube {
namespace {

// API conventions, "Response Status Kind".
Code code_of(int status, std::string_view reason) {
  switch (status) {
    case 400:
    case 405:
    case 406:
    case 413:
    case 415:
    case 422: return Code::kInvalid;
    case 401:
    case 403: return Code::kDenied;
    case 404: return Code::kNotFound;
    case 409: return reason == "AlreadyExists" ? Code::kAlreadyExists : Code::kConflict;
    case 410: return Code::kGone;
    case 429: return Code::kThrottled;
    case 408:
    case 504: return Code::kTimeout;
    default: return status >= 500 ? Code::kUnavailable : Code::kInternal;
  }
}

// Nothing is created in a namespace that is being deleted: as if it were gone.
bool is_terminating_namespace(const Json& status) {
  for (const Json& cause : member_of(member_of(status, "details"), "causes"))
    if (text_of(cause, "reason") == "NamespaceTerminating") return true;
  return false;
}

// What was judged by its uid is another object by now: a PUT is answered by a conflict, a patch by this.
bool is_another_object(const Json& status) {
  for (const Json& cause : member_of(member_of(status, "details"), "causes"))
    if (text_of(cause, "field") == "metadata.uid") return true;
  return false;
}

// The admission of pods reads ServiceAccounts from a cache of its own, which may be behind what was just written. There
// is no cause in the answer that tells.
bool is_behind(const std::string& message) {
  return message.find("error looking up service account") != std::string::npos;
}

std::string causes_of(const Json& status, const std::string& message) {
  std::string out;
  const auto details = status.find("details");
  if (details == status.end() || !details->is_object()) return out;
  const auto causes = details->find("causes");
  if (causes == details->end() || !causes->is_array()) return out;
  for (const Json& cause : *causes) {
    if (!cause.is_object()) continue;
    const std::string field = text_of(cause, "field"), why = text_of(cause, "message");
    if ((field.empty() || message.find(field) != std::string::npos) && message.find(why) != std::string::npos) continue;
    out += out.empty() ? " (" : "; ";
    out += field.empty() ? why : field + ": " + why;
  }
  if (!out.empty()) out += ")";
  return out;
}

}  // namespace

Error error_of_status(const Json& status) {
  int number = 500;
  if (const auto found = status.find("code"); found != status.end() && found->is_number_integer())
    number = found->get<int>();
  const std::string reason = text_of(status, "reason");
  if (reason == "Expired" || reason == "Gone") number = 410;
  if (number == 403 && is_terminating_namespace(status)) number = 404;
  if (number == 422 && is_another_object(status)) number = 409;
  std::string message = text_of(status, "message");
  if (number == 403 && is_behind(message)) number = 409;
  if (message.empty()) message = reason.empty() ? fmt::format("HTTP status {}", number) : reason;
  message += causes_of(status, message);
  return fail(code_of(number, reason), std::move(message)).error();
}

Error error_of(const net::Response& response) {
  Json body = Json::parse(response.body, nullptr, false);
  if (body.is_object() && text_of(body, "kind") == "Status") {
    body["code"] = response.status;
    return error_of_status(body);
  }
  std::string message = fmt::format("HTTP status {}", response.status);
  std::string_view rest = response.body;
  while (!rest.empty() && static_cast<unsigned char>(rest.back()) <= ' ') rest.remove_suffix(1);
  if (!rest.empty()) message += ": " + std::string(rest.substr(0, 200));
  return fail(code_of(response.status, {}), std::move(message)).error();
}

}  // namespace twinspan::kube
