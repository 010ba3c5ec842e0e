#include "contract/restore_test.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "core/text.hpp"

namespace twinspan {
namespace {

constexpr std::array<std::string_view, 3> kOutcomes{"Passed", "Failed", "Moved"};
// Twice as long where every byte of it is escaped.
constexpr size_t kMessageMost = 1800;

}  // namespace

std::string restore_test_name(std::string_view link) { return std::string(link) + "-restore-test"; }

std::string secret_file_name(std::string_view secret, std::string_view key) {
  return std::string(secret) + "_" + std::string(key);
}

Json to_json(const RestoreTestOrder& order) {
  Json json = {{"stanza", order.stanza},
               {"destination", api::to_json(order.destination)},
               {"test", api::to_json(order.test)},
               {"database", order.database},
               {"libraries", order.libraries}};
  if (order.encryption) json["encryption"] = api::to_json(*order.encryption);
  return json;
}

Result<RestoreTestOrder> parse_restore_test_order(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  RestoreTestOrder order;
  order.stanza = text_of(json, "stanza");
  order.database = text_of(json, "database");
  order.libraries = text_of(json, "libraries");
  if (order.stanza.empty() || order.database.empty())
    return fail(Code::kInvalid, "the order: stanza and database are expected");
  auto destination = api::parse_backup_destination(member_of(json, "destination"));
  if (!destination) return std::unexpected(destination.error());
  order.destination = std::move(*destination);
  auto test = api::parse_test_assignment(member_of(json, "test"));
  if (!test) return std::unexpected(test.error());
  order.test = std::move(*test);
  if (const Json& encryption = member_of(json, "encryption"); !encryption.is_null()) {
    auto parsed = api::parse_backup_encryption(encryption);
    if (!parsed) return std::unexpected(parsed.error());
    order.encryption = std::move(*parsed);
  }
  return order;
}

std::string to_text(const RestoreTestResult& result) {
  Json json = {{"asked", result.asked},
               {"outcome", kOutcomes[static_cast<size_t>(result.outcome)]},
               {"message", one_line(result.message, kMessageMost)}};
  if (result.seconds) json["seconds"] = *result.seconds;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<RestoreTestResult> restore_test_result_of(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  for (size_t i = 0; i < kOutcomes.size(); ++i) {
    if (text_of(json, "outcome") != kOutcomes[i]) continue;
    RestoreTestResult result{text_of(json, "asked"), static_cast<RestoreTestResult::Outcome>(i), std::nullopt,
                             text_of(json, "message")};
    if (const Json& seconds = member_of(json, "seconds"); seconds.is_number_integer())
      result.seconds = seconds.get<int64_t>();
    return result;
  }
  return std::nullopt;
}

}  // namespace twinspan
