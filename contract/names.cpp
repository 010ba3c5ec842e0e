#include "contract/names.hpp"

namespace twinspan {
namespace {

std::string joined(std::string_view link, std::string_view endpoint, std::string_view suffix) {
  std::string name(link);
  name.append("-").append(endpoint).append(suffix);
  return name;
}

}  // namespace

std::string pod_name(std::string_view link, std::string_view endpoint) { return joined(link, endpoint, "-0"); }
std::string claim_name(std::string_view link, std::string_view endpoint) { return joined(link, endpoint, "-data"); }
std::string tls_secret_name(std::string_view link, std::string_view endpoint) { return joined(link, endpoint, "-tls"); }
std::string ca_secret_name(std::string_view link) { return std::string(link) + "-ca"; }
std::string ca_bundle_name(std::string_view link) { return std::string(link) + "-ca"; }
std::string worker_account_name(std::string_view link) { return std::string(link) + "-worker"; }
std::string budget_name(std::string_view link) { return std::string(link); }
std::string network_policy_name(std::string_view link) { return std::string(link) + "-worker"; }
std::string lease_name(std::string_view link) { return std::string(link) + "-primary"; }

std::string stanza_prefix(std::string_view link, std::string_view uid) {
  return std::string(link) + "-" + std::string(uid.substr(0, 8)) + "-";
}

std::string kafka_set_name(std::string_view link) { return std::string(link) + "-" + std::string(kKafkaMember); }
std::string s3_set_name(std::string_view link) { return std::string(link) + "-" + std::string(kS3Member); }
std::string s3_lease_name(std::string_view link, int64_t share) {
  return s3_set_name(link) + "-" + std::to_string(share);
}

std::string s3_member(int64_t ordinal) {
  return ordinal == 0 ? std::string(kS3Member) : std::string(kS3Member) + "-" + std::to_string(ordinal);
}

std::string s3_member_of(std::string_view pod) {
  const std::string_view ordinal = pod.substr(pod.rfind('-') + 1);
  return ordinal == "0" ? std::string(kS3Member) : std::string(kS3Member) + "-" + std::string(ordinal);
}

}  // namespace twinspan
