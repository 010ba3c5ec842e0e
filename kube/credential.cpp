#include "kube/credential.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/clock.hpp"
#include "core/file.hpp"
#include "core/json.hpp"
#include "core/log.hpp"
#include "kube/plugin_process.hpp"

namespace twinspan::kube {
namespace {

constexpr std::chrono::seconds kTokenFileAge{60};  // kubelet rotates projected tokens at 80 % of their life
constexpr std::chrono::seconds kExpiryMargin{10};

}  // namespace

Result<Credential> CredentialSource::current(const std::stop_token& stop) {
  MutexLock lock(mutex_);
  if (!known_) {
    last_ = {config_.token, config_.client_certificate_pem, config_.client_key_pem};
    known_ = true;
    if (!config_.exec.command.empty()) expires_ = {};
  }
  if (!config_.exec.command.empty()) {
    if (std::chrono::system_clock::now() + kExpiryMargin >= expires_)
      if (auto done = run_plugin(stop); !done) return std::unexpected(done.error());
  } else if (!config_.token_file.empty() && Clock::now() >= read_again_) {
    if (auto done = read_token_file(); !done && last_.token.empty()) return std::unexpected(done.error());
  }
  return last_;
}

bool CredentialSource::rejected(const Credential& used) {
  MutexLock lock(mutex_);
  if (used.token != last_.token || used.certificate_pem != last_.certificate_pem)
    return true;  // another thread was first
  if (!config_.exec.command.empty()) {
    expires_ = {};
    return true;
  }
  if (config_.token_file.empty()) return false;
  read_again_ = {};
  return true;
}

Status CredentialSource::read_token_file() {
  auto text = read_file(config_.token_file);
  if (!text) {
    log::warn("token file can't be read, the last token stays in use", {{"error", text.error().message}});
    return fail(Code::kUnavailable, text.error().message);
  }
  std::string token = std::move(*text);
  while (!token.empty() && static_cast<unsigned char>(token.back()) <= ' ') token.pop_back();
  last_.token = std::move(token);
  read_again_ = Clock::now() + kTokenFileAge;
  return {};
}

// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
Status CredentialSource::run_plugin(const std::stop_token& stop) {
  const auto& exec = config_.exec;
  const Json info = {{"apiVersion", exec.api_version}, {"kind", "ExecCredential"}, {"spec", {{"interactive", false}}}};
  auto environment = exec.env;
  environment.emplace_back("KUBERNETES_EXEC_INFO", info.dump());
  auto output = run_process(exec.command, exec.args, environment, std::chrono::seconds(60), stop);
  if (!output) return std::unexpected(output.error());
  const Json answer = Json::parse(*output, nullptr, false);
  const auto wrong = [&](std::string_view what) {
    return fail(Code::kDenied, fmt::format("credential plugin {}: {}", exec.command, what));
  };
  if (!answer.is_object() || text_of(answer, "kind") != "ExecCredential")
    return wrong("its output is no ExecCredential");
  const auto status = answer.find("status");
  if (status == answer.end() || !status->is_object()) return wrong("its output has no status");
  last_.token = text_of(*status, "token");
  last_.certificate_pem = text_of(*status, "clientCertificateData");
  last_.key_pem = text_of(*status, "clientKeyData");
  if (last_.token.empty() && last_.certificate_pem.empty())
    return wrong("its output has neither token nor certificate");
  expires_ = std::chrono::system_clock::time_point::max();
  if (const std::string until = text_of(*status, "expirationTimestamp"); !until.empty()) {
    const auto time = parse_rfc3339(until);
    if (!time) return wrong("status.expirationTimestamp is no time");
    expires_ = *time;
  }
  return {};
}

}  // namespace twinspan::kube
