#include "engines/postgres/conninfo.hpp"

namespace twinspan::postgres {

std::string conninfo(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string text;
  for (const auto& [key, value] : pairs) {
    if (value.empty()) continue;
    if (!text.empty()) text += ' ';
    text += key + "='";
    for (const char c : value) {
      if (c == '\'' || c == '\\') text += '\\';
      text += c;
    }
    text += '\'';
  }
  return text;
}

std::string local_conninfo(const Layout& layout, int port) {
  return conninfo({{"host", layout.run_dir},
                   {"port", std::to_string(port)},
                   {"user", kSuperuser},
                   {"dbname", "postgres"},
                   {"application_name", "twinspan-agent"},
                   {"gssencmode", "disable"}});
}

std::string upstream_conninfo(const Layout& layout, const Upstream& upstream, const std::string& application_name,
                              const std::string& database) {
  return conninfo({{"host", upstream.host},
                   {"hostaddr", upstream.address},
                   {"port", std::to_string(upstream.port)},
                   {"user", kReplicationRole},
                   {"dbname", database},
                   {"application_name", application_name},
                   {"sslmode", "verify-full"},
                   {"sslcert", layout.client_certificate_file()},
                   {"sslkey", layout.client_key_file()},
                   {"sslrootcert", layout.ca_file()},
                   {"gssencmode", "disable"},
                   {"connect_timeout", "3"},
                   // A peer that vanished without a word is noticed in about 4 s.
                   {"keepalives_idle", "2"},
                   {"keepalives_interval", "1"},
                   {"keepalives_count", "2"},
                   {"tcp_user_timeout", "4000"}});
}

std::string receiver_conninfo(const Layout& layout, const Upstream& upstream, const std::string& endpoint) {
  return upstream_conninfo(layout, upstream, endpoint) + " options='-c tcp_user_timeout=10000'";
}

std::string slot_name(const std::string& endpoint) {
  std::string name = "twinspan_" + endpoint;
  for (char& c : name)
    if (c == '-') c = '_';
  return name;
}

}  // namespace twinspan::postgres
