#include "sandbox/demo/table.hpp"

#include <fmt/format.h>

#include "net/http.hpp"

namespace twinspan::sandbox {
namespace {

std::string cell_text(const Json& cell) {
  if (cell.is_null()) return "";
  return cell.is_string() ? cell.get<std::string>() : cell.dump();
}

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

std::string render_table(const Json& table) {
  std::vector<size_t> columns;
  std::vector<std::vector<std::string>> lines(1);
  const Json definitions = table.value("columnDefinitions", Json::array());
  for (size_t i = 0; i < definitions.size(); ++i)
    if (definitions[i].value("priority", 0) == 0) {
      columns.push_back(i);
      lines[0].push_back(upper(definitions[i].value("name", "")));
    }
  for (const Json& row : table.value("rows", Json::array())) {
    std::vector<std::string>& line = lines.emplace_back();
    for (const size_t i : columns) line.push_back(i < row.at("cells").size() ? cell_text(row["cells"][i]) : "");
  }
  std::string out;
  for (const auto& line : lines) {
    std::string text;
    for (size_t i = 0; i < line.size(); ++i) {
      size_t width = 0;
      for (const auto& other : lines) width = std::max(width, other[i].size());
      text += i + 1 == line.size() ? line[i] : fmt::format("{:<{}}   ", line[i], width);
    }
    out += text + "\n";
  }
  return out;
}

Result<std::string> get_table(const kube::Config& api, const kube::Resource& resource, const std::string& ns) {
  net::ClientTls tls;
  tls.ca_pem = api.ca_pem;
  tls.verify = !api.insecure_skip_tls_verify;
  tls.server_name = api.tls_server_name;
  if (!api.client_certificate_pem.empty())
    tls.identity = net::TlsIdentity{api.client_certificate_pem, api.client_key_pem};
  net::Client client(api.server, tls, {1, std::chrono::milliseconds(3000)});
  net::Request request;
  request.path = resource.path(ns, "");
  request.headers = {{"Accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}};
  if (!api.token.empty()) request.headers.emplace_back("Authorization", "Bearer " + api.token);
  auto response = client.send(request);
  if (!response) return std::unexpected(response.error());
  const Json table = Json::parse(response->body, nullptr, false);
  if (response->status != 200 || table.is_discarded() || table.value("kind", "") != "Table")
    return fail(Code::kUnavailable,
                fmt::format("{}: the API server answered {} and no table", request.path, response->status));
  return render_table(table);
}

void print_table(DemoCluster& cluster, Progress& progress, const kube::Resource& resource, const std::string& ns) {
  const auto table = get_table(cluster.api().config(), resource, ns);
  progress.print(
      fmt::format("\n$ kubectl get {} -n {}\n{}", resource.plural, ns, table ? *table : table.error().message));
}

}  // namespace twinspan::sandbox
