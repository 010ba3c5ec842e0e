#include "worker/s3/past.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace twinspan::worker_s3 {
namespace {

bool overlap(const std::string& a, const std::string& b) { return a.starts_with(b) || b.starts_with(a); }

bool same_place(const Place& a, const Place& b) {
  return a.endpoint == b.endpoint && a.bucket == b.bucket && overlap(a.prefix, b.prefix);
}

const Place* named(const std::vector<Place>& places, const std::string& name) {
  const auto found = std::find_if(places.begin(), places.end(), [&](const Place& one) { return one.name == name; });
  return found == places.end() ? nullptr : &*found;
}

// One record that speaks of this link's places, in this link's names. Empty: a place that it doesn't have.
struct Testimony {
  std::string at;  // where it lies
  std::string primary, source;
  const LinkRecord* record;
};

class Reader {
 public:
  Reader(const LinkFacts& link, const RecordsRead& seen) : link_(link) {
    for (const auto& [at, records] : seen.read)
      for (const StoredRecord& one : records.records) {
        const LinkRecord& record = one.record;
        if (counts(record, at, seen))
          all_.push_back({at, resolved(record.primary, record, at), resolved(record.source, record, at), &record});
        else if (is_copy_here(record, at))
          copies_of_others_.push_back({at, record.primary, record.source, &record});
      }
  }
  const std::vector<Testimony>& all() const { return all_; }
  // Where another link, between other places, keeps a copy in one of ours.
  const std::vector<Testimony>& copies_of_others() const { return copies_of_others_; }
  int64_t last_epoch() const {
    int64_t last = 0;
    for (const Testimony& one : all_) last = std::max(last, one.record->epoch);
    return last;
  }

 private:
  bool own(const LinkRecord& record) const { return record.ns == link_.ns && record.link == link_.link; }

  bool is_copy_here(const LinkRecord& record, const std::string& at) const {
    const Place *there = named(record.places, record.here), *here = named(link_.places, at);
    return record.primary != record.here && there && here && overlap(there->prefix, here->prefix);
  }

  bool counts(const LinkRecord& record, const std::string& at, const RecordsRead& seen) const {
    if (own(record)) return true;
    const Place* there = named(record.places, record.here);
    const Place* here = named(link_.places, at);
    if (!there || !here || !overlap(there->prefix, here->prefix)) return false;
    // The same link's record at another of our places, or its name for one.
    for (const auto& [other, records] : seen.read)
      for (const StoredRecord& two : records.records)
        if (other != at && two.record.ns == record.ns && two.record.link == record.link) return true;
    return std::any_of(record.places.begin(), record.places.end(), [&](const Place& one) {
      return one.name != record.here && std::any_of(link_.places.begin(), link_.places.end(), [&](const Place& two) {
               return two.name != at && same_place(one, two);
             });
    });
  }

  std::string resolved(const std::string& name, const LinkRecord& record, const std::string& at) const {
    if (name.empty()) return link_.places.front().name;  // of before there were records: as the spec has it
    if (name == record.here) return at;
    if (const Place* place = named(record.places, name))
      for (const Place& ours : link_.places)
        if (ours.name != at && same_place(*place, ours)) return ours.name;
    if (name != at && named(link_.places, name)) return name;
    if (record.places.size() == 2 && link_.places.size() == 2)
      return link_.places[link_.places.front().name == at ? 1 : 0].name;
    return "";
  }

  const LinkFacts& link_;
  std::vector<Testimony> all_, copies_of_others_;
};

std::string where(const LinkFacts& link, const Testimony& one) {
  const Place* place = named(link.places, one.at);
  return fmt::format("{} (in bucket {} of {}, of link {}/{}{})", link_record_key(one.record->ns, one.record->link),
                     place ? place->bucket : "", one.at, one.record->ns, one.record->link,
                     one.record->since.empty() ? "" : ", written " + one.record->since);
}

std::string ask(const LinkFacts& link, const std::string& endpoint, int64_t epoch) {
  return fmt::format("Name the endpoint whose objects are right, for example: {}",
                     promote_command(link.ns, link.link, {endpoint, Epoch{epoch + 1}}));
}

std::string unread_for_people(const RecordsRead& seen) {
  std::string text;
  for (const auto& [endpoint, why] : seen.unread)
    text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", endpoint, why);
  return text;
}

// Without a word of them nobody was ever primary but the source: a link that has just been made waits for nobody.
bool surely_new(const LinkFacts& link, const RecordsRead& seen, const Reader& reader) {
  if (!reader.all().empty() || seen.read.size() < 2 || !seen.read.contains(link.places.front().name)) return false;
  return std::all_of(seen.read.begin(), seen.read.end(), [](const auto& one) { return one.second.unreadable.empty(); });
}

// What a link says of itself in its first epoch is no past.
bool only_begun(const LinkFacts& link, const Reader& reader) {
  return std::all_of(reader.all().begin(), reader.all().end(), [&](const Testimony& one) {
    const LinkRecord& record = *one.record;
    return record.ns == link.ns && record.link == link.link && record.epoch == 1 &&
           one.primary == link.places.front().name && (record.uid == link.uid || record.uid.empty());
  });
}

std::optional<std::string> unreadable(const RecordsRead& seen) {
  for (const auto& [endpoint, records] : seen.read)
    if (!records.unreadable.empty())
      return fmt::format("{} in the bucket of {} can't be read as a record", records.unreadable.front(), endpoint);
  return std::nullopt;
}

}  // namespace

