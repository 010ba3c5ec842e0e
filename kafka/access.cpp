#include "kafka/access.hpp"

#include <fmt/format.h>

#include <charconv>

namespace twinspan::kafka {

Result<Address> parse_address(std::string_view text) {
  const auto wrong = [&] {
    return fail(Code::kInvalid, fmt::format("broker \"{}\": expected HOST:PORT with a port from 1 to 65535", text));
  };
  const size_t colon = text.rfind(':');
  if (colon == text.npos || colon == 0) return wrong();
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.starts_with('[') != host.ends_with(']')) return wrong();
  if (host.starts_with('[')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != host.npos) {
    return wrong();
  }
  if (host.empty() || host.find_first_of("/?#@ []") != host.npos) return wrong();
  Address address{.host = std::string(host)};
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size() || address.port < 1 || address.port > 65535)
    return wrong();
  return address;
}

}  // namespace twinspan::kafka
