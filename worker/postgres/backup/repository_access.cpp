#include "worker/postgres/backup/repository_access.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "engines/postgres/files.hpp"

namespace twinspan::worker {
namespace {

// Of Debian, and of the worker's image, which has them in this form alone.
constexpr const char* kPublicAuthorities = "/etc/ssl/certs/ca-certificates.crt";

}  // namespace

Result<std::string> RepositoryAccess::write(const api::BackupDestination& destination,
                                            const std::optional<api::BackupEncryption>& encryption,
                                            const backup::Instance& instance, const std::stop_token& stop) const {
  const api::S3Destination& s3 = destination.s3;
  std::error_code failed;
  std::filesystem::create_directories(instance.state_directory, failed);
  if (failed) return fail(Code::kInternal, fmt::format("{}: {}", instance.state_directory, failed.message()));
  backup::Repository repository{s3.endpoint, s3.region, s3.bucket,          s3.prefix, s3.path_style,
                                "",          "",        kPublicAuthorities, ""};
  const auto take = [&](const api::SecretKeyReference& key, std::string& out) -> Status {
    auto value = secrets_.read(key, stop);
    if (!value) return std::unexpected(value.error());
    out = std::move(*value);
    return {};
  };
  const std::string& credentials = s3.credentials_secret_ref.name;
  if (auto taken = take({credentials, "accessKeyId"}, repository.access_key); !taken)
    return std::unexpected(taken.error());
  if (auto taken = take({credentials, "secretAccessKey"}, repository.secret_key); !taken)
    return std::unexpected(taken.error());
  if (s3.ca_secret_ref) {
    std::string pem;
    if (auto taken = take({s3.ca_secret_ref->name, "ca.crt"}, pem); !taken) return std::unexpected(taken.error());
    repository.ca_file = instance.state_directory + "/repository-ca.crt";
    if (auto wrote = postgres::replace_file(repository.ca_file, pem + "\n", 0600); !wrote)
      return std::unexpected(wrote.error());
  }
  if (encryption) {
    const api::SecretKeyReference& key = encryption->key_secret_ref;
    if (auto taken = take(key, repository.passphrase); !taken) return std::unexpected(taken.error());
    if (repository.passphrase.size() < backup::kPassphraseLeast)
      return fail(Code::kInvalid,
                  fmt::format("Secret {}, key {}: has {} characters, a passphrase of {} or more is expected", key.name,
                              key.key, repository.passphrase.size(), backup::kPassphraseLeast));
  }
  const auto text = backup::render_configuration(repository, instance);
  if (!text) return std::unexpected(text.error());
  const std::string path = instance.state_directory + "/pgbackrest.conf";
  if (auto wrote = postgres::replace_file(path, *text, 0600); !wrote) return std::unexpected(wrote.error());
  return path;
}

}  // namespace twinspan::worker
