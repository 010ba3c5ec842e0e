// Keeps a primary's roles, databases and extensions as they are declared: when the spec, the owner or a password
// changes, when it becomes primary, and every few minutes. One thread.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "contract/declared_objects.hpp"
#include "core/clock.hpp"
#include "engines/postgres/objects.hpp"
#include "worker/postgres/desired_objects.hpp"
#include "worker/postgres/secret_reader.hpp"

namespace twinspan::worker {

class ObjectKeeper {
 public:
  static constexpr std::chrono::seconds kSecretsInterval{15}, kLookInterval{180};
  static constexpr std::chrono::seconds kRetry{5}, kRetryMax{60};  // doubled from one to the other
  // For so long after an edit a Secret that can't be read is awaited, and looked for every kSoon.
  static constexpr std::chrono::seconds kGrace{30}, kSoon{1};

  // Whoever asks, and of which life of the database.
  struct Primary {
    const postgres::Layout& layout;
    int port;
    uint64_t life;
    int64_t epoch;
    std::string owner;  // the user name of the owner's Secret
  };

  ObjectKeeper(const Clock& clock, SecretSource& passwords) : clock_(clock), source_(passwords) {}

  // What there is to say now; nullopt: nothing is declared. An error: nobody gets in, or `stop`.
  Result<std::optional<ObjectsReport>> keep(const DesiredObjects& desired, const Primary& primary,
                                            const std::stop_token& stop);

 private:
  using Passwords = std::map<std::string, std::string>;  // by role
  struct Wish {
    std::string asked, owner;
    uint64_t life = 0;
    int64_t epoch = 0;
    bool operator==(const Wish&) const = default;
  };

  Passwords read_passwords(const DesiredObjects& desired, std::vector<ObjectsReport::Trouble>& troubles,
                           const std::stop_token& stop);
  void tell_of_removed(const DesiredObjects& desired);

  const Clock& clock_;
  SecretSource& source_;
  postgres::Objects objects_;
  std::optional<Wish> done_;  // the last one that was carried out, whatever came of it
  Passwords passwords_;
  std::vector<ObjectsReport::Trouble> unread_;  // passwords that can't be had
  bool unanswered_ = false;                     // some were not told at the last reading
  ObjectsReport said_;
  std::string wished_;
  BootTime wished_at_{};
  std::set<std::string> declared_;
  BootTime read_at_{}, look_at_{};
  std::chrono::seconds retry_{kRetry};
};

}  // namespace twinspan::worker
