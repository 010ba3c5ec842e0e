#include "s3/caller.hpp"

#include <fmt/format.h>

#include <charconv>
#include <random>

#include "core/log.hpp"
#include "core/wait.hpp"
#include "s3/digest.hpp"
#include "s3/uri.hpp"

namespace twinspan::s3 {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::minutes kSkewWorthCorrecting{4};  // servers bear 15 minutes, some 5
constexpr std::chrono::seconds kRetryAfterMost{60};

milliseconds full_jitter(milliseconds base, milliseconds most, int attempt) {
  thread_local std::minstd_rand random{std::random_device{}()};
  const int64_t reach = std::min<int64_t>(most.count(), base.count() << std::min(attempt, 20));
  return milliseconds(std::uniform_int_distribution<int64_t>(0, std::max<int64_t>(reach, 1))(random));
}

// RFC 9110, 10.2.3: seconds or a date.
milliseconds retry_after(const net::Response& answer, WallTime now) {
  const std::string text = answer.header("Retry-After");
  if (text.empty()) return milliseconds(0);
  int seconds = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  milliseconds out{0};
  if (bad == std::errc() && end == text.data() + text.size())
    out = std::chrono::seconds(std::max(seconds, 0));
  else if (const auto date = parse_http_date(text))
    out = std::chrono::duration_cast<milliseconds>(*date - now);
  return std::clamp<milliseconds>(out, milliseconds(0), kRetryAfterMost);
}

// "https://s3.example:443/" → "s3.example": as clients of HTTP write it, for it is signed.
std::string host_of(std::string_view endpoint, bool tls) {
  endpoint.remove_prefix(std::min(endpoint.size(), endpoint.find("://") + 3));
  if (endpoint.ends_with('/')) endpoint.remove_suffix(1);
  const std::string_view standard = tls ? ":443" : ":80";
  if (endpoint.ends_with(standard)) endpoint.remove_suffix(standard.size());
  return std::string(endpoint);
}

// What goes either way in one call, over all its attempts.
struct Passage {
  explicit Passage(const Call& call) : call_(call) {
    if (call.chunk)
      chunk = [this](std::string_view piece) {
        begun = true;
        ended = !(*call_.chunk)(piece);
        return !ended;
      };
    if (call.opened)
      opened = [this](const net::Response& head) {
        if (head.status == 200 || head.status == 206) ended = !(*call_.opened)(head);
        return !ended;
      };
  }
  Passage(const Passage&) = delete;
  Passage& operator=(const Passage&) = delete;

  void attach(net::Request& request) {
    if (!call_.source) return;
    request.stream = [this](const std::function<bool(std::string_view)>& write) {
      source_ended = call_.source->write_to(write);
      return source_ended.has_value();
    };
    request.stream_bytes = static_cast<uint64_t>(call_.source->size_bytes);
  }

  std::function<bool(std::string_view)> chunk;
  std::function<bool(const net::Response&)> opened;
  bool begun = false;   // the reader has seen bytes
  bool ended = false;   // by the reader
  Status source_ended;  // why the source of a body gave up

 private:
  const Call& call_;
};

}  // namespace

Caller::Caller(const ClientConfig& config, std::shared_ptr<CredentialSource> credentials, const Clock& clock)
    : config_(config),
      credentials_(std::move(credentials)),
      clock_(clock),
      tls_(config.endpoint.starts_with("https://")) {
  const size_t scheme = config_.endpoint.find("://");
  std::string url = config_.endpoint;
  host_ = host_of(url, tls_);
  if (config_.path_style) {
    base_path_ = "/" + encode_key(config_.bucket);
  } else {
    host_ = config_.bucket + "." + host_;
    if (scheme != std::string::npos) url.insert(scheme + 3, config_.bucket + ".");
  }
  net::ClientTls tls{.ca_pem = config_.ca_pem, .verify = config_.verify};
  if (!config_.dial.empty()) {
    url = config_.dial;
    tls.server_name = host_.starts_with('[') ? host_.substr(1, host_.find(']') - 1) : host_.substr(0, host_.find(':'));
  }
  connections_ = std::make_unique<net::Client>(
      url, std::move(tls), net::Client::Options{.connections = std::max<size_t>(config_.connections, 1), .bulk = true});
}

