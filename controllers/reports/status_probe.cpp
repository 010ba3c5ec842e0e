#include "controllers/reports/status_probe.hpp"

#include <nlohmann/json.hpp>

#include "contract/member_report.hpp"

namespace twinspan::controllers {
namespace {

constexpr std::chrono::milliseconds kPatience{1000};

net::ClientTls tls_of(const Target& target) {
  net::ClientTls tls = target.tls ? *target.tls : net::ClientTls{};
  tls.server_name = target.pod_name;
  return tls;
}

std::string url_of(const Target& target) {
  const bool six = target.address.find(':') != std::string::npos;
  return "https://" + (six ? "[" + target.address + "]" : target.address) + ":" + std::to_string(target.port);
}

class HttpStatusProbe final : public StatusProbe {
 public:
  explicit HttpStatusProbe(const Target& target) : client_(url_of(target), tls_of(target), {1, kPatience}) {}

  Result<MemberReport> ask(std::stop_token stop) override {
    net::Request request;
    request.path = "/status";
    request.timeout = kPatience;
    const auto response = client_.send(request, std::move(stop));
    if (!response) return std::unexpected(response.error());
    if (response->status != 200)
      return fail(Code::kUnavailable, "the agent answered HTTP " + std::to_string(response->status));
    const Json body = Json::parse(response->body, nullptr, false);
    if (body.is_discarded()) return fail(Code::kInvalid, "the agent's report is no JSON");
    return parse_member_report(body);
  }

 private:
  net::Client client_;
};

}  // namespace

std::unique_ptr<StatusProbe> http_status_probe(const Target& target) {
  return std::make_unique<HttpStatusProbe>(target);
}

}  // namespace twinspan::controllers
