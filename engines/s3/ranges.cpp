#include "engines/s3/ranges.hpp"

#include "engines/s3/pace.hpp"

namespace twinspan::s3 {
namespace {

constexpr std::string_view kLastCharacter = "\xF4\x8F\xBF\xBF";  // U+10FFFF: after everything else a key may hold

// Just before everything that begins with `prefix`; empty where that can't be written.
std::string before(const std::string& prefix) {
  // Unsigned: a plain char is signed on one machine and not on another, and workers of both cut one bucket alike.
  const auto last = static_cast<unsigned char>(prefix.empty() ? '\0' : prefix.back());
  if (last <= ' ' || last >= 0x80) return {};  // one less would be no character
  return prefix.substr(0, prefix.size() - 1) + static_cast<char>(last - 1) + std::string(kLastCharacter);
}

// Where the characters of `text` begin, and its end.
std::vector<size_t> characters(std::string_view text) {
  std::vector<size_t> starts;
  for (size_t i = 0; i < text.size(); ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) starts.push_back(i);
  starts.push_back(text.size());
  return starts;
}

}  // namespace

std::vector<KeyRange> ranges_by_priority(const std::vector<PriorityRule>& rules) {
  struct Span {
    std::string after, upto;
    int priority;
  };
  std::vector<Span> spans;
  int base = 0;
  std::set<std::string> borders;
  for (const PriorityRule& rule : rules) {
    if (rule.prefix.empty()) base = rule.priority;
    const std::string start = before(rule.prefix);
    if (start.empty()) continue;
    spans.push_back({start, rule.prefix + std::string(kLastCharacter), rule.priority});
    borders.insert({spans.back().after, spans.back().upto});
  }
  std::vector<std::pair<int, KeyRange>> ranges;
  std::string after;
  const auto add = [&](const std::string& upto) {
    int priority = base;
    size_t longest = 0;
    for (const Span& span : spans)
      if (span.after <= after && !upto.empty() && upto <= span.upto && span.after.size() > longest) {
        longest = span.after.size();
        priority = span.priority;
      }
    ranges.push_back({priority, {after, upto}});
    after = upto;
  };
  for (const std::string& border : borders) add(border);
  add("");
  std::stable_sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<KeyRange> ordered;
  for (auto& [priority, range] : ranges) ordered.push_back(std::move(range));
  return ordered;
}

Result<std::optional<std::string>> split_point(const Side& side, std::string_view at, std::string_view upto,
                                               std::stop_token stop) {
  const std::vector<size_t> starts = characters(at);
  // Beyond `at` with all its characters from the depth-th on raised: the deeper, the nearer. What is found at one depth
  // is found at every deeper one, so that halving finds the first.
  std::optional<std::string> found;
  size_t low = 0, high = starts.size() - 1;
  while (low < high) {
    const size_t depth = (low + high) / 2;
    std::string border = std::string(at.substr(0, starts[depth + 1])) + std::string(kLastCharacter);
    ListRequest request;
    request.prefix = side.prefix;
    request.start_after = side.prefix + border;
    request.max_keys = 1;
    const Result<Page> page = side.bucket.list(request, stop);
    if (!page) return std::unexpected(page.error());
    const bool beyond =
        !page->objects.empty() &&
        (upto.empty() || std::string_view(page->objects.front().key).substr(side.prefix.size()) <= upto);
    if (beyond) found = std::move(border);
    beyond ? high = depth : low = depth + 1;
  }
  return found;
}

}  // namespace twinspan::s3