LinkFacts facts_of(const api::ReplicationLink& link) {
  LinkFacts facts{link.metadata.ns, link.metadata.name, link.metadata.uid, {}, link.spec.s3.restore};
  for (const api::Endpoint& endpoint : endpoints_of(link.spec))
    if (endpoint.s3)
      facts.places.push_back({endpoint.name, endpoint.s3->endpoint, endpoint.s3->bucket, endpoint.s3->prefix});
  return facts;
}

Bearing bearing_of(const api::ReplicationLink& link) {
  Bearing bearing{direction_of(link), link.status.assignment.has_value(), false};
  const auto word = link.metadata.annotations.find(std::string(kPromoteAnnotation));
  if (word == link.metadata.annotations.end()) return bearing;
  const auto wish = parse_promote_word(word->second);
  bearing.by_person = bearing.assigned && wish && wish->endpoint == bearing.direction.primary &&
                      wish->epoch.value == bearing.direction.epoch;
  return bearing;
}

FlowPast judge_past(const LinkFacts& link, const RecordsRead& seen, const Bearing& bearing) {
  const Reader reader(link, seen);
  const std::string& source = link.places.front().name;
  FlowPast past;
  past.known = seen.unread.empty() && seen.read.size() == link.places.size();
  const int64_t last = reader.last_epoch();
  std::set<std::string> primaries, sources;
  std::string said;
  for (const Testimony& one : reader.all()) {
    if (one.record->epoch != last) continue;
    primaries.insert(one.primary);
    sources.insert(one.source);
    said += fmt::format("{}{} says {}", said.empty() ? "" : "; ", where(link, one),
                        one.primary.empty() ? one.record->primary + ", which the link does not have" : one.primary);
  }
  const std::string likely = primaries.empty() || primaries.begin()->empty() ? source : *primaries.begin();
  const auto undecided = [&](FlowReason reason, const std::string& why) {
    past.epoch = Epoch{last};
    past.reason = reason;
    past.message = why + ". Nothing is copied. " + ask(link, likely, last);
    return past;
  };
  if (const auto bad = unreadable(seen))
    return undecided(FlowReason::kRecordUnreadable, *bad + ", so who was primary last is not known");
  if (surely_new(link, seen, reader)) {
    past.known = true;
    return past;
  }
  if (!reader.all().empty() && !only_begun(link, reader)) {
    past.epoch = Epoch{last};
    if (primaries.size() != 1 || primaries.begin()->empty())
      return undecided(FlowReason::kRecordsContradict,
                       fmt::format("who was primary in epoch {} is not clear: {}", last, said));
    if (bearing.assigned && last >= bearing.direction.epoch)
      for (const Testimony& one : reader.all())
        if (one.record->epoch == last && !one.record->uid.empty() && one.record->uid != link.uid)
          return undecided(FlowReason::kTakenOver, fmt::format("another link has taken over: {}", where(link, one)));
    past.primary = link.restores ? source : *primaries.begin();
    if (past.primary != source && !(sources.size() == 1 && *sources.begin() == source)) {
      past.primary.clear();
      return undecided(FlowReason::kPrimaryUnclear,
                       fmt::format("the spec's source is {}, and {} was primary last, in epoch {}, of a "
                                   "link with another source: {}",
                                   source, likely, last, said));
    }
  }
  if (!past.known)
    past.message = fmt::format(
        "who was primary last is known when all buckets have been read ({}). Where one is lost for "
        "good: {}",
        unread_for_people(seen), ask(link, likely, last));
  return past;
}

