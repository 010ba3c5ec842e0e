// A client of the Kubernetes API: typed in its verbs, JSON in its objects. Every method may be called from any thread.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/json.hpp"
#include "core/result.hpp"
#include "kube/config.hpp"
#include "kube/object.hpp"
#include "kube/resource.hpp"

namespace twinspan::kube {

enum class Subresource { kNone, kStatus };

struct ListOptions {
  std::string label_selector{};
  std::string field_selector{};
  std::string resource_version{};  // "0": any, from the API server's cache; empty: a quorum read
  int page = 500;                  // 0: everything in one answer; else a version other than "0" means exactly it
  std::chrono::milliseconds page_timeout{0};  // of one page; 0: a minute, or the client's where that is longer
  // Asked of each object before it is parsed, where set. True: it is no news, and passed over.
  std::function<bool(const ObjectHead&)> known{};
};

struct WatchOptions {
  std::string label_selector{};
  std::string field_selector{};
  std::string resource_version{};
  bool bookmarks = true;
  std::chrono::seconds timeout{0};                 // the server ends the watch after it; 0: the server's own choice
  std::function<void()> on_open{};                 // the server has accepted the watch
  std::function<bool(const ObjectHead&)> known{};  // as in ListOptions; asked of additions and changes
};

enum class WatchType { kAdded, kModified, kDeleted, kBookmark };

struct DeleteOptions {
  std::string uid{};  // preconditions; empty: none
  std::string resource_version{};
  std::optional<int> grace_seconds{};
  std::string propagation{};  // "Foreground", "Background", "Orphan"; empty: the server's default
};

// An answer of the API server other than 2xx is an Error whose message is the server's own, with the fields it names.
// What the server asks to be repeated later (429 and 5xx with Retry-After) is repeated as long as
// config.request_timeout allows; a 401 is repeated once with fresh credentials. Connections are kept and shared; each
// watch has one of its own. Lists, watches and merge patches leave metadata.managedFields out (object_parser.hpp).
class Client {
 public:
  explicit Client(Config config);
  ~Client();

  Result<Json> get(const Resource& resource, const Key& key, std::stop_token stop = {});
  // The whole list, pages gathered; `each` sees one item at a time (moved in), the answer is the list's
  // resourceVersion. kGone: the list's version was compacted between two pages; `each` has seen a part of it.
  Result<std::string> list(const Resource& resource, std::string_view ns, const ListOptions& options,
                           const std::function<void(Json&&)>& each, std::stop_token stop = {});
  // The version that the API is at, read with a quorum: lower than one that was known when it was asked for proves that
  // its history went back (etcd restored from a backup).
  Result<std::string> present_version(const Resource& resource, std::string_view ns, const ListOptions& options,
                                      std::stop_token stop = {});
  // `manager`: who owns the fields; empty: whoever the user agent names.
  Result<Json> create(const Resource& resource, const Json& object, std::stop_token stop = {},
                      std::string_view manager = {});
  // PUT; metadata.resourceVersion in `object` is the precondition.
  Result<Json> update(const Resource& resource, const Json& object, Subresource sub = Subresource::kNone,
                      std::stop_token stop = {});
  // JSON merge patch (RFC 7386). Put metadata.resourceVersion into the patch for a precondition.
  Result<Json> merge_patch(const Resource& resource, const Key& key, const Json& patch,
                           Subresource sub = Subresource::kNone, std::stop_token stop = {});
  // Server-side apply as field manager `manager`, forced: this operator owns what it applies.
  Result<Json> apply(const Resource& resource, const Json& object, std::string_view manager,
                     Subresource sub = Subresource::kNone, std::stop_token stop = {});
  Status remove(const Resource& resource, const Key& key, const DeleteOptions& options = {}, std::stop_token stop = {});
  // Blocks until the server ends the watch (then ok), `stop` is set (kCancelled), or it breaks. kGone: list again.
  Status watch(const Resource& resource, std::string_view ns, const WatchOptions& options,
               const std::function<void(WatchType, Json&&)>& each, std::stop_token stop);
  // Any path, as `kubectl get --raw`: discovery, /readyz, token reviews.
  Result<Json> raw(std::string_view method, std::string_view path, const Json& body, std::stop_token stop = {});

  const Config& config() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinspan::kube
