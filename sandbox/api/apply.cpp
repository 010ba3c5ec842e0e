#include "sandbox/api/apply.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "sandbox/api/apply_walk.hpp"

namespace twinspan::sandbox {
namespace {

struct Owner {
  FieldManager manager;
  bool applies = false;
  FieldSet fields;
  bool is(const FieldManager& other, bool applying) const {
    return applies == applying && manager.name == other.name && manager.subresource == other.subresource &&
           (applying || manager.api_version == other.api_version);
  }
};

std::vector<Owner> owners_of(const Json& object) {
  std::vector<Owner> out;
  const auto metadata = object.find("metadata");
  if (metadata == object.end() || !metadata->contains("managedFields")) return out;
  for (const Json& entry : (*metadata)["managedFields"]) {
    Owner owner;
    owner.manager = {entry.value("manager", ""), entry.value("apiVersion", ""), entry.value("subresource", ""),
                     entry.value("time", "")};
    owner.applies = entry.value("operation", "") == "Apply";
    owner.fields = FieldSet::parse(entry.value("fieldsV1", Json::object()));
    out.push_back(std::move(owner));
  }
  return out;
}

void write_owners(Json& object, std::vector<Owner>& owners) {
  Json entries = Json::array();
  std::stable_sort(owners.begin(), owners.end(), [](const Owner& a, const Owner& b) {
    return std::tie(b.applies, a.manager.time, a.manager.name) < std::tie(a.applies, b.manager.time, b.manager.name);
  });
  for (const Owner& owner : owners) {
    if (owner.fields.empty()) continue;
    Json entry = {{"manager", owner.manager.name},
                  {"operation", owner.applies ? "Apply" : "Update"},
                  {"apiVersion", owner.manager.api_version},
                  {"time", owner.manager.time},
                  {"fieldsType", "FieldsV1"},
                  {"fieldsV1", owner.fields.to_json()}};
    if (!owner.manager.subresource.empty()) entry["subresource"] = owner.manager.subresource;
    entries.push_back(std::move(entry));
  }
  if (entries.empty())
    object["metadata"].erase("managedFields");
  else
    object["metadata"]["managedFields"] = std::move(entries);
}

// Where an update differs, containers that appear count as changed too ("." in FieldsV1); an applied object names
// leaves and items only.
void walk_fields(const Json& value, SchemaView schema, FieldSet& out, bool containers) {
  if (granular_map(value, schema) && !value.empty()) {
    const bool map = !schema || schema.is_map() || schema.open();
    if (containers && map) out.member = true;
    for (const auto& [name, field] : value.items()) {
      FieldSet& child = out.at("f:" + name);
      walk_fields(field, schema.property(name), child, containers);
      if (map) child.member = true;
    }
  } else if (granular_list(value, schema) && !value.empty()) {
    if (containers) out.member = true;
    for (const Json& item : value) {
      const auto element = element_of(item, schema);
      if (!element) continue;
      FieldSet& child = out.at(*element);
      if (schema.list_type() == ListType::kMap) walk_fields(item, schema.items(), child, containers);
      child.member = true;
    }
  } else {
    out.member = true;
  }
}

const Json* item_named(const Json& list, const std::string& element, SchemaView schema) {
  for (const Json& item : list)
    if (element_of(item, schema) == element) return &item;
  return nullptr;
}

struct Difference {
  FieldSet added, modified, removed;
};

void compare(const Json* before, const Json* after, SchemaView schema, FieldSet& added, FieldSet& modified,
             FieldSet& removed) {
  if (!before && !after) return;
  if (!before) return walk_fields(*after, schema, added, true);
  if (!after) return walk_fields(*before, schema, removed, true);
  if (*before == *after) return;
  if (granular_map(*before, schema) && granular_map(*after, schema)) {
    for (const auto& [name, field] : before->items()) {
      const auto now = after->find(name);
      compare(&field, now == after->end() ? nullptr : &*now, schema.property(name), added.at("f:" + name),
              modified.at("f:" + name), removed.at("f:" + name));
    }
    for (const auto& [name, field] : after->items())
      if (!before->contains(name))
        compare(nullptr, &field, schema.property(name), added.at("f:" + name), modified.at("f:" + name),
                removed.at("f:" + name));
    return;
  }
  if (granular_list(*before, schema) && granular_list(*after, schema)) {
    for (const Json* list : {before, after}) {
      for (const Json& item : *list) {
        const auto element = element_of(item, schema);
        if (!element) continue;
        const Json* was = item_named(*before, *element, schema);
        const Json* is = item_named(*after, *element, schema);
        if (list == after && was) continue;
        compare(was, is, schema.items(), added.at(*element), modified.at(*element), removed.at(*element));
        if (!was) added.at(*element).member = true;
        if (!is) removed.at(*element).member = true;
      }
    }
    return;
  }
  modified.member = true;
}

void tidy(FieldSet& set) {
  for (auto child = set.children.begin(); child != set.children.end();) {
    tidy(child->second);
    child = child->second.empty() ? set.children.erase(child) : std::next(child);
  }
}

// What the server keeps and nobody owns.
Json without_system_fields(Json object) {
  object.erase("apiVersion");
  object.erase("kind");
  if (const auto metadata = object.find("metadata"); metadata != object.end() && metadata->is_object()) {
    for (const char* name : {"name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp",
                             "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "selfLink"})
      metadata->erase(name);
    if (metadata->empty()) object.erase("metadata");
  }
  return object;
}

Difference differences(const Json* before, const Json* after, SchemaView schema) {
  Difference out;
  const Json was = before ? without_system_fields(*before) : Json::object();
  const Json is = after ? without_system_fields(*after) : Json::object();
  compare(&was, &is, schema, out.added, out.modified, out.removed);
  for (FieldSet* set : {&out.added, &out.modified, &out.removed}) tidy(*set);
  return out;
}

Json merge_values(const Json& live, const Json& applied, SchemaView schema);

// Live items stay in place; among themselves the applied ones take the order applied; new ones come last.
Json merge_list(const Json& live, const Json& applied, SchemaView schema) {
  Json out = Json::array();
  std::vector<const Json*> pending;
  for (const Json& item : applied) pending.push_back(&item);
  std::vector<std::string> wanted;
  for (const Json& item : applied) wanted.push_back(element_of(item, schema).value_or(""));
  size_t next = 0;
  const auto place = [&](size_t index) {
    const Json* old_item = item_named(live, wanted[index], schema);
    const bool mergeable = old_item && schema.list_type() == ListType::kMap;
    out.push_back(mergeable ? merge_values(*old_item, applied[index], schema.items()) : applied[index]);
  };
  for (const Json& item : live) {
    const std::string element = element_of(item, schema).value_or("");
    if (std::find(wanted.begin(), wanted.end(), element) == wanted.end()) {
      out.push_back(item);
      continue;
    }
    while (next < wanted.size() && !item_named(live, wanted[next], schema)) ++next;  // new ones wait
    if (next < wanted.size()) place(next++);
  }
  for (size_t i = 0; i < wanted.size(); ++i)
    if (!item_named(live, wanted[i], schema)) place(i);
  return out;
}

Json merge_values(const Json& live, const Json& applied, SchemaView schema) {
  if (granular_map(live, schema) && granular_map(applied, schema)) {
    Json out = live;
    for (const auto& [name, field] : applied.items()) {
      const auto old_field = live.find(name);
      out[name] = old_field == live.end() ? field : merge_values(*old_field, field, schema.property(name));
    }
    return out;
  }
  if (granular_list(live, schema) && granular_list(applied, schema)) return merge_list(live, applied, schema);
  return applied;
}

// Takes away what this manager applied last time and not now, unless somebody else owns it or something in it.
void remove_abandoned(Json& value, const FieldSet& last, const FieldSet& now, const FieldSet& others,
                      SchemaView schema) {
  static const FieldSet kNothing;
  const auto child_of = [](const FieldSet& set, const std::string& name) -> const FieldSet& {
    const auto found = set.children.find(name);
    return found == set.children.end() ? kNothing : found->second;
  };
  for (const auto& [element, before] : last.children) {
    const FieldSet& kept = child_of(now, element);
    const FieldSet& foreign = child_of(others, element);
    const bool gone = kept.empty() && foreign.empty();
    if (element.starts_with("f:")) {
      const std::string name = element.substr(2);
      if (!value.is_object() || !value.contains(name)) continue;
      if (gone)
        value.erase(name);
      else
        remove_abandoned(value[name], before, kept, foreign, schema.property(name));
    } else if (value.is_array()) {
      for (size_t i = 0; i < value.size(); ++i) {
        if (element_of(value[i], schema) != element) continue;
        if (gone)
          value.erase(i);
        else
          remove_abandoned(value[i], before, kept, foreign, schema.items());
        break;
      }
    }
  }
}

std::unexpected<Refusal> conflicts_refused(const std::vector<std::pair<const Owner*, FieldSet>>& conflicts) {
  size_t count = 0;
  std::vector<std::string> lines;
  Causes causes;
  for (const auto& [owner, fields] : conflicts) {
    std::string who = fmt::format("\"{}\"", owner->manager.name);
    if (!owner->manager.subresource.empty()) who += fmt::format(" with subresource \"{}\"", owner->manager.subresource);
    if (!owner->applies) who += " using " + owner->manager.api_version;
    const auto paths = fields.paths();
    count += paths.size();
    for (const std::string& path : paths) causes.push_back({"FieldManagerConflict", "conflict with " + who, path});
    if (paths.size() == 1)
      lines.push_back(fmt::format("conflict with {}: {}", who, paths[0]));
    else {
      std::string line = fmt::format("conflicts with {}:", who);
      for (const std::string& path : paths) line += "\n- " + path;
      lines.push_back(std::move(line));
    }
  }
  std::string all;
  for (const std::string& line : lines) all += (all.empty() ? "" : "\n") + line;
  auto out =
      refuse(409, "Conflict", fmt::format("Apply failed with {} conflict{}: {}", count, count == 1 ? "" : "s", all));
  out.error().causes = std::move(causes);
  return out;
}

}  // namespace

FieldSet fields_of(const Json& object, SchemaView schema) {
  FieldSet out;
  const Json own = without_system_fields(object);
  if (own.empty()) return out;
  walk_fields(own, schema, out, false);
  out.member = false;
  return out;
}

void track_update(const Json* before, Json& after, SchemaView schema, const FieldManager& manager) {
  std::vector<Owner> owners = before ? owners_of(*before) : std::vector<Owner>{};
  const Difference change = differences(before, &after, schema);
  FieldSet taken = change.added;
  taken.unite(change.modified);
  for (Owner& owner : owners) {
    owner.fields.subtract(change.removed);
    if (!owner.is(manager, false)) {
      owner.fields.subtract(change.modified);
      owner.fields.subtract(change.added);
    }
  }
  if (!taken.empty()) {
    auto mine =
        std::find_if(owners.begin(), owners.end(), [&](const Owner& owner) { return owner.is(manager, false); });
    if (mine == owners.end()) mine = owners.insert(owners.end(), Owner{manager, false, {}});
    mine->fields.unite(taken);
    mine->fields.member = false;
    mine->manager.time = manager.time;
  }
  write_owners(after, owners);
}

Answer<Json> apply_object(const Json* live, Json applied, SchemaView schema, const FieldManager& manager, bool force) {
  if (applied.contains("metadata")) applied["metadata"].erase("managedFields");
  const FieldSet now = fields_of(applied, schema);
  std::vector<Owner> owners = live ? owners_of(*live) : std::vector<Owner>{};
  Json merged = live ? merge_values(*live, applied, schema) : applied;

  if (live) {
    const Difference change = differences(live, &merged, schema);
    FieldSet touched = change.added;
    touched.unite(change.modified);
    std::vector<std::pair<const Owner*, FieldSet>> conflicts;
    for (Owner& owner : owners) {
      if (owner.is(manager, true)) continue;
      FieldSet common = owner.fields.intersect(touched).intersect(now);
      if (!common.empty()) conflicts.emplace_back(&owner, std::move(common));
    }
    if (!conflicts.empty() && !force) return conflicts_refused(conflicts);
    for (const auto& [owner, fields] : conflicts) const_cast<Owner*>(owner)->fields.subtract(fields);
  }

  auto mine = std::find_if(owners.begin(), owners.end(), [&](const Owner& owner) { return owner.is(manager, true); });
  if (mine == owners.end()) mine = owners.insert(owners.end(), Owner{manager, true, {}});
  FieldSet others;
  for (const Owner& owner : owners)
    if (&owner != &*mine) others.unite(owner.fields);
  remove_abandoned(merged, mine->fields, now, others, schema);
  if (mine->fields != now || mine->manager.api_version != manager.api_version) mine->manager.time = manager.time;
  mine->manager.api_version = manager.api_version;
  mine->fields = now;
  write_owners(merged, owners);
  return merged;
}

bool same_but_times(const Json& left, const Json& right) {
  const auto stripped = [](Json object) {
    if (const auto metadata = object.find("metadata"); metadata != object.end()) {
      metadata->erase("resourceVersion");
      if (const auto managed = metadata->find("managedFields"); managed != metadata->end()) {
        for (Json& entry : *managed) entry.erase("time");
        std::sort(managed->begin(), managed->end());
      }
    }
    return object;
  };
  return stripped(left) == stripped(right);
}

}  // namespace twinspan::sandbox
