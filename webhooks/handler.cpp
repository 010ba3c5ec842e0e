#include "webhooks/handler.hpp"

#include "core/log.hpp"

namespace twinspan::webhooks {
namespace {

Verdict judge(const Review& review, const Neighbours& neighbours, const std::stop_token& stop) {
  if (review.kind == "ReplicationLink") return judge_link(review, neighbours.beside_link(review));
  if (review.kind == "BackupSchedule") return judge_schedule(review);
  BesidePolicy beside = neighbours.beside_policy(review);
  Verdict verdict = judge_policy(review, beside);
  const auto policy = api::parse_failover_policy(review.object);
  if (!policy || (beside.link && verdict.errors.empty())) return verdict;
  // Applied with its link, perhaps, by one command.
  auto link = neighbours.fresh_link({review.key.ns, policy->spec.link_ref.name}, stop);
  if (!link || !*link) return verdict;
  beside.link = std::move(*link);
  return judge_policy(review, beside);
}

// There is one version of each kind so far.
const Conversions kConversions;

}  // namespace

net::OutgoingResponse handle_conversion(const net::IncomingRequest& request, const Conversions& known) {
  if (request.method != "POST") return net::plain_text(405, "expected POST with a ConversionReview\n");
  const auto answer = convert(request.body, known);
  if (!answer) return net::plain_text(400, answer.error().message + "\n");
  if (const std::string why = text_of(member_of(member_of(*answer, "response"), "result"), "message"); !why.empty())
    log::warn("objects can't be converted", {{"error", why}});
  net::OutgoingResponse response;
  response.body = answer->dump(-1, ' ', false, Json::error_handler_t::replace);
  return response;
}

net::OutgoingResponse handle(const net::IncomingRequest& request, const Neighbours& neighbours, bool ready,
                             std::stop_token stop) {
  if (request.path == kConvertPath) return handle_conversion(request, kConversions);
  if (request.path != kValidatePath && request.path != kDefaultPath)
    return net::plain_text(404, "not found: ask /validate, /default or /convert\n");
  if (request.method != "POST") return net::plain_text(405, "expected POST with an AdmissionReview\n");
  if (!ready) return net::plain_text(503, "caches are not filled yet\n");
  const auto review = parse_review(request.body);
  if (!review) return net::plain_text(400, review.error().message + "\n");
  net::OutgoingResponse response;
  if (request.path == kDefaultPath) {
    response.body = answer_with_patch(*review, defaults_of(*review)).dump();
    return response;
  }
  const Verdict verdict = judge(*review, neighbours, stop);
  if (!verdict.errors.empty())
    log::info("refused at admission", {{"kind", review->kind},
                                       {"namespace", review->key.ns},
                                       {"name", review->key.name},
                                       {"error", api::to_string(verdict.errors)}});
  response.body = answer(*review, verdict).dump(-1, ' ', false, Json::error_handler_t::replace);
  return response;
}

}  // namespace twinspan::webhooks
