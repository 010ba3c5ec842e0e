// The product's /convert with conversions that the product has not: a version v1beta1 of ReplicationLink, of which one
// field has another name. Prints its port and, in base64, whom to trust; ends with SIGTERM.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/base64.hpp"
#include "core/signals.hpp"
#include "core/wait.hpp"
#include "net/http.hpp"
#include "pki/authority.hpp"
#include "webhooks/certificates.hpp"
#include "webhooks/handler.hpp"

namespace {

using namespace twinspan;

auto renamed(const char* from, const char* to) {
  return [=](Json& object) {
    Json& spec = object["spec"];
    if (!spec.contains(from)) return;
    spec[to] = std::move(spec[from]);
    spec.erase(from);
  };
}

}  // namespace

int main() {
  const Signals signals(std::chrono::seconds(5));
  const webhooks::Conversions known = {
      {"ReplicationLink", "v1alpha1", "v1beta1", renamed("lagThreshold", "maximumLag")},
      {"ReplicationLink", "v1beta1", "v1alpha1", renamed("maximumLag", "lagThreshold")}};
  const WallTime now = SystemClock().wall_now();
  const auto authority = pki::make_authority("conversion", now);
  if (!authority) return 1;
  const auto identity = webhooks::serving_certificate(*authority, "conversion", "conversion", "twinspan", now);
  if (!identity) return 1;
  net::Server server({.address = "127.0.0.1", .identity = *identity}, [&](const net::IncomingRequest& request) {
    if (request.path != webhooks::kConvertPath) return net::plain_text(404, "not found\n");
    return webhooks::handle_conversion(request, known);
  });
  if (!server.start()) return 1;
  std::printf("%d %s\n", server.port(), base64_encode(authority->bundle_pem()).c_str());
  std::fflush(stdout);
  while (wait_for(std::chrono::hours(24), signals.stop_token())) {
  }
  server.stop();
  return 0;
}
