// What becomes of records on their way: which are carried, how their headers change, how they are compressed. Where
// none of it is asked for, batches pass as they are.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace twinspan::kafka_engine {

enum class Codec { kKeep, kNone, kGzip, kSnappy, kLz4, kZstd };

struct RecordRules {
  // A record is carried where each of these that is given holds.
  std::vector<std::string> include_patterns{}, exclude_patterns{};  // RE2, anywhere in the value
  std::map<std::string, std::string> headers{};                     // the last one of that name has that value
  std::optional<int64_t> min_time{};                                // milliseconds since 1970
  // First mapped, then removed, then added.
  std::map<std::string, std::map<std::string, std::string>> map_headers{};
  std::vector<std::string> remove_headers{};
  std::map<std::string, std::string> add_headers{};  // ${now}, ${source}, ${topic}, ${partition}, ${offset}
  Codec codec = Codec::kKeep;
  std::optional<int32_t> batch_records{};  // of a batch that is encoded anew, at most
  std::string source{};                    // the name that ${source} stands for
  bool operator==(const RecordRules&) const = default;
};

}  // namespace twinspan::kafka_engine
