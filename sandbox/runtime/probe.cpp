#include "sandbox/runtime/probe.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/log.hpp"
#include "core/wait.hpp"
#include "net/http.hpp"

namespace twinspan::sandbox {
namespace {

int port_number(const Json& port, const Json& ports) {
  if (port.is_number_integer()) return port.get<int>();
  for (const Json& candidate : ports)
    if (port.is_string() && candidate.value("name", "") == port.get<std::string>())
      return candidate.value("containerPort", 0);
  return 0;
}

bool can_connect(const std::string& address, int port, std::chrono::milliseconds timeout) {
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET, address.c_str(), &where.sin_addr);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  bool ok = connect(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0;
  if (!ok && errno == EINPROGRESS) {
    pollfd watched{fd, POLLOUT, 0};
    int error = 0;
    socklen_t size = sizeof error;
    ok = poll(&watched, 1, static_cast<int>(timeout.count())) == 1 &&
         getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
  }
  close(fd);
  return ok;
}

}  // namespace

bool ProbeTally::feed(bool success) {
  in_a_row_ = success == last_ ? in_a_row_ + 1 : 1;
  last_ = success;
  if (in_a_row_ >= (success ? settings_.success_threshold : settings_.failure_threshold)) passed_ = success;
  return passed_;
}

Prober::Prober(const Json& probe, const Json& ports, std::string pod_ip, bool initially, std::function<void()> changed)
    : scheme_("http"), address_(std::move(pod_ip)), changed_(std::move(changed)), passed_(initially) {
  settings_ = {std::chrono::seconds(probe.value("initialDelaySeconds", 0)),
               std::chrono::seconds(std::max(1, probe.value("periodSeconds", 10))),
               std::chrono::seconds(std::max(1, probe.value("timeoutSeconds", 1))),
               std::max(1, probe.value("successThreshold", 1)), std::max(1, probe.value("failureThreshold", 3))};
  if (probe.contains("httpGet")) {
    const Json& get = probe["httpGet"];
    way_ = Way::kHttp;
    path_ = get.value("path", "/");
    scheme_ = get.value("scheme", "HTTP") == "HTTPS" ? "https" : "http";
    address_ = get.value("host", address_);
    port_ = port_number(get.value("port", Json(0)), ports);
  } else if (probe.contains("tcpSocket")) {
    way_ = Way::kTcp;
    port_ = port_number(probe["tcpSocket"].value("port", Json(0)), ports);
  } else {
    log::warn("a probe of a kind that the sandbox does not carry out is taken as passed");
    passed_ = true;
    return;
  }
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

Prober::~Prober() = default;

bool Prober::ask(const std::stop_token& stop) const {
  if (way_ == Way::kTcp) return can_connect(address_, port_, settings_.timeout);
  net::ClientTls tls;
  tls.verify = false;  // as kubelet: a probe asks whether it answers, not who
  net::Client client(fmt::format("{}://{}:{}", scheme_, address_, port_), tls, {1, settings_.timeout});
  net::Request request;
  request.path = path_;
  request.headers = {{"User-Agent", "kube-probe/sandbox"}};
  request.timeout = settings_.timeout;
  const auto response = client.send(request, stop);
  return response && response->status >= 200 && response->status < 400;
}

void Prober::run(const std::stop_token& stop) {
  // The first question comes early and is repeated quickly until the first answer: a start should not wait for a whole
  // period.
  constexpr std::chrono::milliseconds kEager{200};
  ProbeTally tally(settings_, passed_);
  int failures = 0;
  bool answered = false;
  if (!wait_for(settings_.initial_delay, stop)) return;
  const auto begin = std::chrono::steady_clock::now();
  auto next_counted = begin;
  while (!stop.stop_requested()) {
    const bool success = ask(stop);
    if (stop.stop_requested()) return;
    answered = answered || success;
    const auto now = std::chrono::steady_clock::now();
    // Eager questions count when they succeed; failures count once a period only.
    if (success || now >= next_counted) {
      if (now >= next_counted) next_counted = now + settings_.period;
      failures = success ? 0 : failures + 1;
      const bool passed = tally.feed(success), failed = failures >= settings_.failure_threshold;
      const bool changes = passed != passed_.exchange(passed);
      if ((failed != failed_.exchange(failed)) || changes) changed_();
    }
    if (!wait_for(answered && passed_ ? std::chrono::milliseconds(settings_.period)
                                      : std::min<std::chrono::milliseconds>(kEager, settings_.period),
                  stop))
      return;
  }
}

}  // namespace twinspan::sandbox
