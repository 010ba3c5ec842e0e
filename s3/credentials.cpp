#include "s3/credentials.hpp"

#include <fmt/format.h>

#include <cstdlib>

#include "core/file.hpp"
#include "core/json.hpp"
#include "core/log.hpp"
#include "net/http.hpp"
#include "s3/answer.hpp"
#include "s3/refusal.hpp"
#include "s3/sign.hpp"

namespace twinspan::s3 {
namespace {

constexpr std::chrono::minutes kBeforeExpiry{5};
constexpr std::chrono::seconds kRefusedAgain{2};  // refusals of many threads at once are one

std::string trimmed(std::string text) {
  const auto space = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  while (!text.empty() && space(text.back())) text.pop_back();
  return text;
}

std::optional<std::string> word_in(const std::string& path) {
  auto text = read_file(path);
  return text ? std::optional(trimmed(std::move(*text))) : std::nullopt;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

Result<std::string> body_of(const Result<net::Response>& answer, std::string_view what) {
  if (!answer) return std::unexpected(answer.error());
  if (answer->status == 200) return answer->body;
  Error error = to_error(answer->status, parse_refusal(answer->body).value_or(Refusal()));
  error.message = fmt::format("{}: {}", what, error.message);
  return std::unexpected(std::move(error));
}

}  // namespace

Result<Credentials> KeptCredentials::get(bool refused, std::stop_token stop) {
  MutexLock lock(mutex_);
  const BootTime now = clock_.boot_now();
  const auto expires_within = [&](std::chrono::seconds time) REQUIRES(mutex_) {
    return kept_->expires && clock_.wall_now() + time >= *kept_->expires;
  };
  if (kept_ && !expires_within(kBeforeExpiry) && now - fetched_at_ < (refused ? kRefusedAgain : keep_)) return *kept_;
  auto fresh = fetch(std::move(stop));
  if (!fresh) {
    if (!kept_ || refused || expires_within(std::chrono::seconds(0))) return fresh;
    log::warn("credentials not renewed: the old ones are used on", {{"error", fresh.error().message}});
    return *kept_;
  }
  kept_ = std::move(*fresh);
  fetched_at_ = now;
  return *kept_;
}

Result<Credentials> FileCredentials::fetch(std::stop_token) {
  const auto either = [&](const char* one, const char* other) {
    auto text = word_in(folder_ + "/" + one);
    return text ? text : word_in(folder_ + "/" + other);
  };
  const auto id = either("accessKeyId", "AWS_ACCESS_KEY_ID");
  const auto secret = either("secretAccessKey", "AWS_SECRET_ACCESS_KEY");
  const auto token = either("sessionToken", "AWS_SESSION_TOKEN");
  for (const auto& [value, name] : {std::pair(&id, "accessKeyId"), {&secret, "secretAccessKey"}})
    if (!*value || (*value)->empty())
      return fail(Code::kDenied, fmt::format("credentials: no file {} in {}", name, folder_));
  return Credentials{*id, *secret, token.value_or("")};
}

std::optional<WebIdentityCredentials::Config> WebIdentityCredentials::from_environment(const std::string& region) {
  Config out;
  out.role_arn = environment("AWS_ROLE_ARN");
  out.token_file = environment("AWS_WEB_IDENTITY_TOKEN_FILE");
  if (out.role_arn.empty() || out.token_file.empty()) return std::nullopt;
  if (const std::string name = environment("AWS_ROLE_SESSION_NAME"); !name.empty()) out.session_name = name;
  out.endpoint = environment("AWS_ENDPOINT_URL_STS");
  if (out.endpoint.empty()) out.endpoint = fmt::format("https://sts.{}.amazonaws.com", region);
  return out;
}

Result<Credentials> WebIdentityCredentials::fetch(std::stop_token stop) {
  const auto token = word_in(config_.token_file);
  if (!token || token->empty())
    return fail(Code::kDenied, fmt::format("credentials: no token in {}", config_.token_file));
  net::Client client(config_.endpoint, {.ca_pem = config_.ca_pem}, {.connections = 1});
  net::Request request;
  request.method = "POST";
  request.content_type = "application/x-www-form-urlencoded";
  request.body = canonical_query({{"Action", "AssumeRoleWithWebIdentity"},
                                  {"Version", "2011-06-15"},
                                  {"RoleArn", config_.role_arn},
                                  {"RoleSessionName", config_.session_name},
                                  {"WebIdentityToken", *token}});
  auto body = body_of(client.send(request, std::move(stop)), "AssumeRoleWithWebIdentity");
  if (!body) return std::unexpected(body.error());
  Credentials out;
  const auto expiration = parse_session(std::move(*body), out.access_key_id, out.secret_access_key, out.session_token);
  if (!expiration) return std::unexpected(expiration.error());
  const auto expires = parse_rfc3339(*expiration);
  if (!expires) return std::unexpected(expires.error());
  out.expires = *expires;
  return out;
}

Result<Credentials> InstanceCredentials::fetch(std::stop_token stop) {
  static constexpr const char* kPath = "/latest/meta-data/iam/security-credentials/";
  net::Client client(endpoint_, {}, {.connections = 1, .connect_timeout = std::chrono::milliseconds(2000)});
  net::Request ask;
  ask.method = "PUT";
  ask.path = "/latest/api/token";
  ask.headers = {{"X-aws-ec2-metadata-token-ttl-seconds", "300"}};
  ask.timeout = std::chrono::seconds(5);
  const auto token = body_of(client.send(ask, stop), "instance metadata");
  if (!token) return std::unexpected(token.error());
  const auto get = [&](const std::string& path) {
    ask.method = "GET";
    ask.path = path;
    ask.headers = {{"X-aws-ec2-metadata-token", *token}};
    return body_of(client.send(ask, stop), "instance metadata");
  };
  const auto roles = get(kPath);
  if (!roles) return std::unexpected(roles.error());
  const std::string role = roles->substr(0, roles->find('\n'));
  if (role.empty()) return fail(Code::kDenied, "instance metadata: the instance has no role");
  const auto text = get(kPath + net::percent_encode(trimmed(role)));
  if (!text) return std::unexpected(text.error());
  const Json answer = Json::parse(*text, nullptr, false);
  const Credentials out{text_of(answer, "AccessKeyId"), text_of(answer, "SecretAccessKey"), text_of(answer, "Token"),
                        std::nullopt};
  for (const auto& [value, name] :
       {std::pair(&out.access_key_id, "AccessKeyId"), {&out.secret_access_key, "SecretAccessKey"}})
    if (value->empty()) return fail(Code::kInvalid, fmt::format("instance metadata: no {}", name));
  const auto expires = parse_rfc3339(text_of(answer, "Expiration"));
  if (!expires) return std::unexpected(expires.error());
  return Credentials{out.access_key_id, out.secret_access_key, out.session_token, *expires};
}

}  // namespace twinspan::s3
