#include "engines/s3/folding.hpp"

#include <fmt/format.h>

#include "core/json.hpp"
#include "engines/s3/settings.hpp"
#include "engines/s3/state_objects.hpp"

namespace twinspan::s3 {

std::vector<Oddity> oddities(std::string_view key) {
  std::vector<Oddity> found;
  const auto note = [&](Oddity oddity) {
    if (std::find(found.begin(), found.end(), oddity) == found.end()) found.push_back(oddity);
  };
  for (size_t at = 0; at <= key.size();) {
    const size_t end = std::min(key.find('/', at), key.size());
    const std::string_view name = key.substr(at, end - at);
    if (name == ".") note(Oddity::kDot);
    if (name == "..") note(Oddity::kDots);
    if (name.empty() && end < key.size()) note(at == 0 ? Oddity::kLeadingSlash : Oddity::kSlashes);
    at = end + 1;
  }
  return found;
}

// An object that is there is asked for by an odd name: no odd key is ever written to find out.
Result<bool> Folding::ask(Oddity oddity, const std::stop_token& stop) {
  const std::string tail = fmt::format("folding/{}.json", link_);
  const std::string plain = std::string(kReservedPrefix) + tail;
  if (Status written = write_state(bucket_, plain, {{"purpose", "asked for by other names"}}, stop); !written)
    return std::unexpected(written.error());
  std::string odd;
  switch (oddity) {
    case Oddity::kSlashes: odd = fmt::format("{}/{}", kReservedPrefix, tail); break;
    case Oddity::kDot: odd = fmt::format("{}./{}", kReservedPrefix, tail); break;
    case Oddity::kDots: odd = fmt::format("{}folding/../{}", kReservedPrefix, tail); break;
    case Oddity::kLeadingSlash: odd = "/" + plain; break;
  }
  const auto found = bucket_.head(odd, stop);
  if (Status removed = bucket_.remove(plain, stop); !removed) return std::unexpected(removed.error());
  if (found) return true;
  // What it refuses to look at it will refuse to write, too.
  if (found.error().code == Code::kNotFound || found.error().code == Code::kInvalid) return false;
  return std::unexpected(found.error());
}

Result<bool> Folding::folds(std::string_view key, const std::stop_token& stop) {
  const std::vector<Oddity> odd = oddities(key);
  if (odd.empty()) return false;
  MutexLock lock(mutex_);  // one asks, the others wait for what it learns
  for (const Oddity one : odd) {
    std::optional<bool>& known = known_[static_cast<size_t>(one)];
    if (!known) {
      const Result<bool> answer = ask(one, stop);
      if (!answer) return answer;
      known = *answer;
    }
    if (*known) return true;
  }
  return false;
}

}  // namespace twinspan::s3
