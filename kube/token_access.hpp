// Whether whoever shows a bearer token may get a path of ours, by the cluster's own rules: TokenReview says who it is,
// SubjectAccessReview what they may do, as client-go's delegating authenticator and authorizer ask.
// https://kubernetes.io/docs/reference/access-authn-authz/webhook/
#pragma once
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/clock.hpp"
#include "core/guarded.hpp"
#include "core/json.hpp"
#include "core/result.hpp"

namespace twinspan::kube {

enum class Access {
  kAllowed,
  kForbidden,  // a user that is known, and may not
  kUnknown,    // the API server knows no such token, or no longer
};

// Any thread. Answers are remembered for a while, by the token's digest: tokens are kept nowhere.
class TokenAccess {
 public:
  // How long an answer may be believed, counted from when it was asked for. A token that is revoked, or a right that is
  // taken, lets in for so long; a right that is given is seen after the shorter one.
  static constexpr std::chrono::seconds kAllowedLife{30}, kRefusedLife{5};
  static constexpr size_t kRememberedMost = 1024;

  // Creates the review at the path of the API and gives it back with its status.
  using Review = std::function<Result<Json>(std::string_view path, const Json& review, const std::stop_token& stop)>;
  TokenAccess(const Clock& clock, Review review) : clock_(clock), review_(std::move(review)) {}

  // Whether the token's bearer may `get` the path that no resource of the API has (nonResourceURLs of a ClusterRole).
  // An error: the API server could not be asked, or did not say; that is never remembered.
  Result<Access> may_get(const std::string& path, const std::string& token, const std::stop_token& stop);

 private:
  struct Remembered {
    Access access;
    BootTime until;
  };
  Result<Access> ask(const std::string& path, const std::string& token, const std::stop_token& stop) const;
  void remember(std::string question, Remembered answer);

  const Clock& clock_;
  const Review review_;
  Mutex mutex_;
  std::map<std::string, Remembered, std::less<>> remembered_ GUARDED_BY(mutex_);  // by digest of path and token
};

}  // namespace twinspan::kube
