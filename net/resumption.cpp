#include "net/resumption.hpp"

namespace twinspan::net {
namespace {

constexpr std::chrono::hours kTrusted{1};

int own_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

}  // namespace

void Resumption::attach(SSL_CTX* context) {
  SSL_CTX_set_ex_data(context, own_index(), this);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, keep);
}

int Resumption::keep(SSL* session, SSL_SESSION* ticket) {
  auto* self = static_cast<Resumption*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(session), own_index()));
  MutexLock lock(self->mutex_);
  if (!SSL_session_reused(session)) self->verified_at_ = std::chrono::steady_clock::now();
  self->ticket_.reset(ticket);
  return 1;  // it is ours now
}

void Resumption::offer(SSL* session) {
  MutexLock lock(mutex_);
  if (ticket_ && std::chrono::steady_clock::now() - verified_at_ > kTrusted) ticket_.reset();
  if (ticket_) SSL_set_session(session, ticket_.get());
}

void Resumption::forget() {
  MutexLock lock(mutex_);
  ticket_.reset();
}

}  // namespace twinspan::net
