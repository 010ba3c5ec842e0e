// The footer of a time zone's file: RFC 8536 3.3, POSIX 8.3 "TZ".
#include <charconv>

#include "core/zone.hpp"

namespace twinspan {
namespace {

using std::chrono::seconds;

// Reads from the front; a part that is not there sets `failed`.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }
  bool failed() const { return failed_; }
  bool next_is(char c) const { return rest_.starts_with(c); }
  bool take(char c) {
    if (!next_is(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char c) { failed_ |= !take(c); }

  void name() {  // "CEST" or "<+1030>"
    const bool quoted = take('<');
    size_t length = 0;
    while (length < rest_.size() && (quoted ? rest_[length] != '>' : is_letter(rest_[length]))) ++length;
    failed_ |= length < 3;
    rest_.remove_prefix(length);
    if (quoted) expect('>');
  }

  int number(int first, int last) {
    int value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    failed_ |= error != std::errc() || value < first || value > last || next_is('-');
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    return value;
  }

  seconds time(int hours_max) {  // "-10:30", "3", "+24:00:00"
    const int sign = take('-') ? -1 : 1;
    if (sign == 1) take('+');
    seconds value = std::chrono::hours(number(0, hours_max));
    if (take(':')) value += std::chrono::minutes(number(0, 59));
    if (take(':')) value += seconds(number(0, 59));
    return sign * value;
  }

 private:
  static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

  std::string_view rest_;
  bool failed_ = false;
};

ZoneRuleDay day_of(Reader& reader) {
  ZoneRuleDay day;
  reader.expect(',');
  if (reader.take('M')) {
    day.month = reader.number(1, 12);
    reader.expect('.');
    day.week = reader.number(1, 5);
    reader.expect('.');
    day.day = reader.number(0, 6);
  } else if (reader.take('J')) {
    day.form = ZoneRuleDay::Form::kJulian;
    day.day = reader.number(1, 365);
  } else {
    day.form = ZoneRuleDay::Form::kZeroBased;
    day.day = reader.number(0, 365);
  }
  if (reader.take('/')) day.time = reader.time(167);
  return day;
}

}  // namespace

Result<ZoneRule> parse_zone_rule(std::string_view text) {
  Reader reader(text);
  ZoneRule rule;
  reader.name();
  rule.standard = -reader.time(24);  // POSIX counts what is added to local time
  if (!reader.done() && !reader.failed()) {
    ZoneRule::Summer& summer = rule.summer.emplace();
    reader.name();
    summer.offset = reader.next_is(',') ? rule.standard + std::chrono::hours(1) : -reader.time(24);
    summer.start = day_of(reader);
    summer.end = day_of(reader);
  }
  if (reader.failed() || !reader.done())
    return fail(Code::kInvalid, "\"" + std::string(text) +
                                    "\" is no rule of a time zone, expected one such as CET-1CEST,M3.5.0,M10.5.0/3");
  return rule;
}

}  // namespace twinspan
