// What the pod that tests a restore is told, and what it says when it ends. It has no rights at the API: what it is
// told lies in a file that is an annotation of its own, what opens the repository in files beside it, and its answer is
// its container's termination message.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api/types.hpp"
#include "core/json.hpp"
#include "core/result.hpp"

namespace twinspan {

inline constexpr std::string_view kRestoreTestName = "twinspan-restore-test";            // of kNameLabel
inline constexpr std::string_view kRestoreTestLabel = "twinspan.dev/restore-test";       // the link
inline constexpr std::string_view kRestoreTestAnnotation = "twinspan.dev/restore-test";  // the order
std::string restore_test_name(std::string_view link);  // of the pod and its NetworkPolicy; one at a time
// The file that holds a Secret's key, below --secrets-dir. A Secret's name has no underscore.
std::string secret_file_name(std::string_view secret, std::string_view key);

struct RestoreTestOrder {
  std::string stanza;
  api::BackupDestination destination;
  std::optional<api::BackupEncryption> encryption;
  api::TestAssignment test;
  std::string database;   // that queries are asked in
  std::string libraries;  // shared_preload_libraries of the link; empty: none
  bool operator==(const RestoreTestOrder&) const = default;
};
Json to_json(const RestoreTestOrder& order);
Result<RestoreTestOrder> parse_restore_test_order(std::string_view text);

struct RestoreTestResult {
  enum class Outcome {
    kPassed,
    kFailed,
    kMoved  // the link went on to another timeline meanwhile: this one proves nothing of it
  };
  std::string asked;  // of the order's test
  Outcome outcome = Outcome::kFailed;
  std::optional<int64_t> seconds;  // from nothing to a PostgreSQL that answered; nullopt: it did not
  std::string message;             // for people
  bool operator==(const RestoreTestResult&) const = default;
};
// Within the 4096 bytes that Kubernetes keeps of it.
std::string to_text(const RestoreTestResult& result);
// nullopt: it says nothing of the kind.
std::optional<RestoreTestResult> restore_test_result_of(std::string_view text);

}  // namespace twinspan
