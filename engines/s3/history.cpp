#include "engines/s3/history.hpp"

#include <algorithm>
#include <map>

#include "engines/s3/likeness.hpp"

namespace twinspan::s3 {
namespace {

constexpr size_t kCompared = 1000;  // how far two histories are followed back

Likeness likeness(const Version& source, const Version& target) {
  if (source.delete_marker || target.delete_marker)
    return source.delete_marker == target.delete_marker ? Likeness::kEqual : Likeness::kDifferent;
  return likeness_of(source, target);
}

// Different bytes for certain: two digests of the same kind that differ, of bytes as they are.
bool proven_other(const Version& source, const Version& target) {
  if (likeness(source, target) == Likeness::kDifferent) return true;
  return likeness(source, target) == Likeness::kUnsure && !target.delete_marker && etag_parts(source.etag) == 0 &&
         etag_parts(target.etag) == 0;
}

void collapse(History& history) {
  const auto last = std::unique(history.begin(), history.end(),
                                [](const Version& a, const Version& b) { return a.delete_marker && b.delete_marker; });
  history.erase(last, history.end());
}

// How many versions are the same, counted back from these two.
size_t common(const History& source, size_t i, const History& target, size_t k) {
  size_t run = 0;
  while (run < kCompared && likeness(source[i], target[k]) != Likeness::kDifferent) {
    ++run;
    if (i-- == 0 || k-- == 0) break;
  }
  return run;
}

bool equal(const History& source, const History& target) {
  return std::equal(source.begin(), source.end(), target.begin(), target.end(),
                    [](const Version& a, const Version& b) { return likeness(a, b) == Likeness::kEqual; });
}

std::vector<size_t> places(const History& source, const auto& fits) {
  std::vector<size_t> found;
  for (size_t i = 0; i < source.size(); ++i)
    if (!source[i].delete_marker && fits(source[i])) found.push_back(i);
  return found;
}

size_t best(const std::vector<size_t>& places, const History& source, const History& target, size_t k) {
  size_t found = places.back(), longest = 0;
  for (size_t n = 0; n < std::min(places.size(), kCompared); ++n) {
    const size_t i = places[places.size() - 1 - n];
    const size_t run = common(source, i, target, k);
    if (run > longest) {
      longest = run;
      found = i;
    }
  }
  return found;
}

// Something is at the target's end that the source doesn't have there: what follows `from`, else the newest again.
AppendPlan on_top(const History& source, size_t from) { return {std::min(from, source.size() - 1), true, {}}; }

bool ends_with_marker(const History& history) { return !history.empty() && history.back().delete_marker; }

std::vector<size_t> marked_places(const History& source, const Version& copy, const MadeFrom& mark) {
  if (mark.etag.empty()) return {};
  const auto made = [&](const Version& one) {
    return one.etag == mark.etag && likeness(one, copy) != Likeness::kDifferent;
  };
  // A version id alone is no proof: "null" is given anew while a bucket's versioning is suspended.
  auto found = places(source, [&](const Version& one) { return one.id == mark.version_id && made(one); });
  return found.empty() ? places(source, made) : found;
}

// The target's last content is not the source's. `proven`: by more than its silence.
AppendPlan unaligned(const History& source, const History& target, size_t contents_end, bool proven) {
  for (size_t k = contents_end; k-- > 0;) {
    if (target[k].delete_marker) continue;
    const auto found = places(source, [&](const Version& one) { return likeness(one, target[k]) == Likeness::kEqual; });
    if (!found.empty()) return on_top(source, found.back() + 1);
  }
  const bool nothing_there =
      proven && std::all_of(source.begin(), source.end(), [&](const Version& one) {
        return one.delete_marker || std::all_of(target.begin(), target.end(),
                                                [&](const Version& other) { return proven_other(one, other); });
      });
  return on_top(source, nothing_there ? 0 : source.size());
}

}  // namespace

History history_of(const Listed* newest) {
  History history;
  if (!newest) return history;
  const auto add = [&](const Listed& one) {
    history.push_back({one.version_id, one.etag, one.size_bytes, one.delete_marker, one.last_modified});
  };
  history.reserve(newest->older.size() + 1);
  for (auto one = newest->older.rbegin(); one != newest->older.rend(); ++one) add(*one);
  add(*newest);
  collapse(history);
  return history;
}

void drop_markers(Histories& both) {
  both.hidden =
      both.hidden || (ends_with_marker(both.target) && !both.source.empty() && !ends_with_marker(both.source));
  for (History* history : {&both.source, &both.target})
    std::erase_if(*history, [](const Version& one) { return one.delete_marker; });
}

MadeFrom made_from_mark(const Metadata& copy) {
  const auto value = [&](std::string_view name) {
    const auto found = copy.user.find(std::string(name));
    return found == copy.user.end() ? std::string() : found->second;
  };
  return {value(kSourceEtagName), value(kSourceVersionName)};
}

namespace {

AppendPlan plan(const History& source, const History& target, const std::optional<MadeFrom>& told) {
  if (source.empty() || target.empty()) return {};
  const bool marker_at_end = ends_with_marker(target);
  if (marker_at_end && target.size() == 1) {  // what it hid is forgotten
    for (size_t i = source.size(); i-- > 0;)
      if (source[i].delete_marker) return {i + 1, false, {}};
    return {0, true, {}};
  }
  if (!told && equal(source, target)) return {source.size(), false, {}};
  const size_t k = target.size() - (marker_at_end ? 2 : 1);
  const Version& last = target[k];
  std::vector<size_t> found;
  if (told) found = marked_places(source, last, *told);
  if (found.empty()) {
    found = places(source, [&](const Version& one) { return likeness(one, last) == Likeness::kEqual; });
    const bool unsure = found.empty() && std::any_of(source.begin(), source.end(), [&](const Version& one) {
                          return likeness(one, last) == Likeness::kUnsure;
                        });
    if (!told && (unsure || found.size() > 1)) return {0, false, k};
    if (found.empty()) return unaligned(source, target, k, !unsure || !told->etag.empty());
  }
  const auto deleted_there = [&](size_t i) { return i + 1 < source.size() && source[i + 1].delete_marker; };
  if (marker_at_end && std::any_of(found.begin(), found.end(), deleted_there))
    std::erase_if(found, [&](size_t i) { return !deleted_there(i); });
  const size_t place = best(found, source, target, k);
  if (!marker_at_end) return {place + 1, false, {}};
  return deleted_there(place) ? AppendPlan{place + 2, false, {}} : on_top(source, place + 1);
}

}  // namespace

AppendPlan plan_append(DeleteMode deletes, Histories& both, const std::optional<MadeFrom>& told) {
  const History &source = both.source, &target = both.target;
  if (deletes == DeleteMode::kIgnore) drop_markers(both);
  AppendPlan planned = plan(source, target, told);
  if (planned.ask) return planned;
  const bool nothing_shown = target.empty() || ends_with_marker(target);
  if (planned.from < source.size() && source[planned.from].delete_marker && nothing_shown) ++planned.from;
  if (both.hidden && planned.from == source.size()) planned = on_top(source, source.size());
  planned.unaligned = planned.unaligned && planned.from < source.size();
  return planned;
}

Result<std::vector<size_t>> missing_versions(const History& source, const History& target, const AskMark& ask) {
  std::vector<size_t> missing;
  std::map<size_t, MadeFrom> told;
  const auto same = [&](const Version& one, size_t k) -> Result<bool> {
    const Likeness alike = likeness(one, target[k]);
    if (alike != Likeness::kUnsure) return alike == Likeness::kEqual;
    if (!told.contains(k)) {
      auto mark = ask(target[k]);
      if (!mark) return std::unexpected(mark.error());
      told[k] = std::move(*mark);
    }
    return !one.etag.empty() && told[k].etag == one.etag;
  };
  // From the newest on: what rules take away first is the oldest.
  const size_t first = source.empty() || !source.front().delete_marker ? 0 : 1;
  size_t before = target.size();
  for (size_t i = source.size(); i-- > first;) {
    size_t found = before;
    for (; found > 0; --found) {
      const Result<bool> equals = same(source[i], found - 1);
      if (!equals) return std::unexpected(equals.error());
      if (*equals) break;
    }
    if (found == 0)
      missing.push_back(i);
    else
      before = found - 1;
  }
  std::reverse(missing.begin(), missing.end());
  return missing;
}

}  // namespace twinspan::s3
