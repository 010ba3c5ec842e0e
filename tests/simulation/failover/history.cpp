#include "history.hpp"

#include <algorithm>

namespace twinspan::simulation {

void Log::append(Line line) {
  if (runs.empty() || runs.back().first != line) runs.push_back({line, end()});
  ++runs.back().second;
}

bool Log::has(Line line, uint64_t position) const {
  uint64_t begin = 0;
  for (const auto& [own, end] : runs) {
    if (own == line) return position > begin && position <= end;
    begin = end;
  }
  return false;
}

uint64_t Log::end_of(Line line) const {
  for (const auto& [own, end] : runs)
    if (own == line) return end;
  return 0;
}

bool Log::knows(Line line) const {
  return std::any_of(runs.begin(), runs.end(), [&](const auto& run) { return run.first == line; });
}

Log Log::until(uint64_t position) const {
  Log log;
  for (const auto& [own, end] : runs) {
    log.runs.emplace_back(own, std::min(end, position));
    if (end >= position) break;
  }
  return log;
}

bool Log::prefix_of(const Log& other) const {
  for (size_t i = 0; i < runs.size(); ++i) {
    if (i >= other.runs.size() || runs[i].first != other.runs[i].first) return false;
    if (runs[i].second > other.runs[i].second) return false;
    if (runs[i].second < other.runs[i].second && i + 1 < runs.size()) return false;
  }
  return true;
}

Line Timelines::begin_system() {
  all_.push_back({1, ++systems_});
  return static_cast<Line>(all_.size()) - 1;
}

Line Timelines::fork(const Log& log, uint32_t known) {
  uint32_t highest = known;
  for (const auto& [line, end] : log.runs) highest = std::max(highest, number(line));
  all_.push_back({highest + 1, all_[static_cast<size_t>(log.line())].system});
  return static_cast<Line>(all_.size()) - 1;
}

uint32_t Timelines::highest() const {
  uint32_t highest = 0;
  for (const Timeline& one : all_) highest = std::max(highest, one.number);
  return highest;
}

std::string Timelines::system_of(const Log& log) const {
  return log.runs.empty() ? "" : std::to_string(7000 + all_[static_cast<size_t>(log.line())].system);
}

postgres::Ancestry Timelines::ancestry(const Log& log) const {
  postgres::Ancestry told;
  told.system_id = system_of(log);
  told.end = Position{log.end()};
  for (size_t i = 0; i < log.runs.size(); ++i) {
    const uint32_t own = number(log.runs[i].first);
    if (told.timeline != 0 && told.timeline != own)
      told.history.push_back({told.timeline, Position{log.runs[i - 1].second}});
    told.timeline = own;
  }
  return told;
}

}  // namespace twinspan::simulation
