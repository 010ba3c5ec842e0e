#include "controllers/cluster/object_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"

namespace twinspan::controllers {
namespace {

kube::Key key_in(const Json& object) {
  return {text_of(member_of(object, "metadata"), "namespace"), text_of(member_of(object, "metadata"), "name")};
}

// Versions before named none when they created, and Kubernetes took their user agent.
constexpr std::string_view kFormerManager = "twinspan-operator";

bool is_by_our_update(const Json& entry) {
  const std::string manager = text_of(entry, "manager");
  return (manager == kFieldManager || manager == kFormerManager) && text_of(entry, "operation") == "Update" &&
         text_of(entry, "subresource").empty();
}

// With all that updates of ours own in the applier's entries; null where there is nothing of the kind.
Json turned_over(const Json& managed) {
  Json out = Json::array(), ours = Json::array();
  for (const Json& entry : managed) (is_by_our_update(entry) ? ours : out).push_back(entry);
  if (ours.empty()) return nullptr;
  for (Json& entry : ours) {
    const auto same = std::find_if(out.begin(), out.end(), [&](const Json& one) {
      return text_of(one, "manager") == kFieldManager && text_of(one, "operation") == "Apply" &&
             text_of(one, "apiVersion") == text_of(entry, "apiVersion") && text_of(one, "subresource").empty();
    });
    if (same != out.end()) {
      (*same)["fieldsV1"].merge_patch(member_of(entry, "fieldsV1"));  // nested objects, {} where a field ends
      continue;
    }
    entry["manager"] = kFieldManager;
    entry["operation"] = "Apply";
    out.push_back(std::move(entry));
  }
  return out;
}

}  // namespace

bool is_refusal(const Error& error) { return error.code == Code::kDenied || error.code == Code::kInvalid; }

ObjectWriter::Written ObjectWriter::create(const kube::Resource& resource, const Json& wanted, const Claimant& claimant,
                                           const std::stop_token& stop) {
  auto created = client_.create(resource, wanted, stop, kFieldManager);
  if (created) {
    foreign_.gone({key_in(wanted).ns, claimant.name}, {std::string(resource.kind), key_in(wanted).name});
    return std::move(*created);
  }
  if (created.error().code != Code::kAlreadyExists) return std::unexpected(created.error());
  return exists(resource, wanted, claimant, stop);
}

// Either the caches are behind, or the name is somebody else's.
ObjectWriter::Written ObjectWriter::exists(const kube::Resource& resource, const Json& wanted, const Claimant& claimant,
                                           const std::stop_token& stop) {
  const kube::Key key = key_in(wanted);
  const auto there = client_.get(resource, key, stop);
  if (!there) {
    if (there.error().code == Code::kNotFound) return fail(Code::kConflict, there.error().message);
    return std::unexpected(there.error());
  }
  const Whose its = whose(marks_of(*there), claimant);
  if (!may_be_written(its, resource.kind)) return is_foreign(resource, key, claimant);
  if (its != Whose::kHandedOver)
    return fail(Code::kConflict, fmt::format("{} {} is there already", resource.kind, key.str()));
  // With the label our caches see it, and the next look treats it as any other.
  auto taken = client_.merge_patch(
      resource, key, takeover_patch(wanted, its, text_of(member_of(*there, "metadata"), "resourceVersion")),
      kube::Subresource::kNone, stop);
  if (!taken) return std::unexpected(taken.error());
  foreign_.gone({key.ns, claimant.name}, {std::string(resource.kind), key.name});
  return std::move(*taken);
}

ObjectWriter::Written ObjectWriter::is_foreign(const kube::Resource& resource, const kube::Key& key,
                                               const Claimant& claimant) {
  if (foreign_.found({key.ns, claimant.name}, {std::string(resource.kind), key.name}))
    return fail(Code::kConflict, fmt::format("{} {} is not Twinspan's", resource.kind, key.str()));
  return std::nullopt;
}

ObjectWriter::Written ObjectWriter::apply(const kube::Resource& resource, const Json& wanted, const Claimant& claimant,
                                          const Owned* there, const std::stop_token& stop) {
  if (!there) {
    auto created = create(resource, wanted, claimant, stop);
    if (!created || !*created) return created;
    const Json managed = turned_over(member_of(member_of(**created, "metadata"), "managedFields"));
    if (managed.is_null()) return created;
    auto owned = own_fields(resource, **created, managed, stop);
    if (owned) return std::move(*owned);
    // Somebody was quicker, as the budget's own controller may be: the next apply does it.
    if (owned.error().code == Code::kConflict) return created;
    return std::unexpected(owned.error());
  }
  const Whose its = whose(*there, claimant);
  if (!may_be_written(its, resource.kind)) return is_foreign(resource, key_in(wanted), claimant);
  const Json& owners = member_of(member_of(wanted, "metadata"), "ownerReferences");
  if (its == Whose::kPredecessors && !owners.empty()) {
    // Two controllers are refused, and the garbage collector takes what only an earlier one owns.
    const auto taken = client_.merge_patch(
        resource, key_in(wanted), takeover_patch(wanted, its, there->resource_version), kube::Subresource::kNone, stop);
    if (!taken) return std::unexpected(taken.error());
  }
  Json object = as_may_be_written(wanted, its);
  // A precondition: an object of the same name that took its place is judged first.
  object["metadata"]["uid"] = there->uid;
  auto applied = client_.apply(resource, object, kFieldManager, kube::Subresource::kNone, stop);
  if (its != Whose::kHandedOver && (applied || applied.error().code == Code::kInvalid)) {
    const auto stayed = what_stayed(resource, applied, *there, key_in(wanted), stop);
    if (!stayed) return std::unexpected(stayed.error());
    if (*stayed) applied = client_.apply(resource, object, kFieldManager, kube::Subresource::kNone, stop);
  }
  if (!applied) return std::unexpected(applied.error());
  return std::move(*applied);
}

// Whether an update of ours still owned something, and the applier owns it now: what an apply leaves out stayed, and
// may be what the apply was refused for (a budget with both limits, two ports of one name).
Result<bool> ObjectWriter::what_stayed(const kube::Resource& resource, const Result<Json>& applied, const Owned& there,
                                       const kube::Key& key, const std::stop_token& stop) {
  const Result<Json> now = applied ? applied : client_.get(resource, key, stop);
  if (!now) return std::unexpected(applied.error());
  const Json& meta = member_of(*now, "metadata");
  if (text_of(meta, "uid") != there.uid) return false;
  const Json managed = turned_over(member_of(meta, "managedFields"));
  if (managed.is_null()) return false;
  if (const auto owned = own_fields(resource, *now, managed, stop); !owned) return std::unexpected(owned.error());
  return true;
}

ObjectWriter::Written ObjectWriter::replace(const kube::Resource& resource, const Json& wanted,
                                            const Claimant& claimant, const Json& there, const std::stop_token& stop) {
  const Whose its = whose(marks_of(there), claimant);
  if (!may_be_written(its, resource.kind)) return is_foreign(resource, key_in(wanted), claimant);
  Json object = as_may_be_written(wanted, its);
  const Json& meta = there.at("metadata");
  for (const char* part : {"labels", "annotations"}) {
    Json merged = meta.value(part, Json::object());
    merged.update(member_of(object["metadata"], part).is_object() ? object["metadata"][part] : Json::object());
    object["metadata"][part] = std::move(merged);
  }
  if (its == Whose::kHandedOver && meta.contains("ownerReferences"))
    object["metadata"]["ownerReferences"] = meta["ownerReferences"];
  if (meta.contains("finalizers")) object["metadata"]["finalizers"] = meta["finalizers"];
  object["metadata"]["resourceVersion"] = text_of(meta, "resourceVersion");
  if (there.contains("type")) object["type"] = there["type"];
  auto updated = client_.update(resource, object, kube::Subresource::kNone, stop);
  if (!updated) return std::unexpected(updated.error());
  return std::move(*updated);
}

// What was made by POST belongs to the manager of updates, and server-side apply would never take away what a later
// rendering leaves out. Kubernetes lets its owner be rewritten (client-go does so in csaupgrade).
Result<Json> ObjectWriter::own_fields(const kube::Resource& resource, const Json& written, const Json& managed,
                                      const std::stop_token& stop) {
  return client_.merge_patch(
      resource, key_in(written),
      {{"metadata",
        {{"resourceVersion", text_of(written["metadata"], "resourceVersion")}, {"managedFields", managed}}}},
      kube::Subresource::kNone, stop);
}

}  // namespace twinspan::controllers
