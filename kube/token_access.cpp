#include "kube/token_access.hpp"

#include <openssl/evp.h>

#include <nlohmann/json.hpp>

namespace twinspan::kube {
namespace {

// SHA-256: two questions never look alike, and no token can be read from it.
std::string digest_of(std::string_view path, std::string_view token) {
  std::string bytes(path);
  bytes.append(1, '\0').append(token);
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), out, &size, EVP_sha256(), nullptr);
  return {reinterpret_cast<char*>(out), size};
}

Json review_of(const char* group, const char* kind, Json spec) {
  return {{"apiVersion", std::string(group) + "/v1"}, {"kind", kind}, {"spec", std::move(spec)}};
}

// nullopt: not said.
std::optional<bool> said(const Json& status, const char* field) {
  const Json& value = member_of(status, field);
  return value.is_boolean() ? std::optional(value.get<bool>()) : std::nullopt;
}

}  // namespace

Result<Access> TokenAccess::may_get(const std::string& path, const std::string& token, const std::stop_token& stop) {
  if (token.empty()) return Access::kUnknown;
  const BootTime asked = clock_.boot_now();
  std::string question = digest_of(path, token);
  {
    MutexLock lock(mutex_);
    if (const auto found = remembered_.find(question); found != remembered_.end() && asked < found->second.until)
      return found->second.access;
  }
  const auto access = ask(path, token, stop);
  if (access)
    remember(std::move(question), {*access, asked + (*access == Access::kAllowed ? kAllowedLife : kRefusedLife)});
  return access;
}

Result<Access> TokenAccess::ask(const std::string& path, const std::string& token, const std::stop_token& stop) const {
  const auto who = review_("/apis/authentication.k8s.io/v1/tokenreviews",
                           review_of("authentication.k8s.io", "TokenReview", {{"token", token}}), stop);
  if (!who) return std::unexpected(who.error());
  const Json& identity = member_of(*who, "status");
  // `authenticated` is left out where it is false; a status without either was written by nobody.
  if (!said(identity, "authenticated").value_or(false)) {
    if (!identity.is_object()) return fail(Code::kUnavailable, "the TokenReview came back without a status");
    return Access::kUnknown;
  }
  const Json& user = member_of(identity, "user");
  const std::string name = text_of(user, "username");
  if (name.empty()) return fail(Code::kUnavailable, "the TokenReview came back without a user");
  Json spec = {{"user", name}, {"nonResourceAttributes", {{"path", path}, {"verb", "get"}}}};
  for (const char* field : {"uid", "groups", "extra"})
    if (const Json& value = member_of(user, field); !value.is_null()) spec[field] = value;
  const auto may = review_("/apis/authorization.k8s.io/v1/subjectaccessreviews",
                           review_of("authorization.k8s.io", "SubjectAccessReview", std::move(spec)), stop);
  if (!may) return std::unexpected(may.error());
  const Json& verdict = member_of(*may, "status");
  const auto allowed = said(verdict, "allowed");
  if (!allowed) return fail(Code::kUnavailable, "the SubjectAccessReview came back without an answer");
  return *allowed && !said(verdict, "denied").value_or(false) ? Access::kAllowed : Access::kForbidden;
}

// Who sends ever other tokens fills no memory, and drives nobody out who was let in.
void TokenAccess::remember(std::string question, Remembered answer) {
  const BootTime now = clock_.boot_now();
  MutexLock lock(mutex_);
  if (remembered_.size() >= kRememberedMost)
    std::erase_if(remembered_, [&](const auto& one) { return one.second.until <= now; });
  if (remembered_.size() >= kRememberedMost)
    std::erase_if(remembered_, [](const auto& one) { return one.second.access != Access::kAllowed; });
  if (remembered_.size() < kRememberedMost) remembered_.insert_or_assign(std::move(question), answer);
}

}  // namespace twinspan::kube
