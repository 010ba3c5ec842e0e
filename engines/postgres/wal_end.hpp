// Where the log of a crashed instance ends.
#pragma once
#include <cstdint>
#include <stop_token>
#include <string>

#include "core/result.hpp"
#include "failover/types.hpp"

namespace twinspan::postgres {

// Walks the records of `timeline` in `wal_directory` from `start`, where one begins, as recovery would: until one is
// missing, torn, fails its checksum or doesn't name its predecessor. Answers the end of the last whole one (PostgreSQL
// 15: access/transam/xlogreader.c). A missing first segment is the end at `start`.
Result<Position> end_of_wal(const std::string& wal_directory, uint32_t timeline, Position start, uint64_t segment_bytes,
                            const std::stop_token& stop = {});

// "000000020000000000000003"
std::string wal_segment_name(uint32_t timeline, Position at, uint64_t segment_bytes);

}  // namespace twinspan::postgres