const StoredRecord* own_record(const LinkFacts& link, const RecordsRead& seen, const std::string& endpoint) {
  const auto read = seen.read.find(endpoint);
  if (read == seen.read.end()) return nullptr;
  for (const StoredRecord& one : read->second.records)
    if (one.record.ns == link.ns && one.record.link == link.link && !one.etag.empty()) return &one;
  return nullptr;
}

Permission may_write(const LinkFacts& link, const RecordsRead& seen, const Bearing& bearing,
                     const std::string& target) {
  const Direction& direction = bearing.direction;
  for (const std::string& needed : {direction.primary, target}) {
    if (seen.read.contains(needed)) continue;
    const auto why = seen.unread.find(needed);
    return {Permit::kUnknown, needed, FlowReason::kNone,
            fmt::format("{}: its records of the link's past are not read yet{}", needed,
                        why == seen.unread.end() ? "" : ": " + why->second)};
  }
  const FlowPast past = judge_past(link, seen, bearing);
  if (past.reason == FlowReason::kRecordUnreadable && !bearing.by_person)
    return {Permit::kRefused, target, past.reason, past.message};
  const Reader reader(link, seen);
  for (const Testimony& one : reader.copies_of_others())
    if (one.at == target && target != direction.primary)
      return {Permit::kRefused, target, FlowReason::kPlaceTaken,
              fmt::format("{} is another link's copy, says {}: two that write there would overwrite each other. Choose "
                          "another bucket or prefix, or, where that link is no more, delete that object",
                          target, where(link, one))};
  for (const Testimony& one : reader.all()) {
    const LinkRecord& record = *one.record;
    const bool other = !record.uid.empty() && record.uid != link.uid;
    const bool later = record.epoch > direction.epoch;
    const bool against = record.epoch == direction.epoch && (one.primary != direction.primary || other);
    if (!later && !against && (bearing.assigned || !other)) continue;
    if (past.undecided()) return {Permit::kRefused, one.at, past.reason, past.message};
    if (bearing.assigned && !later)
      return {Permit::kRefused, one.at, FlowReason::kRecordsContradict,
              fmt::format("{} is primary in epoch {}, and {} says that {} was. Nothing is copied. {}",
                          direction.primary, direction.epoch, where(link, one), record.primary,
                          ask(link, direction.primary, std::max(reader.last_epoch(), direction.epoch)))};
    // The operator learns of it by the same records, and answers with an epoch of its own.
    return {Permit::kUnknown, one.at, FlowReason::kNone,
            past.message.empty() ? fmt::format("waits for the operator to say who is primary: {} says {} in epoch {}",
                                               where(link, one), record.primary, record.epoch)
                                 : past.message};
  }
  return {Permit::kAllowed, "", FlowReason::kNone, ""};
}

LinkRecord record_for(const LinkFacts& link, const RecordsRead& seen, const Bearing& bearing, const std::string& here,
                      const std::string& now, bool unvisited) {
  const Direction& direction = bearing.direction;
  const std::string& source = link.places.front().name;
  LinkRecord record{.ns = link.ns,
                    .link = link.link,
                    .uid = link.uid,
                    .here = here,
                    .epoch = direction.epoch,
                    .primary = direction.primary,
                    .source = source,
                    .since = now,
                    .began = "",
                    .places = link.places};
  const Reader reader(link, seen);
  for (const Testimony& one : reader.all()) {
    if (one.at != here) continue;
    // Of several, what reaches back furthest: it was a copy of these very places then.
    if (record.began.empty() || one.record->began < record.began) record.began = one.record->began;
  }
  const StoredRecord* former = own_record(link, seen, here);
  // Written anew, the record has another date: what it told stays.
  const bool goes_on = former && former->record.primary == direction.primary &&
                       (former->record.epoch == direction.epoch ||
                        (direction.same_as_before && former->record.epoch + 1 == direction.epoch));
  if (unvisited || (!goes_on && here != direction.primary))
    record.turned = kWhenWritten;
  else if (const auto turned = goes_on ? turned_of(*former) : std::nullopt)
    record.turned = to_rfc3339(*turned);
  if (former && here != direction.primary) {
    if (goes_on) record.equal_since = former->record.equal_since;
    // The epoch before a switchover began with that record, and clients were away by then.
    if (former->record.epoch + 1 == direction.epoch && direction.clean)
      record.equal_since = to_rfc3339(std::chrono::floor<std::chrono::seconds>(former->written));
  }
  // What the primary has is the link's own, whoever wrote it.
  if (here == direction.primary) record.began = "1970-01-01T00:00:00Z";
  return record;
}

}  // namespace twinspan::worker_s3
