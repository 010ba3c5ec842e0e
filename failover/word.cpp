#include "failover/word.hpp"

#include <fmt/format.h>

#include <charconv>

namespace twinspan {

Result<PromoteWord> parse_promote_word(std::string_view text) {
  const size_t at = text.find('@');
  const std::string_view digits = at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
  int64_t epoch = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), epoch);
  if (at == 0 || digits.empty() || error != std::errc() || end != digits.data() + digits.size() || epoch < 1)
    return fail(Code::kInvalid, fmt::format("metadata.annotations[{}]: \"{}\": expected ENDPOINT@EPOCH, as \"west@3\"",
                                            kPromoteAnnotation, text));
  return PromoteWord{std::string(text.substr(0, at)), {epoch}};
}

std::string to_string(const PromoteWord& word) { return fmt::format("{}@{}", word.endpoint, word.epoch.value); }

std::string promote_command(std::string_view ns, std::string_view link, const PromoteWord& word) {
  return fmt::format("kubectl -n {} annotate replicationlink {} --overwrite {}={}", ns, link, kPromoteAnnotation,
                     to_string(word));
}

}  // namespace twinspan
