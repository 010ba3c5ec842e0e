#include "controllers/link/connection.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "controllers/cluster/names.hpp"
#include "core/base64.hpp"
#include "net/http.hpp"

namespace twinspan::controllers {
namespace {

std::set<std::string> split(const std::string& joined) {
  std::set<std::string> out;
  for (size_t at = 0; at < joined.size();) {
    const size_t end = std::min(joined.find(',', at), joined.size());
    out.insert(joined.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

// A colon or a backslash within a field is escaped with a backslash.
std::string in_password_file(const std::string& field) {
  std::string out;
  for (const char c : field) {
    if (c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::map<std::string, std::string> connection_keys(const Connection& there, const ConnectionFacts& facts) {
  std::map<std::string, std::string> out{{"dbname", facts.database}, {"port", std::to_string(facts.port)}};
  if (!facts.ca_pem.empty()) out["ca.crt"] = facts.ca_pem;
  if (facts.service.empty()) return out;
  const std::string host = fmt::format("{}.{}.svc", facts.service, facts.ns);
  out["host"] = host;
  if (there.username.empty() || there.password.empty()) return out;
  const std::string user = net::percent_encode(there.username), password = net::percent_encode(there.password),
                    database = net::percent_encode(facts.database);
  out["uri"] = fmt::format("postgresql://{}:{}@{}:{}/{}", user, password, host, facts.port, database);
  out["jdbc-uri"] =
      fmt::format("jdbc:postgresql://{}:{}/{}?user={}&password={}", host, facts.port, database, user, password);
  // A line is what a password file is made of: a password with a line break can't be in one.
  if ((there.username + there.password).find('\n') == std::string::npos)
    out["pgpass"] = fmt::format("{}:{}:{}:{}:{}\n", host, facts.port, in_password_file(facts.database),
                                in_password_file(there.username), in_password_file(there.password));
  return out;
}

std::optional<Json> connection_patch(const Secret& there, const ConnectionFacts& facts) {
  if (!there.connection || there.connection->immutable) return std::nullopt;
  const Connection& is = *there.connection;
  const std::set<std::string> before = split(is.ours);
  std::set<std::string> ours;
  Json data = Json::object();
  for (const auto& [key, value] : connection_keys(is, facts)) {
    const auto present = is.hashes.find(key);
    if (present != is.hashes.end() && !before.contains(key)) continue;  // a person's
    ours.insert(key);
    if (present == is.hashes.end() || present->second != stable_hash(value)) data[key] = base64_encode(value);
  }
  // What is not known at the moment stays as it was written: the Service of a policy that comes back, say.
  for (const std::string& key : before)
    if (is.hashes.contains(key)) ours.insert(key);
  if (data.empty() && ours == before) return std::nullopt;
  std::string names;
  for (const std::string& key : ours) names += (names.empty() ? "" : ",") + key;
  Json patch = {{"metadata",
                 {{"resourceVersion", there.resource_version},
                  {"annotations", {{std::string(kConnectionAnnotation), std::move(names)}}}}}};
  if (!data.empty()) patch["data"] = std::move(data);
  return patch;
}

}  // namespace twinspan::controllers
