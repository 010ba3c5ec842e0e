// For links of every engine: a person's word on who becomes primary, where automation may not or can not choose:
// annotation twinspan.dev/promote on the link, ENDPOINT@EPOCH. EPOCH is the one that the message asking for it names,
// so that a word counts once and may stay in Git.
#pragma once
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "failover/types.hpp"

namespace twinspan {

inline constexpr std::string_view kPromoteAnnotation = "twinspan.dev/promote";

struct PromoteWord {
  std::string endpoint;
  Epoch epoch;
  bool operator==(const PromoteWord&) const = default;
};

// kInvalid says what was expected.
Result<PromoteWord> parse_promote_word(std::string_view text);  // "west@3"
std::string to_string(const PromoteWord& word);
// The command that says it.
std::string promote_command(std::string_view ns, std::string_view link, const PromoteWord& word);

}  // namespace twinspan
