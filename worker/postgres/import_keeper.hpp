// What a primary's agent does for spec.postgres.bootstrap.import: it looks once in each life of the database whether
// all is here, and begins, or begins anew, where it is not. Nothing here holds up renewal, fencing or an action: what
// copies speaks to the own socket, and ends with the database.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "api/types.hpp"
#include "core/clock.hpp"
#include "core/guarded.hpp"
#include "core/role_thread.hpp"
#include "core/wait.hpp"
#include "engines/postgres/children.hpp"
#include "engines/postgres/follow.hpp"
#include "engines/postgres/import.hpp"
#include "engines/postgres/layout.hpp"
#include "worker/postgres/desired.hpp"
#include "worker/postgres/local.hpp"
#include "worker/postgres/secret_reader.hpp"

namespace twinspan::worker {

// Without the files.
postgres::ImportSource source_of(const api::ImportSettings& settings);

class ImportKeeper {
 public:
  // Whatever failed is tried again: a Secret, or the source, may have been put right.
  static constexpr std::chrono::seconds kRetry{2}, kRetryMax{60};  // doubled from one to the other

  struct Standing {
    std::shared_ptr<const Desired> desired;  // nullptr: the link is not known yet
    bool may_write = false;                  // it holds the lease, and accepts writes
    uint64_t life = 0;                       // of the database
  };
  struct Context {
    postgres::Children& children;
    const postgres::Layout& layout;
    const std::string& owner_dir;
    int postgres_port = 5432;
    SecretSource& secrets;
    const Clock& clock;
    LocalState& local;
    std::function<Standing()> standing;
  };
  explicit ImportKeeper(Context context) : c_(std::move(context)) {}
  ~ImportKeeper() { stop(); }
  void start();
  void stop();

 private:
  void run(const std::stop_token& stop);
  void look_after(const Standing& now, const std::stop_token& stop);
  void leave_to_people(const Standing& now, const std::stop_token& stop);
  // Watches over one attempt: how far it is, and whether it is still this member's to do.
  Status watch(const Standing& begun, postgres::ImportStep step, const std::stop_token& stop);
  Status attempt(const Desired& desired, postgres::ImportStep step, const std::stop_token& stop);
  Status make_ready(const Desired& desired, const postgres::ImportWanted& wanted, const std::stop_token& stop);
  Result<postgres::ImportWanted> wanted(const Desired& desired, const std::string& owner, const std::stop_token& stop);
  std::string directory() const { return c_.layout.run_dir + "/import"; }
  postgres::ImportSteps steps(const Desired& desired, const postgres::ImportWanted& wanted,
                              const std::stop_token& stop);
  Status complete(const Desired& desired, const std::stop_token& stop);
  void tell_completed(const Desired& desired, std::string words, const std::stop_token& stop);
  // Of method Logical (import_follow.cpp).
  Result<std::string> attempt_to_follow(const Desired& desired, postgres::ImportWanted wanted,
                                        postgres::ImportStep step, const std::stop_token& stop);
  Status follow(const Desired& desired, const postgres::Following& following, const std::stop_token& stop);
  std::string leave_source(const postgres::Following& following, const std::string& system,
                           const std::stop_token& stop);
  Status forget_half(const Desired& desired, const postgres::ImportSource& source, const std::stop_token& stop);
  std::string finish_leaving(const Desired& desired, const postgres::ImportFound& found, const std::stop_token& stop);
  bool cut_over_asked() const;
  void note(const Status& outcome, std::chrono::seconds took = {});
  void tell(const std::function<void(api::ImportStatus&)>& change);

  const Context c_;
  // The life of the database in which nothing is left to do, and for whom: a link's first spec may ask for no import
  // and be replaced by one that does.
  struct Settled {
    uint64_t life;
    bool asks_for_import;
    bool operator==(const Settled&) const = default;
  };
  std::optional<Settled> settled_;     // of the keeper's thread, as all that follow
  std::optional<uint64_t> opened_in_;  // the life in which clients were let into what is people's
  BootTime next_at_{};
  std::chrono::seconds retry_{kRetry};
  Signal wake_;
  RoleThread thread_{"import"};
};

}  // namespace twinspan::worker
