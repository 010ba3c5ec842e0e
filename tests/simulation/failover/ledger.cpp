#include "ledger.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace twinspan::simulation {

void Ledger::note(const std::string& text) {
  if (options_.trace)
    outcome_.trace.push_back(fmt::format("{:>10.3f} {}", static_cast<double>(network_.now()) / 1e6, text));
}

void Ledger::violate(const std::string& what, bool unsafe) {
  outcome_.unsafe |= unsafe;
  note("VIOLATION " + what);
  outcome_.violations.push_back(fmt::format("at {:.3f} s: {}", static_cast<double>(network_.now()) / 1e6, what));
}

std::shared_ptr<Volume> Ledger::new_volume() {
  auto volume = std::make_shared<Volume>();
  volume->id = static_cast<int>(volumes_.size());
  volume->memory.data_epoch = Epoch{0};
  volumes_.push_back(volume);
  return volume;
}

bool Ledger::can_spare(const Volume& volume) const {
  return std::any_of(volumes_.begin(), volumes_.end(), [&](const auto& other) {
    return other.get() != &volume && !other->lost && other->shape != DataShape::kNone &&
           std::all_of(promised_.begin(), promised_.end(),
                       [&](const auto& promise) { return other->log.has(promise.first, promise.second); });
  });
}

bool Ledger::somewhere(Line line, uint64_t position) const {
  return std::any_of(volumes_.begin(), volumes_.end(),
                     [&](const auto& volume) { return !volume->lost && volume->log.has(line, position); });
}

void Ledger::serves(const std::string& who, Volume& volume) {
  if (volume.restored < 0) return;
  note(who + " serves what was restored");
  ++outcome_.restored;
  restored_ = volume.restored;
  volume.restored = -1;
  for (Promises* promises : {&promised_, &unreplicated_})
    for (auto& [line, position] : *promises) position = std::min(position, volume.log.end_of(line));
}

void Ledger::check_restored(const std::string& who, const Volume& volume, bool decided) {
  if (restored_ < 0 || volume.log.knows(restored_)) return;
  const bool gone = std::none_of(volumes_.begin(), volumes_.end(),
                                 [&](const auto& other) { return !other->lost && other->log.knows(restored_); });
  if (!decided && !gone) violate(who + " accepts writes with data from before a restore");
  restored_ = -1;
}

void Ledger::opened(const std::string& who, Epoch epoch, const Volume& volume, const std::string& chosen) {
  note(fmt::format("{} accepts writes in epoch {} at {} of timeline {}", who, epoch.value, volume.log.end(),
                   volume.log.line()));
  // Of an epoch that only a lost volume remembered nobody can know.
  const auto known = [&](int64_t used) {
    const auto wrote = writers_.find(used);
    return wrote != writers_.end() && !volumes_[static_cast<size_t>(wrote->second.volume)]->lost;
  };
  if (known(epoch.value) && writers_[epoch.value].who != who)
    violate(fmt::format("epoch {} was {}'s, now it is {}'s", epoch.value, writers_[epoch.value].who, who));
  if (epoch.value < highest_epoch_ && known(highest_epoch_))
    violate(fmt::format("{} accepts writes in epoch {}, after there was epoch {}", who, epoch.value, highest_epoch_));
  if (epoch.value > highest_epoch_ && highest_epoch_ > 0) ++outcome_.failovers;
  highest_epoch_ = std::max(highest_epoch_, epoch.value);
  writers_[epoch.value] = {who, volume.id};
  const std::string endpoint = who.substr(0, who.find('/'));
  if (volume.restored < 0) {
    check_restored(who, volume, decided_for_.contains(endpoint));
    check_kept(who, volume, promised_, false);
    check_kept(who, volume, unreplicated_, loss_excused_.contains(endpoint) || decided_for_.contains(endpoint));
  }
  decided_for_.erase(endpoint);
  const bool still = chosen != endpoint && loss_excused_.contains(chosen);
  loss_excused_.clear();
  if (still) loss_excused_.insert(chosen);
  last_writer_ = volume.id;
}

// What no volume has any more can't be kept by anybody.
void Ledger::check_kept(const std::string& who, const Volume& volume, Promises& promises, bool excused) {
  for (auto promise = promises.begin(); promise != promises.end();) {
    const Line line = promise->first;
    while (promise->second > 0 && !volume.log.has(line, promise->second) && !somewhere(line, promise->second))
      --promise->second;
    if (promise->second == 0 || (excused && !volume.log.has(line, promise->second))) {
      promise = promises.erase(promise);
      continue;
    }
    if (!volume.log.has(line, promise->second))
      violate(fmt::format("{} lacks the acknowledged commit {} of timeline {}", who, promise->second, line));
    ++promise;
  }
}

void Ledger::check_single(const std::vector<Writer>& writers) {
  std::string who;
  int count = 0;
  for (const Writer& one : writers) {
    if (one.standing_still) continue;
    ++count;
    who += " " + one.who;
  }
  if (count > 1) violate("more than one accepts writes:" + who);
}

void Ledger::acknowledged(const Volume& volume, bool by_replicas) {
  (by_replicas ? promised_ : unreplicated_)[volume.log.line()] = volume.log.end();
  ++outcome_.acknowledged;
}

void Ledger::streamed(const std::string& from, const std::string& to, const Log& source, const Log& replica) {
  if (!replica.prefix_of(source)) violate(fmt::format("{} streams from {} onto another history", to, from));
}

void Ledger::elected_without_replicas(const Assignment& assignment, bool lease_told) {
  const Volume* last = last_writer_ < 0 ? nullptr : volumes_[static_cast<size_t>(last_writer_)].get();
  if (lease_told || !last || last->lost || last->out_of_reach) loss_excused_.insert(assignment.primary);
}

void Ledger::assigned(const Assignment& assignment) {
  if (assignment.cause != Cause::kRestore) return;
  if (assignment.primary.empty() || assignment.primary != assignment.previous)
    violate(fmt::format("epoch {} restores data of {} and names \"{}\"", assignment.epoch.value, assignment.previous,
                        assignment.primary));
}

void Ledger::person_decided(const std::string& endpoint) {
  decided_for_.insert(endpoint);
  promised_.clear();
  unreplicated_.clear();
}

}  // namespace twinspan::simulation
