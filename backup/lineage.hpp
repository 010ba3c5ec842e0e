// Which timelines were the link's: each primary notes its own beside the repository before it stores anything of it, as
// an object whose name says all there is. Of a promotion that failed the archive may hold a history, and of two that
// never heard of each other log under one number: neither is followed by a restore that was not asked for it. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "backup/archive.hpp"
#include "backup/listing.hpp"
#include "backup/types.hpp"
#include "failover/epochs.hpp"

namespace twinspan::backup {

struct LineageEntry {
  // In which the timeline was begun: a primary that starts again in a later one goes on with it. 0: its data are of a
  // version that did not remember, and where it began has to do.
  uint64_t epoch = 0;
  Timeline timeline = 0;
  uint64_t from = 0;  // where that timeline began; 0: it is the first
  auto operator<=>(const LineageEntry&) const = default;
};

struct LineageNotes {
  std::vector<LineageEntry> begun;
  // Of a primary that went on with its own timeline after another had begun a later one: the epoch in which it did.
  std::vector<LineageEntry> resumed;
  // Numbers in the history of a primary, under which another promotion's log is stored: its epoch, the number, and
  // where its own timeline of that number began. What it had from there on is nowhere.
  std::vector<LineageEntry> taken;
  bool operator==(const LineageNotes&) const = default;
};

// "lineage/STANZA/", below the repository's prefix. In it the first, and below resumed/ and taken/ the others.
std::string lineage_folder(std::string_view stanza);
// "0000000000000005-00000003-0000000005000148": epoch, timeline and position.
std::string to_string(const LineageEntry& entry);
std::optional<LineageEntry> parse_lineage_entry(std::string_view text);  // nullopt: none is named so
LineageNotes lineage_in(const std::vector<std::string>& names);          // of that folder

// Of a primary whose history is this; nullopt: the history is not known, or it is the first timeline's.
std::optional<LineageEntry> lineage_entry(uint64_t epoch, Timeline timeline, const std::vector<Departure>& history);

// One that has the same number and was begun in another epoch or elsewhere: another promotion's, or that of another
// life of a cluster that went back. What it stored is not this database's. One of an earlier epoch that was noted late,
// after this one, is none.
std::optional<LineageEntry> rival_of(const LineageEntry& mine, const std::vector<LineageEntry>& noted);

// Whether what is stored under this number is of a database with this history, whose log is of these epochs: begun
// where its own was, in one of them. Of epochs before them nobody can tell, and they count, as do timelines of before
// the first note. False too where nobody noted it.
bool is_ours(Timeline timeline, const std::vector<Departure>& history, const std::vector<LineageEntry>& noted,
             const EpochHistory& epochs);

// The timelines before its own that are others' in the repository: what is left here of the database's log under these
// numbers can't be stored.
std::set<Timeline> taken_by_others(const std::vector<LineageEntry>& noted, const std::vector<Departure>& history,
                                   const EpochHistory& epochs);

// What a primary is to note.
struct OwnLineage {
  LineageEntry begun;
  uint64_t epoch = 0;              // of the lease that it holds
  std::vector<Departure> history;  // of its timeline
  EpochHistory epochs;             // its log is of
};
// Names of the objects that are not there, in the order in which they are made. `begun` has no rival.
std::vector<std::string> names_to_note(const OwnLineage& own, const LineageNotes& noted);

// Of the timelines that are stored, that of the newest epoch; nullopt: none of them is noted, as before there were
// notes.
std::optional<Timeline> newest_of(const LineageNotes& noted, const std::set<Timeline>& stored);

// The timeline that a primary of a later epoch wrote than any that wrote this one; nullopt: nobody did, or it is not
// noted at all.
std::optional<Timeline> later_than(Timeline timeline, const LineageNotes& noted);

// Where a restore that follows a history from a backup on has to end: the log behind it is another's under its number.
std::optional<Position> taken_from(const std::vector<Departure>& history, Position backup_stop,
                                   const LineageNotes& noted);

// The log of a listing but for what is another's under a number of the link's.
std::vector<SegmentRun> without_taken(std::vector<SegmentRun> log, const LineageNotes& noted);

// Whether a person has to say if a stored timeline is meant, or the newest that is noted: nobody noted it, and it came
// from there, of a primary whose agent was older or of a promotion that failed. nullopt: its history is not stored.
bool needs_a_word(Timeline timeline, const std::optional<std::vector<Departure>>& history, Timeline newest,
                  const LineageNotes& noted);

// Whether a restore may follow it: it is noted, or the newest one came from it, or it is older than the first note.
bool is_of_lineage(Timeline timeline, const LineageNotes& noted, const std::vector<Departure>& history);

// For people: "1 (epoch 1), 3 (from 0/5000148, epoch 5)".
std::string words_of(const LineageNotes& noted);

}  // namespace twinspan::backup
