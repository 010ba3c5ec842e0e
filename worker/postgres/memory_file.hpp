// What failover/memory.hpp remembers, as one small file beside PGDATA: either the old or the new content, on disk
// before it counts.
#pragma once
#include <optional>
#include <string>

#include "core/result.hpp"
#include "failover/memory.hpp"

namespace twinspan::worker {

struct StoredMemory {
  MemberMemory memory;
  std::string system_id;  // of the database it speaks of; empty: there was none yet
  bool operator==(const StoredMemory&) const = default;
};

std::string memory_path(const std::string& data_dir);
// nullopt: there is none. An error, which names the file and what to do, where it can't be read: never read as empty.
Result<std::optional<StoredMemory>> read_memory(const std::string& data_dir);
Status write_memory(const std::string& data_dir, const StoredMemory& stored);

// What counts, given the data that lie here (`system_id` empty: none do). The data may have been removed or replaced by
// hand; data without a memory are an older version's.
MemberMemory memory_of(const std::optional<StoredMemory>& stored, bool has_data, const std::string& system_id);

}  // namespace twinspan::worker
