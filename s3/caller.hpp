// One request with all it takes to be answered: signature, retries, the server's clock, credentials that were rotated.
#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "core/guarded.hpp"
#include "net/http.hpp"
#include "s3/client.hpp"
#include "s3/refusal.hpp"
#include "s3/sign.hpp"

namespace twinspan::s3 {

struct Call {
  std::string method = "GET";
  std::optional<std::string> key{};  // absent: of the bucket
  Parameters query{};
  net::Headers headers{};
  std::string_view body{};
  const BodySource* source = nullptr;  // where it is in no memory; only with TLS
  bool late_errors = false;            // an answer of status 200 may still be an <Error>
  // Done twice it leaves something behind: not repeated where it may have been carried out without our hearing of it.
  bool once = false;
  // The body of an answer 200 or 206; once it has seen bytes nothing is repeated.
  const std::function<bool(std::string_view)>* chunk = nullptr;
  const std::function<bool(const net::Response&)>* opened = nullptr;  // sees its head before
  std::string accept_encoding{};                                      // not signed: what is on the way may change it
};

struct Answered {
  net::Response response;
  bool repeated = false;  // an earlier attempt may have been carried out without our hearing of it
};

// Thread-safe.
class Caller {
 public:
  Caller(const ClientConfig& config, std::shared_ptr<CredentialSource> credentials, const Clock& clock);

  // An answer of status 2xx, or what to tell the caller. Where `chunk` or `opened` returned false: kCancelled.
  Result<Answered> call(const Call& call, std::stop_token stop);
  // As net::Client::stream, one attempt.
  Result<net::Response> stream(const Call& call, const std::function<bool(std::string_view)>& chunk,
                               std::stop_token stop);
  bool troubled() const { return troubled_; }
  Result<std::string> presign(const std::string& key, std::chrono::seconds lifetime, std::stop_token stop);

 private:
  struct Signer {  // of one day and one set of credentials
    Credentials credentials;
    std::string day;
    SigningKey key;
  };
  using SignerPointer = std::shared_ptr<const Signer>;
  struct Tried {  // each helps once in a call
    bool time = false, credentials = false;
  };
  struct Setback {
    Error error{};
    bool repeat = false;                // it may pass by itself
    bool mended = false;                // the next attempt is another one
    std::chrono::milliseconds wait{0};  // at least; the server asks for it
  };

  std::string path_of(const Call& call) const;
  WallTime now() const { return clock_.wall_now() + std::chrono::microseconds(offset_micros_.load()); }
  Result<SignerPointer> signer(std::string_view day, std::stop_token stop);
  Result<net::Request> prepare(const Call& call, SignerPointer& used, std::stop_token stop);
  bool learn_time(const net::Response& answer);
  Result<Setback> setback_of(const net::Response& answer, int status, const Refusal& why, const SignerPointer& used,
                             Tried& tried, const std::stop_token& stop);
  Result<bool> renew_credentials(const SignerPointer& refused, bool denied_only, std::stop_token stop);

  const ClientConfig config_;
  const std::shared_ptr<CredentialSource> credentials_;
  const Clock& clock_;
  std::string host_, base_path_;
  bool tls_ = false;
  std::unique_ptr<net::Client> connections_;

  std::atomic<bool> troubled_{false};
  std::atomic<int64_t> offset_micros_{0};  // the server's clock less ours
  Mutex mutex_;
  SignerPointer signer_ GUARDED_BY(mutex_);
  std::string denied_access_key_id_
      GUARDED_BY(mutex_);  // these were asked for anew after AccessDenied, and are what there is
};

}  // namespace twinspan::s3
