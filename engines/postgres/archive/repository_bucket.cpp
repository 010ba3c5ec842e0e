#include "engines/postgres/archive/repository_bucket.hpp"

#include "backup/repository_config.hpp"
#include "core/file.hpp"
#include "s3/client.hpp"
#include "s3/credentials.hpp"

namespace twinspan::postgres {

Result<RepositoryBucket> open_repository(const std::string& config_path, const Clock& clock) {
  const auto text = read_file(config_path);
  if (!text) return std::unexpected(text.error());
  const auto repository = backup::parse_repository(*text);
  if (!repository) return std::unexpected(repository.error());
  s3::ClientConfig config;
  config.endpoint = repository->endpoint;
  config.region = repository->region;
  config.bucket = repository->bucket;
  config.path_style = repository->path_style;
  config.connections = 1;
  config.tries = 3;
  config.timeout = std::chrono::seconds(30);
  if (!repository->ca_file.empty()) {
    auto authorities = read_file(repository->ca_file);
    if (!authorities) return std::unexpected(authorities.error());
    config.ca_pem = std::move(*authorities);
  }
  auto credentials =
      std::make_shared<s3::StaticCredentials>(s3::Credentials{repository->access_key, repository->secret_key});
  return RepositoryBucket{std::make_unique<s3::Client>(std::move(config), std::move(credentials), clock),
                          repository->prefix, repository->passphrase};
}

}  // namespace twinspan::postgres
