#include "controllers/backup/bring_back.hpp"

#include <fmt/format.h>

#include <tuple>

#include "contract/names.hpp"
#include "controllers/backup/in_place_decide.hpp"

namespace twinspan::controllers {
namespace {

using api::RestorePhase;
using Step = BackupReport::Step;

constexpr std::string_view kFailedBefore = "Failed: ";

bool is_begun(const api::RestoreStatus& status) {
  return (status.phase != RestorePhase::kPending && !is_over(status)) || status.brought_back == kBringingBack;
}

bool is_elder(const api::Restore& a, const api::Restore& b) {
  const auto age = [](const api::Restore& one) { return std::tie(one.metadata.creation_timestamp, one.metadata.name); };
  return age(a) < age(b);
}

// Where the repository is that nothing is fetched from: an order names one.
std::optional<api::RestoreAssignment> order_back(const RestoreSeen& seen, const api::RestoreStatus& status) {
  api::RestoreAssignment order;
  if (const auto& backup = seen.made->status.backup) {
    order.destination = backup->destination;
    order.encryption = backup->encryption;
  } else if (seen.schedule) {
    order.destination = seen.schedule->spec.destination;
    order.encryption = seen.schedule->spec.encryption;
  } else {
    return std::nullopt;
  }
  order.name = order_name(*seen.restore);
  order.stanza = status.stanza.value_or("");
  order.timeline = status.timeline.value_or(0);
  order.in_place =
      api::InPlaceAssignment{status.endpoint.value_or(""), seen.restore->spec.to.in_place->keep_old_hours, true, true};
  return order;
}

// Why it will not be done, whatever is waited for; empty: it may.
std::string never(const RestoreSeen& seen, const RestoreLook& look, bool under_way) {
  const api::RestoreStatus& status = look.status;
  const std::string& link = seen.restore->spec.to.in_place->link_ref.name;
  if (!status.recovered_at)
    return is_over(status) ? "nothing was replaced" : "nothing was replaced yet, set the annotation once that is done";
  if (!seen.made || status.link != seen.made->metadata.uid) return fmt::format("link {} was deleted meanwhile", link);
  if (under_way && is_told(seen) && seen.said->step == Step::kFailed) return seen.said->message;
  const auto until = parse_rfc3339(status.old_data_until.value_or(""));
  if (!under_way && until && seen.now >= *until)
    return fmt::format("the old data were kept until {}", *status.old_data_until);
  const std::string primary = seen.made->status.primary.value_or(""), at = status.endpoint.value_or("");
  if (!primary.empty() && primary != at)
    return fmt::format("the old data are at {}, and {} is primary: switch over to {} first", at, primary, at);
  return "";
}

void bring_back_by_word(const RestoreSeen& seen, const std::string& word, RestoreLook& look) {
  auto& said = look.status.brought_back;
  const std::string& link = seen.restore->spec.to.in_place->link_ref.name;
  if (said && said->starts_with(kFailedBefore)) return;
  const bool under_way = said == kBringingBack;
  const auto say = [&](std::string_view before, const std::string& words) {
    said = fmt::format("{}{}", before, words);
  };
  if (word != link) {
    say(kFailedBefore, fmt::format("the annotation says \"{}\", the link's name {} is expected", word, link));
    return;
  }
  if (const auto why = never(seen, look, under_way); !why.empty()) return say(kFailedBefore, why);
  look.again = true;
  const bool ordered = is_ordered(seen) && seen.made->status.restore->in_place->bring_back;
  if (under_way && ordered) return;
  if (const auto why = not_now(seen); !why.empty()) return say("", why);
  look.assign = order_back(seen, look.status);
  if (!look.assign)
    return say("", "no BackupSchedule says any more where the repository is, which the order names: create it again");
  said = kBringingBack;
}

}  // namespace

bool is_told(const RestoreSeen& seen) { return seen.said && seen.said->name == order_name(*seen.restore); }

bool is_ordered(const RestoreSeen& seen) {
  const auto& order = seen.made ? seen.made->status.restore : std::nullopt;
  return order && order->in_place && order->name == order_name(*seen.restore);
}

// Who came to it first. Of two that began at once, unseen by each other, the elder; the link's status says who that
// was in the end.
std::string at_work(const RestoreSeen& seen) {
  if (const auto& order = seen.made ? seen.made->status.restore : std::nullopt)
    return is_ordered(seen) ? "" : restore_of_order(order->name);
  for (const auto& other : seen.others) {
    if (other->metadata.uid == seen.restore->metadata.uid || other->metadata.deleting()) continue;
    if (is_begun(other->status) && (!is_begun(seen.restore->status) || is_elder(*other, *seen.restore)))
      return other->metadata.name;
  }
  return "";
}

std::string not_now(const RestoreSeen& seen) {
  const std::string& link = seen.made->metadata.name;
  if (seen.made->spec.paused) return fmt::format("link {} is paused", link);
  if (auto other = at_work(seen); !other.empty())
    return fmt::format("Restore {} is at work on link {}, and is waited for", other, link);
  if (const std::string primary = seen.made->status.primary.value_or(""); primary.empty())
    return fmt::format("link {} has no primary at the moment", link);
  else if (!seen.settled)
    return fmt::format(
        "{} does not say that it is primary of link {} as it was told: a change of primary is under way, "
        "or it is not heard",
        primary, link);
  return "";
}

void bring_back(const RestoreSeen& seen, RestoreLook& look) {
  api::RestoreStatus& status = look.status;
  if (seen.restore->metadata.deleting() || status.brought_back == kBroughtBack) return;
  const bool back = is_told(seen) && seen.said->step == Step::kRestored && seen.said->brought_back;
  const auto& annotations = seen.restore->metadata.annotations;
  if (const auto word = annotations.find(std::string(kBringBackAnnotation)); back && status.recovered_at) {
    status.brought_back = kBroughtBack;
    status.brought_back_at = to_rfc3339(seen.now);
  } else if (word == annotations.end()) {
    status.brought_back.reset();
  } else {
    bring_back_by_word(seen, word->second, look);
  }
  if (status.phase == RestorePhase::kCompleted && status.brought_back)
    status.message = "bring back: " + *status.brought_back;
  else if (status.phase == RestorePhase::kCompleted)
    status.message.reset();
}

}  // namespace twinspan::controllers
