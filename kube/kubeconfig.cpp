// kubeconfig files, merged as kubectl does: for each name, and for the current context, the first file that has it
// counts.
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "core/base64.hpp"
#include "core/file.hpp"
#include "kube/config.hpp"

namespace twinspan::kube {
namespace {

namespace fs = std::filesystem;

struct Entry {
  YAML::Node node;
  fs::path folder;  // of the file it stands in: relative paths start there
};

struct Merged {
  std::map<std::string, Entry> clusters, users, contexts;
  std::string current;
};

std::string text(const YAML::Node& node, const char* name) {
  const YAML::Node value = node[name];
  return value && value.IsScalar() ? value.as<std::string>() : std::string();
}

void collect(const YAML::Node& file, const char* list, const char* member, const fs::path& folder,
             std::map<std::string, Entry>& into) {
  const YAML::Node entries = file[list];
  if (!entries || !entries.IsSequence()) return;
  for (const YAML::Node& entry : entries)
    if (const std::string name = text(entry, "name"); !name.empty() && entry[member])
      into.try_emplace(name, Entry{entry[member], folder});
}

std::string resolve(const fs::path& folder, const std::string& path) {
  return path.empty() || fs::path(path).is_absolute() ? path : (folder / path).string();
}

// `NAME-data` in base64, or the file that `NAME` tells.
Result<std::string> pem(const Entry& entry, const std::string& name) {
  if (const std::string data = text(entry.node, (name + "-data").c_str()); !data.empty()) {
    auto decoded = base64_decode(data);
    if (!decoded) return fail(Code::kInvalid, fmt::format("kubeconfig: {}-data: not base64", name));
    return *decoded;
  }
  const std::string path = resolve(entry.folder, text(entry.node, name.c_str()));
  if (path.empty()) return std::string();
  auto content = read_file(path);
  if (!content) return fail(Code::kInvalid, fmt::format("kubeconfig: {}: {}", name, content.error().message));
  return content;
}

Status read_cluster(const Entry& entry, Config& config) {
  config.server = text(entry.node, "server");
  if (config.server.empty()) return fail(Code::kInvalid, "kubeconfig: cluster.server is not set");
  if (!text(entry.node, "proxy-url").empty())
    return fail(Code::kInvalid, "kubeconfig: cluster.proxy-url is not supported");
  auto ca = pem(entry, "certificate-authority");
  if (!ca) return std::unexpected(ca.error());
  config.ca_pem = *ca;
  config.insecure_skip_tls_verify = text(entry.node, "insecure-skip-tls-verify") == "true";
  config.tls_server_name = text(entry.node, "tls-server-name");
  return {};
}

Status read_exec(const Entry& entry, Config& config) {
  const YAML::Node exec = entry.node["exec"];
  if (!exec) return {};
  config.exec.command = text(exec, "command");
  config.exec.api_version = text(exec, "apiVersion");
  if (config.exec.command.empty()) return fail(Code::kInvalid, "kubeconfig: user.exec.command is not set");
  if (config.exec.api_version != "client.authentication.k8s.io/v1" &&
      config.exec.api_version != "client.authentication.k8s.io/v1beta1")
    return fail(Code::kInvalid,
                fmt::format("kubeconfig: user.exec.apiVersion \"{}\": expected client.authentication.k8s.io/v1",
                            config.exec.api_version));
  if (config.exec.command.find('/') != std::string::npos)
    config.exec.command = resolve(entry.folder, config.exec.command);
  if (exec["args"])
    for (const YAML::Node& argument : exec["args"]) config.exec.args.push_back(argument.as<std::string>());
  if (exec["env"])
    for (const YAML::Node& variable : exec["env"])
      config.exec.env.emplace_back(text(variable, "name"), text(variable, "value"));
  return {};
}

Status read_user(const Entry& entry, Config& config) {
  if (entry.node["auth-provider"])
    return fail(Code::kInvalid, "kubeconfig: user.auth-provider is not supported: use exec");
  if (!text(entry.node, "username").empty()) return fail(Code::kInvalid, "kubeconfig: user.username is not supported");
  config.token = text(entry.node, "token");
  config.token_file = resolve(entry.folder, text(entry.node, "tokenFile"));
  auto certificate = pem(entry, "client-certificate");
  if (!certificate) return std::unexpected(certificate.error());
  auto key = pem(entry, "client-key");
  if (!key) return std::unexpected(key.error());
  config.client_certificate_pem = *certificate;
  config.client_key_pem = *key;
  return read_exec(entry, config);
}

Result<std::vector<fs::path>> files_of(const std::string& path) {
  std::vector<fs::path> files;
  if (!path.empty()) return files = {path};
  if (const char* list = std::getenv("KUBECONFIG"); list && *list) {
    std::istringstream parts(list);
    for (std::string part; std::getline(parts, part, ':');)
      if (!part.empty() && fs::exists(part)) files.emplace_back(part);  // kubectl passes over missing ones too
    if (files.empty()) return fail(Code::kInvalid, fmt::format("KUBECONFIG={}: no such file", list));
    return files;
  }
  const char* home = std::getenv("HOME");
  return files = {fs::path(home ? home : "/") / ".kube" / "config"};
}

Result<Config> read(const std::vector<fs::path>& files, std::string context) {
  Merged merged;
  for (const fs::path& path : files) {
    const YAML::Node file = YAML::LoadFile(path.string());
    const fs::path folder = fs::absolute(path).parent_path();
    if (merged.current.empty()) merged.current = text(file, "current-context");
    collect(file, "clusters", "cluster", folder, merged.clusters);
    collect(file, "users", "user", folder, merged.users);
    collect(file, "contexts", "context", folder, merged.contexts);
  }
  if (context.empty()) context = merged.current;
  const auto chosen = merged.contexts.find(context);
  if (chosen == merged.contexts.end())
    return fail(Code::kInvalid, fmt::format("kubeconfig: no context \"{}\"", context));
  const std::string cluster_name = text(chosen->second.node, "cluster"), user_name = text(chosen->second.node, "user");
  const auto cluster = merged.clusters.find(cluster_name);
  if (cluster == merged.clusters.end())
    return fail(Code::kInvalid, fmt::format("kubeconfig: context \"{}\": no cluster \"{}\"", context, cluster_name));
  Config config;
  if (const std::string ns = text(chosen->second.node, "namespace"); !ns.empty()) config.default_namespace = ns;
  if (auto done = read_cluster(cluster->second, config); !done) return std::unexpected(done.error());
  if (user_name.empty()) return config;
  const auto user = merged.users.find(user_name);
  if (user == merged.users.end())
    return fail(Code::kInvalid, fmt::format("kubeconfig: context \"{}\": no user \"{}\"", context, user_name));
  if (auto done = read_user(user->second, config); !done) return std::unexpected(done.error());
  return config;
}

}  // namespace

Result<Config> kubeconfig(const std::string& path, const std::string& context) {
  auto files = files_of(path);
  if (!files) return std::unexpected(files.error());
  try {
    return read(*files, context);
  } catch (const YAML::BadFile&) {
    return fail(Code::kInvalid, fmt::format("kubeconfig {}: cannot be read", files->front().string()));
  } catch (const YAML::Exception& error) {
    return fail(Code::kInvalid, fmt::format("kubeconfig: {}", error.what()));
  }
}

}  // namespace twinspan::kube
