#include "backup/parent.hpp"

#include <fmt/format.h>

namespace twinspan::backup {

Result<std::string> parent_for(Kind kind, const std::vector<BackupSet>& backups, const std::string& system_id) {
  if (kind == Kind::kFull) return "";
  const BackupSet* parent = nullptr;
  for (const BackupSet& one : backups)
    if (one.system_id == system_id && (kind == Kind::kIncremental || one.kind == Kind::kFull)) parent = &one;
  if (!parent)
    return fail(Code::kInvalid,
                fmt::format("{} needs a backup to build on, and the repository has none of this database: make a full",
                            to_string(kind)));
  if (parent->corrupt.value_or(false))
    return fail(Code::kInvalid, fmt::format("{} would build on {}, which holds pages with wrong checksums: make a full",
                                            to_string(kind), parent->label));
  return parent->label;
}

std::optional<Kind> kind_of_label(std::string_view label) {
  // A stamp is "20261126-020000" and a letter; what is made upon a Full has the Full's in front.
  const auto is_stamp = [](std::string_view text) {
    if (text.size() != 15 || text[8] != '-') return false;
    for (size_t i = 0; i < text.size(); ++i)
      if (i != 8 && (text[i] < '0' || text[i] > '9')) return false;
    return true;
  };
  if (label.size() < 16 || !is_stamp(label.substr(0, 15)) || label[15] != 'F') return std::nullopt;
  if (label.size() == 16) return Kind::kFull;
  if (label.size() != 33 || label[16] != '_' || !is_stamp(label.substr(17, 15))) return std::nullopt;
  if (label[32] == 'D') return Kind::kDifferential;
  if (label[32] == 'I') return Kind::kIncremental;
  return std::nullopt;
}

std::string_view type_of(Kind kind) {
  switch (kind) {
    case Kind::kFull: return "full";
    case Kind::kDifferential: return "diff";
    case Kind::kIncremental: return "incr";
  }
  return "";
}

}  // namespace twinspan::backup
