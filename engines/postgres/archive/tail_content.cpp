#include "engines/postgres/archive/tail_content.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>

#include "core/json.hpp"
#include "engines/s3/stored/form.hpp"
#include "engines/s3/stored/opener.hpp"
#include "failover/types.hpp"
#include "s3/digest.hpp"

namespace twinspan::postgres {
namespace {

constexpr size_t kDigestBytes = 32, kHeadMost = 1024;
constexpr int kVersion = 1;

// Of what comes in pieces.
class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new()) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) throw std::bad_alloc();
  }
  void add(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  std::string finish() {
    std::string out(kDigestBytes, '\0');
    EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(out.data()), nullptr);
    return out;
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

std::string to_line(const TailHead& head) {
  return Json{{"version", kVersion},          {"stanza", head.stanza},
              {"segment", head.name.segment}, {"end", to_string(Position{head.name.end})},
              {"epoch", head.name.epoch},     {"at", to_rfc3339_micro(head.at)}}
             .dump() +
         "\n";
}

Result<TailHead> parse_line(std::string_view line) {
  const Json json = Json::parse(line, nullptr, false);
  if (integer_of(json, "version") != kVersion)
    return fail(Code::kInvalid, fmt::format("version {} is expected", kVersion));
  const auto end = parse_position(text_of(json, "end"));
  const auto at = parse_rfc3339(text_of(json, "at"));
  if (!end || !at) return fail(Code::kInvalid, "its head says neither end nor time");
  return TailHead{text_of(json, "stanza"),
                  {text_of(json, "segment"), end->value, static_cast<uint64_t>(integer_of(json, "epoch"))},
                  *at};
}

std::string sealed_as(const std::string& stanza, const backup::TailName& name) {
  return fmt::format("{}/{}", stanza, to_string(name));
}

uint64_t bytes_of(const backup::TailName& name) { return name.end - backup::start_of(name.segment); }

}  // namespace

std::shared_ptr<const s3::SealKey> tail_key(const std::string& passphrase) {
  if (passphrase.empty()) return nullptr;
  return std::make_shared<const s3::SealKey>(s3::hmac_sha256("twinspan-tail-v1", passphrase));
}

Result<std::string> pack_tail(const TailHead& head, const std::shared_ptr<const s3::SealKey>& key,
                              const SegmentReader& read) {
  const std::string line = to_line(head);
  const uint64_t size = bytes_of(head.name);
  const s3::StoredForm form{s3::Packing::kZstd, key};
  const auto stages = form.stages(sealed_as(head.stanza, head.name),
                                  static_cast<int64_t>(line.size() + size + kDigestBytes), key ? s3::new_salt() : "");
  std::string out;
  const s3::Sink keep = [&](std::string_view bytes) -> Status {
    out += bytes;
    return {};
  };
  Sha256 digest;
  uint64_t read_bytes = 0;
  const auto feed = [&](std::string_view bytes) {
    digest.add(bytes);
    return stages->feed(bytes, keep);
  };
  if (Status fed = feed(line); !fed) return std::unexpected(fed.error());
  const Status all = read([&](std::string_view piece) {
    read_bytes += piece.size();
    return feed(piece);
  });
  if (!all) return std::unexpected(all.error());
  if (read_bytes != size)
    return fail(Code::kInternal,
                fmt::format("{}: {} bytes were read, {} are expected", to_string(head.name), read_bytes, size));
  if (Status fed = stages->feed(digest.finish(), keep); !fed) return std::unexpected(fed.error());
  if (Status finished = stages->finish(keep); !finished) return std::unexpected(finished.error());
  return out;
}

Result<Tail> unpack_tail(std::string_view object, const std::string& stanza, const backup::TailName& name,
                         const std::shared_ptr<const s3::SealKey>& key) {
  const auto wrong = [&](std::string_view why) {
    return fail(Code::kInvalid, fmt::format("tail {} of {}: {}", to_string(name), stanza, why));
  };
  s3::OpenerConfig config;
  config.key = key;
  if (key) config.name = sealed_as(stanza, name);
  s3::Opener opener(std::move(config));
  std::string all;
  const size_t most = kHeadMost + bytes_of(name) + kDigestBytes;
  const s3::Sink keep = [&](std::string_view bytes) -> Status {
    if (all.size() + bytes.size() > most) return fail(Code::kInvalid, "more bytes than its name says");
    all += bytes;
    return {};
  };
  if (Status fed = opener.feed(object, keep); !fed) return wrong(fed.error().message);
  if (Status finished = opener.finish(keep); !finished) return wrong(finished.error().message);
  const size_t line = all.find('\n');
  if (line > kHeadMost || all.size() != line + 1 + bytes_of(name) + kDigestBytes)
    return wrong("other bytes than its name says");
  const std::string_view signed_part = std::string_view(all).substr(0, all.size() - kDigestBytes);
  if (s3::sha256_of(signed_part) != std::string_view(all).substr(signed_part.size()))
    return wrong("its SHA-256 is another");
  const auto head = parse_line(std::string_view(all).substr(0, line));
  if (!head) return wrong(head.error().message);
  if (head->stanza != stanza || head->name != name)
    return wrong(fmt::format("it was stored as {} of {}", to_string(head->name), head->stanza));
  all.resize(signed_part.size());
  all.erase(0, line + 1);
  return Tail{*head, std::move(all)};
}

std::string padded_segment(Tail tail, uint64_t until) {
  const uint64_t start = backup::start_of(tail.head.name.segment);
  const uint64_t kept = std::min<uint64_t>(tail.bytes.size(), until > start ? until - start : 0);
  tail.bytes.resize(kept);
  tail.bytes.resize(backup::kSegmentBytes, '\0');
  return std::move(tail.bytes);
}

}  // namespace twinspan::postgres
