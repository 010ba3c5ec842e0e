// What an import does next, and how what PostgreSQL's programs say of one is read. Pure.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace twinspan::postgres {

// How names of publication, slot and subscription begin. Not "twinspan_": where the source is a link's primary, its
// agent drops slots of that name which it does not know.
inline constexpr std::string_view kImportSubscription = "twin_import_";
// What tells one import's subscription from those of other databases, clusters and histories.
struct ImportOrigin {
  std::string system;    // identifier of the cluster here
  int64_t database = 0;  // oid here
  int64_t timeline = 0;  // in which it was begun; 0: not written down
};

// What is written beside the database (import_marks.hpp) as an import begins, and as all is here.
enum class ImportMark { kNone, kBegun, kCompleted };
struct ImportFound {
  ImportMark mark = ImportMark::kNone;
  std::string holds;         // what people have in the database; empty: nothing
  bool shut = false;         // nobody but superusers gets in, as an import that has begun leaves it
  std::string completed_at;  // by the mark, RFC 3339
  // By the link's status, or the mark of one of its name that is gone: one without a mark was made anew since.
  bool told_completed = false;
  ImportOrigin origin;  // by the mark
  int64_t timeline_now = 0;
  std::vector<std::string> subscriptions;  // of imports, in the database
  bool goes_on = false;                    // by goes_on()
};
enum class ImportStep {
  kNothing,  // all is here, or was
  kBegin,    // into the database as it is
  kAnew,     // into a new one in its place: what is there is half of an import of ours
  kFollow,   // what is there is followed by its subscription
  kRefuse,   // it holds what is not ours, or somebody let others into half of an import
};
ImportStep next_step(const ImportFound& found);

// A listing of pg_restore -l in two, for its -L: schemas first, since extensions are made in between, by a superuser.
// What only a superuser could own is left out.
struct ContentsPlan {
  std::string schemas, rest;
  std::vector<std::string> left_out;  // event triggers
};
ContentsPlan plan_contents(std::string_view listing);
std::string left_out_words(const std::vector<std::string>& left_out);  // for people; empty: nothing was

struct SourceTable {
  std::string name;  // quoted, with its schema
  int64_t bytes = 0;
};
// Which tables are copied by whom, the largest first to whoever has least. The first also has what no list names.
std::vector<std::vector<std::string>> share_out(std::vector<SourceTable> tables, size_t jobs);

// A line of pg_restore --verbose that says that the rows of a table come now.
bool begins_table(std::string_view line);

// What of a program's last words says why it failed.
std::string failure_words(std::string_view last);
// An error of an import, with what to do about it: kUnavailable where it passes by itself, kInvalid where a person is
// needed.
Error explained(const Error& error);

// For libpq's passfile: of every server.
std::string pass_file_text(std::string_view password);

}  // namespace twinspan::postgres
