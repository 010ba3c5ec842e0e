#include "api/managed_defaults.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "api/reader.hpp"
#include "core/text.hpp"

namespace twinspan::api {
namespace {

// `own` over `common`, key by key down to `depth`. null counts as absent.
Json merged(const Json& common, const Json& own, int depth) {
  if (own.is_null()) return common;
  if (depth == 0 || !common.is_object() || !own.is_object()) return own;
  Json out = common;
  for (const auto& [key, value] : own.items()) out[key] = merged(member_of(common, key), value, depth - 1);
  return out;
}

// Names of settings are the same in upper and lower case.
Json merged_parameters(const Json& common, const Json& own) {
  if (!common.is_object() || !own.is_object()) return merged(common, own, 1);
  Json out = own;
  std::set<std::string> names;
  for (const auto& [name, value] : own.items()) names.insert(to_lower(name));
  for (const auto& [name, value] : common.items())
    if (!names.contains(to_lower(name))) out[name] = value;
  return out;
}

// By name, in the order in which the link has them; what only the endpoint has follows.
Json merged_env(const Json& common, const Json& own) {
  if (!common.is_array() || !own.is_array()) return merged(common, own, 0);
  Json out = common;
  for (const Json& one : own) {
    const auto same = std::find_if(
        out.begin(), out.end(), [&](const Json& other) { return member_of(other, "name") == member_of(one, "name"); });
    if (same == out.end())
      out.push_back(one);
    else
      *same = one;
  }
  return out;
}

// null where neither says anything.
Json merged_template(const Json& common, const Json& own) {
  if (!common.is_object() || !own.is_object()) return merged(common, own, 0);
  Json out = merged(common, own, 2);
  out["env"] = merged_env(member_of(common, "env"), member_of(own, "env"));
  return out;
}

Json complete(const Json& common, const Json& own) {
  Json out = merged(common, own, 1);
  out["parameters"] = merged_parameters(member_of(common, "parameters"), member_of(own, "parameters"));
  out["resources"] = merged(member_of(common, "resources"), member_of(own, "resources"), 2);
  out["podTemplate"] = merged_template(member_of(common, "podTemplate"), member_of(own, "podTemplate"));
  Json storage = member_of(common, "storage");
  // An emptyDir has no class, whichever the volumes of others have.
  if (storage.is_object() && member_of(member_of(own, "storage"), "ephemeral") == Json(true))
    storage.erase("storageClassName");
  out["storage"] = merged(storage, member_of(own, "storage"), 1);
  return out;
}

Status inherit(const Json& common, const Json& written, const Path& at, Endpoint& endpoint) {
  if (endpoint.s3 || (endpoint.postgres && endpoint.postgres->external)) return {};
  auto managed = parse_managed_postgres(complete(common, member_of(member_of(written, "postgres"), "managed")));
  // Each was read by itself: what is left is too much of what is right.
  if (!managed) return fail(Code::kInvalid, at.str() + ".postgres.managed." + managed.error().message);
  if (!endpoint.postgres) endpoint.postgres.emplace();
  endpoint.postgres->managed = std::move(*managed);
  return {};
}

}  // namespace

Status inherit_managed(const Json& json, const Path& at, LinkSpec& spec) {
  if (!spec.postgres.managed) return {};
  const Json& common = member_of(member_of(json, "postgres"), "managed");
  if (auto ok = inherit(common, member_of(json, "source"), Path{&at, "source"}, spec.source); !ok) return ok;
  const Json& targets = member_of(json, "targets");
  const Path list{&at, "targets"};
  for (size_t i = 0; i < spec.targets.size(); ++i)
    if (auto ok = inherit(common, targets[i], Path{&list, {}, static_cast<int64_t>(i)}, spec.targets[i]); !ok)
      return ok;
  return {};
}

LinkSpec without_managed_defaults(LinkSpec spec) {
  spec.postgres.managed.reset();
  return spec;
}

}  // namespace twinspan::api
