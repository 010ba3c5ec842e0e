#include "engines/postgres/archive/tail_store.hpp"

#include "backup/repository_config.hpp"
#include "core/file.hpp"
#include "s3/client.hpp"
#include "s3/credentials.hpp"

namespace twinspan::postgres {

Result<TailStore> TailStore::open(const std::string& config_path, const std::string& stanza, const Clock& clock) {
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
  return TailStore(std::make_unique<s3::Client>(std::move(config), std::move(credentials), clock), repository->prefix,
                   stanza, repository->passphrase);
}

Result<std::vector<backup::TailName>> TailStore::list(const std::string& segment, const std::stop_token& stop) {
  std::vector<backup::TailName> names;
  s3::ListRequest request;
  request.prefix = folder_ + segment;
  do {
    const auto page = bucket_->list(request, stop);
    if (!page) return std::unexpected(page.error());
    for (const s3::Listed& one : page->objects)
      if (auto name = backup::parse_tail_name(std::string_view(one.key).substr(folder_.size())))
        names.push_back(std::move(*name));
    request.continuation = page->next;
  } while (!request.continuation.empty());
  return names;
}

Status TailStore::put(const backup::TailName& name, WallTime at, const SegmentReader& read,
                      const std::stop_token& stop) {
  const auto object = pack_tail({stanza_, name, at}, key_, read);
  if (!object) return std::unexpected(object.error());
  const auto stored = bucket_->put({.key = folder_ + to_string(name)}, *object, stop);
  return stored ? Status{} : std::unexpected(stored.error());
}

Result<Tail> TailStore::get(const backup::TailName& name, const std::stop_token& stop) {
  std::string object;
  const auto got = bucket_->get(
      {.key = folder_ + to_string(name)},
      [&](std::string_view piece) {
        object += piece;
        return true;
      },
      stop);
  if (!got) return std::unexpected(got.error());
  return unpack_tail(object, stanza_, name, key_);
}

Result<std::optional<TailHead>> TailStore::newest(backup::Timeline timeline, const std::stop_token& stop) {
  const auto names = list("", stop);
  if (!names) return std::unexpected(names.error());
  std::optional<backup::TailName> furthest;
  for (const backup::TailName& one : *names)
    if (backup::timeline_of(one.segment) == timeline && (!furthest || one.end > furthest->end)) furthest = one;
  if (!furthest) return std::nullopt;
  auto tail = get(*furthest, stop);
  if (!tail && tail.error().code == Code::kNotFound) return std::nullopt;  // stored as a whole by now
  if (!tail) return std::unexpected(tail.error());
  return std::move(tail->head);
}

Status TailStore::remove(const backup::TailName& name, const std::stop_token& stop) {
  return bucket_->remove(folder_ + to_string(name), stop);
}

}  // namespace twinspan::postgres
