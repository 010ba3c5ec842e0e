// The verbs on stored objects, as the real server's registry does them: admission of one object, defaults, validation,
// ownership of fields, generation, preconditions, finalizers. Knows nothing of HTTP. Every method may be called from
// any thread.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/json.hpp"
#include "sandbox/api/catalog.hpp"
#include "sandbox/api/error.hpp"
#include "sandbox/api/store.hpp"

namespace twinspan::sandbox {

enum class FieldValidation { kIgnore, kWarn, kStrict };
enum class PatchType { kJson, kMerge, kStrategic, kApply };

struct WriteOptions {
  std::string manager = "unknown";
  bool dry_run = false;
  bool force = false;  // server-side apply only
  FieldValidation validation = FieldValidation::kWarn;
  std::vector<std::string>* warnings = nullptr;  // told of unknown fields; nullptr: nobody asks
};

struct Written {
  Object object;
  bool created = false;
};

struct DeleteRequest {
  std::string uid, resource_version;  // preconditions
  std::optional<int64_t> grace_seconds;
  std::string propagation;  // Foreground, Background, Orphan; "": the kind's default
  bool dry_run = false;
};

struct Deleted {
  Object object;
  bool gone = false;  // false: it waits for its grace period or its finalizers
};

class Registry {
 public:
  // Services get 127.96.N.10 and what follows, N being `service_network`.
  Registry(Store& store, Catalog& catalog, const Clock& clock, int service_network = 0);

  Answer<Object> get(const Kind& kind, const kube::Key& key) const;
  Answer<Object> create(const Kind& kind, const std::string& ns, Json object, const WriteOptions& options);
  // `subresource`: "" or "status".
  Answer<Object> update(const Kind& kind, const kube::Key& key, Json object, const std::string& subresource,
                        const WriteOptions& options);
  Answer<Written> patch(const Kind& kind, const kube::Key& key, PatchType type, const Json& patch,
                        const std::string& subresource, const WriteOptions& options);
  Answer<Deleted> remove(const Kind& kind, const kube::Key& key, const DeleteRequest& request);
  // Writes `change`d metadata as the server itself does it (finalizers, owner references): no validation, no ownership.
  Answer<Object> amend(const Kind& kind, const kube::Key& key, const std::function<bool(Json&)>& change);

 private:
  Answer<Json> admit(const Kind& kind, const kube::Key& key, Json object, const WriteOptions& options) const;
  Answer<Object> finish_update(const Kind& kind, const kube::Key& key, const Object& old_object, Json object,
                               const std::string& subresource, const WriteOptions& options, bool applied);
  Answer<Object> store_update(const Kind& kind, const kube::Key& key, const Object& old_object, Json object,
                              bool dry_run);
  Answer<Object> store_create(const Kind& kind, const kube::Key& key, Json object, const WriteOptions& options,
                              bool applied);
  Answer<void> check_namespace(const Kind& kind, const std::string& ns) const;
  Answer<void> allocate_cluster_ip(Json& service);
  void establish(const Json& definition);
  std::string now() const;

  Store& store_;
  Catalog& catalog_;
  const Clock& clock_;
  std::mutex addresses_mutex_;
  uint32_t next_address_;
};

std::string random_uid();

}  // namespace twinspan::sandbox
