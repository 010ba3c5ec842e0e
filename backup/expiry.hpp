// What whoever deletes in a repository looks at once more before it does: the wish came by way of others, and what it
// was planned from is older than what is there now. Pure.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "backup/listing.hpp"
#include "backup/retention.hpp"
#include "core/result.hpp"

namespace twinspan::backup {

inline constexpr std::chrono::minutes kExpiryAskedMax{10};  // what was asked for before that is asked for anew

struct ExpiryWish {
  WallTime asked{};
  std::vector<std::string> labels;           // in this order
  std::optional<std::string> keep_log_from;  // a label
};

struct ExpirySteps {
  std::vector<std::string> labels;  // one at a time, in this order; those that are gone already are left out
  // For --repo1-retention-archive once they are gone; 0: no log goes.
  int newest_fulls = 0;
};

// kInvalid: why none of it may be done, by what the repository holds.
Result<ExpirySteps> plan_expiry(const ExpiryWish& wish, const Listing& listing, WallTime now);

// So many of the newest Fulls, in [first, …] of a Full that `label` is or needs; 0: it is not among them.
int newest_fulls_with(const std::string& label, const std::vector<BackupSet>& backups);

// Whether there is log that nothing keeps, so that expiring it is worth the while.
bool has_spare_log(const WalKept& kept, const Listing& listing);

// How far the bucket's clock was ahead of this one when something was stored, and what this one said then.
struct MeasuredClock {
  std::chrono::microseconds ahead{0};
  WallTime wall{};
  BootTime boot{};
};
// How far it is now: this one may have been set since, which the time since boot does not know of.
std::chrono::seconds ahead_now(const MeasuredClock& measured, WallTime wall, BootTime boot);

}  // namespace twinspan::backup
