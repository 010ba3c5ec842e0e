// Of the jobs: data that were restored beside those that are here take their place.
#include "worker/postgres/backup/in_place_keeper.hpp"
#include "worker/postgres/backup/restored_mark.hpp"
#include "worker/postgres/jobs.hpp"
#include "worker/postgres/memory_file.hpp"

namespace twinspan::worker {

Status Jobs::carry_out(const PutRestored& job, const Desired& desired, const std::stop_token&) {
  const std::string prepared = c_.local.copy().prepared;
  if (!may_replace(&desired, prepared)) return fail(Code::kUnavailable, "no restored data wait for this order");
  doing(MemberState::kStarting);
  const api::InPlaceAssignment& order = *desired.restore->in_place;
  const WallTime until = c_.clock.wall_now() + std::chrono::hours(order.keep_old_hours);
  if (auto done = c_.places.exchange({prepared, job.epoch, until, order.bring_back}); !done) return done;
  return data_exchanged();
}

// One that failed on its way, whose lease may be gone by now: what lies here is neither the one nor the other, and
// another is decided upon once it is.
Status Jobs::finish_exchange() {
  if (auto done = c_.places.roll_forward(); !done) return done;
  if (auto told = data_exchanged(); !told) return told;
  return fail(Code::kUnavailable, "restored data have taken the place of others meanwhile");
}

Status Jobs::data_exchanged() {
  const auto memory = read_memory(c_.layout.data_dir);
  const auto mark = read_restored_mark(c_.layout.data_dir);
  data_replaced(DataShape::kPrimary);
  c_.local.update([&](Local& local) {
    local.memory.reset();  // what was remembered is of other data
    if (memory) local.memory = memory_of(*memory, true, *memory ? (*memory)->system_id : "");
    if (!memory) local.memory_trouble = memory.error().message;
    local.prepared.clear();
    local.shut = true;
    if (!local.backup) local.backup.emplace();
    if (mark) local.backup->restored = said_of(*mark);
  });
  owner_applied_.clear();  // its password is of then
  declared_digest_.clear();
  return memory ? Status{} : std::unexpected(memory.error());
}

}  // namespace twinspan::worker