std::string Caller::path_of(const Call& call) const {
  if (!call.key) return base_path_.empty() ? "/" : base_path_;
  return base_path_ + "/" + encode_key(*call.key);
}

Result<Caller::SignerPointer> Caller::signer(std::string_view day, std::stop_token stop) {
  auto credentials = credentials_->get(false, std::move(stop));
  if (!credentials) return std::unexpected(credentials.error());
  MutexLock lock(mutex_);
  if (signer_ && signer_->day == day && signer_->credentials.secret_access_key == credentials->secret_access_key &&
      signer_->credentials.access_key_id == credentials->access_key_id &&
      signer_->credentials.session_token == credentials->session_token)
    return signer_;
  SigningKey key(credentials->secret_access_key, day, config_.region);
  signer_ = std::make_shared<Signer>(Signer{std::move(*credentials), std::string(day), std::move(key)});
  return signer_;
}

Result<net::Request> Caller::prepare(const Call& call, SignerPointer& used, std::stop_token stop) {
  const std::string time = signing_time(now());
  auto found = signer(std::string_view(time).substr(0, 8), std::move(stop));
  if (!found) return std::unexpected(found.error());
  used = *found;

  net::Request out;
  out.method = call.method;
  out.timeout = config_.timeout;
  out.body_view = call.body;
  out.timeout_is_silence = call.source || call.chunk;  // however large, and however slow its other side
  const std::string path = path_of(call), query = canonical_query(call.query);
  const std::string payload = tls_ ? std::string(kUnsignedPayload) : to_hex(sha256_of(call.body));
  out.headers = call.headers;
  out.headers.emplace_back("Host", host_);
  out.headers.emplace_back("x-amz-content-sha256", payload);
  out.headers.emplace_back("x-amz-date", time);
  if (!used->credentials.session_token.empty())
    out.headers.emplace_back("x-amz-security-token", used->credentials.session_token);
  std::string signature =
      authorization({call.method, path, query, out.headers, payload}, time, used->credentials.access_key_id, used->key);
  out.headers.emplace_back("Authorization", std::move(signature));
  if (!call.accept_encoding.empty()) out.headers.emplace_back("Accept-Encoding", call.accept_encoding);
  out.path = query.empty() ? path : path + "?" + query;
  return out;
}

bool Caller::learn_time(const net::Response& answer) {
  const auto date = parse_http_date(answer.header("Date"));
  if (!date || std::chrono::abs(*date - now()) < kSkewWorthCorrecting) return false;
  const auto offset = std::chrono::duration_cast<std::chrono::microseconds>(*date - clock_.wall_now());
  offset_micros_ = offset.count();
  log::warn(
      "clock differs from the S3 server's",
      {{"endpoint", host_}, {"offset_seconds", std::chrono::duration_cast<std::chrono::seconds>(offset).count()}});
  return true;
}

// Whether it is worth trying again: other credentials were found. AccessDenied usually means what it says, and is
// asked about once for any credentials.
Result<bool> Caller::renew_credentials(const SignerPointer& refused, bool denied_only, std::stop_token stop) {
  const Credentials& old = refused->credentials;
  if (denied_only) {
    MutexLock lock(mutex_);
    if (denied_access_key_id_ == old.access_key_id + old.session_token) return false;
    denied_access_key_id_ = old.access_key_id + old.session_token;
  }
  const auto current = credentials_->get(false, stop);
  const auto differs = [&](const Credentials& other) {
    return other.secret_access_key != old.secret_access_key || other.access_key_id != old.access_key_id ||
           other.session_token != old.session_token;
  };
  if (current && differs(*current)) return true;  // another thread was faster
  const auto fresh = credentials_->get(true, std::move(stop));
  if (!fresh) return std::unexpected(fresh.error());
  return differs(*fresh);
}

