// What pg_control says of an instance that need not run.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "failover/types.hpp"

namespace twinspan::postgres {

struct ControlData {
  std::string system_id;
  std::string state;          // "shut down", "in production", "shut down in recovery", "in archive recovery" …
  uint32_t timeline = 0;      // of the latest checkpoint
  Position checkpoint;        // where that checkpoint's record starts
  Position redo;              // where recovery from it starts
  Position minimum_recovery;  // 0: none
  uint32_t minimum_recovery_timeline = 0;
  uint64_t segment_bytes = 16777216;
  std::map<std::string, int64_t> recovery_floor;  // Settings::recovery_floor

  // A primary that wrote its last record and stopped.
  bool cleanly_shut_down() const { return state == "shut down"; }
  bool was_in_recovery() const { return state == "shut down in recovery" || state == "in archive recovery"; }
};

// `text`: the output of pg_controldata under LC_ALL=C. kInvalid names the line that is missing.
Result<ControlData> parse_control_data(std::string_view text);

// Where a record of `length` bytes that starts at `start` ends, page headers between included and alignment added: the
// position that a replica which has all of it reports (PostgreSQL: access/xlog_internal.h, XLogPageHeaderData).
Position end_of_record(Position start, uint64_t length, uint64_t segment_bytes);
// The end of the log of an instance that was cleanly shut down: the shutdown checkpoint's record is the last
// (PostgreSQL 15).
Position end_of_clean_log(const ControlData& control);

}  // namespace twinspan::postgres
