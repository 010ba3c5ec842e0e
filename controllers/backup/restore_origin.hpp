// Where the data of a Restore come from, by what its spec refers to. Pure.
#pragma once
#include <expected>
#include <optional>
#include <string>

#include "api/types.hpp"

namespace twinspan::controllers {

struct RestoreSeen;

struct RestoreOrigin {
  std::string stanza;
  std::optional<int64_t> timeline;  // nullopt: the newest that is stored, as far as its agent finds
  std::optional<std::string> label;
  api::BackupDestination destination;
  std::optional<api::BackupEncryption> encryption;
  bool live = false;  // the timeline is that of a primary that writes there, by the word of the schedule
};

struct OriginTrouble {
  std::string words;
  bool lasting = false;  // waiting does not help
};

std::expected<RestoreOrigin, OriginTrouble> origin_of(const RestoreSeen& seen);

}  // namespace twinspan::controllers