// What to do about an answer that is a refusal.
Result<Caller::Setback> Caller::setback_of(const net::Response& answer, int status, const Refusal& why,
                                           const SignerPointer& used, Tried& tried, const std::stop_token& stop) {
  Setback out{.error = to_error(status, why)};
  const Remedy remedy = remedy_of(status, why);
  // HEAD is refused without a word: an obvious difference of clocks is the reason, then.
  if (remedy == Remedy::kCorrectTime || (remedy == Remedy::kCredentials && why.code.empty() && !tried.time)) {
    out.mended = !tried.time && learn_time(answer);
    tried.time = true;
    if (out.mended) return out;
  }
  if (remedy == Remedy::kCredentials && !tried.credentials) {
    tried.credentials = true;
    const auto other = renew_credentials(used, why.code.empty() || why.code == "AccessDenied", stop);
    if (!other) return std::unexpected(other.error());
    out.mended = *other;
    if (out.mended) return out;
  }
  out.repeat = remedy == Remedy::kRepeat;
  out.wait = retry_after(answer, now());
  return out;
}

Result<Answered> Caller::call(const Call& call, std::stop_token stop) {
  Passage passage(call);
  Tried tried;
  Answered out;
  for (int attempt = 0;; ++attempt) {
    SignerPointer used;
    auto request = prepare(call, used, stop);
    if (!request) return std::unexpected(request.error());
    passage.attach(*request);
    auto response = connections_->receive(*request, passage.chunk, stop, passage.opened);
    if (!passage.source_ended) return std::unexpected(passage.source_ended.error());
    if (passage.ended) return fail(Code::kCancelled, "ended by the reader");
    Setback setback;
    if (!response) {
      setback.error = response.error();
      const Code code = setback.error.code;
      if (code != Code::kCancelled) troubled_ = true;
      setback.repeat = !passage.begun && setback.error.retryable;
      if (code == Code::kUnavailable || code == Code::kTimeout) out.repeated = true;
    } else {
      std::optional<Refusal> refusal;
      const bool good = response->status >= 200 && response->status < 300;
      if (!good || call.late_errors) refusal = parse_refusal(good ? response->body : std::move(response->body));
      troubled_ = response->status >= 500 || response->status == 401 || response->status == 403;
      if (good && !refusal) {
        out.response = std::move(*response);
        return out;
      }
      const int status = good ? 0 : response->status;
      auto refused = setback_of(*response, status, refusal.value_or(Refusal()), used, tried, stop);
      if (!refused) return std::unexpected(refused.error());
      if (refused->mended) continue;
      if (response->status >= 500) out.repeated = true;
      setback = std::move(*refused);
    }
    if (call.once && setback.error.code != Code::kThrottled && out.repeated) setback.repeat = false;
    if (!setback.repeat || attempt + 1 >= config_.tries) return std::unexpected(std::move(setback.error));
    const milliseconds wait = std::max(setback.wait, full_jitter(config_.backoff_base, config_.backoff_max, attempt));
    log::debug("S3 request repeated", {{"method", call.method}, {"endpoint", host_}, {"error", setback.error.message}});
    if (!wait_for(wait, stop)) return fail(Code::kCancelled, "cancelled");
  }
}

Result<net::Response> Caller::stream(const Call& call, const std::function<bool(std::string_view)>& chunk,
                                     std::stop_token stop) {
  SignerPointer used;
  auto request = prepare(call, used, stop);
  if (!request) return std::unexpected(request.error());
  auto response = connections_->stream(*request, chunk, std::move(stop));
  if (!response) return response;
  if (response->status >= 200 && response->status < 300) return response;
  return std::unexpected(to_error(response->status, parse_refusal(std::move(response->body)).value_or(Refusal())));
}

Result<std::string> Caller::presign(const std::string& key, std::chrono::seconds lifetime, std::stop_token stop) {
  const std::string time = signing_time(now());
  const auto found = signer(std::string_view(time).substr(0, 8), std::move(stop));
  if (!found) return std::unexpected(found.error());
  const Signer& signer = **found;
  const std::string path = path_of({.key = key});
  return fmt::format("{}://{}{}?{}", tls_ ? "https" : "http", host_, path,
                     presigned_query("GET", host_, path, {}, time, lifetime, signer.credentials.access_key_id,
                                     signer.credentials.session_token, signer.key));
}

}  // namespace twinspan::s3
