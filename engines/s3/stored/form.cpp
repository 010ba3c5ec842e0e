#include "engines/s3/stored/form.hpp"

#include <charconv>

#include "engines/s3/stored/sealing.hpp"

namespace twinspan::s3 {
namespace {

constexpr std::string_view kSeal = "seal:";

void append_coding(std::string& codings, std::string_view coding) {
  if (coding.empty()) return;
  if (!codings.empty()) codings += ", ";
  codings += coding;
}

void remove_last_coding(std::string& codings, std::string_view coding) {
  if (coding.empty() || !codings.ends_with(coding)) return;
  codings.resize(codings.size() - coding.size());
  while (codings.ends_with(' ') || codings.ends_with(',')) codings.pop_back();
}

std::string take(std::map<std::string, std::string>& user, std::string_view name) {
  auto node = user.extract(std::string(name));
  return node ? std::move(node.mapped()) : "";
}

}  // namespace

std::string StoredForm::mark() const {
  std::string mark(to_string(packing));
  if (!key) return mark;
  if (!mark.empty()) mark += '+';
  return mark + std::string(kSeal) + key->id();
}

std::optional<int64_t> StoredForm::stored_bytes(int64_t bytes) const {
  if (packing != Packing::kNone) return std::nullopt;
  return key ? sealed_bytes(bytes) : bytes;
}

int64_t StoredForm::stored_bytes_max(int64_t bytes) const {
  const int64_t packed = packed_bytes_max(packing, bytes);
  return key ? sealed_bytes(packed) : packed;
}

std::unique_ptr<Stage> StoredForm::stages(std::string_view name, int64_t bytes, std::string salt) const {
  auto stages = std::make_unique<Pipeline>();
  if (auto packer = make_packer(packing)) stages->add(std::move(packer));
  if (key) stages->add(std::make_unique<Sealer>(*key, seal_header(*key, packing, std::move(salt), name, bytes)));
  return stages;
}

std::optional<StoredMark> stored_mark(const Metadata& metadata) {
  const auto found = metadata.user.find(std::string(kStoredName));
  if (found == metadata.user.end()) return std::nullopt;
  StoredMark mark{found->second};
  std::string_view text = found->second;
  if (const size_t seal = text.find(kSeal); seal != text.npos) {
    mark.sealed = true;
    text = text.substr(0, seal);
    if (text.ends_with('+')) text.remove_suffix(1);
  }
  const auto packing = parse_packing(text);
  const auto size = metadata.user.find(std::string(kSourceSizeName));
  if (!packing || size == metadata.user.end()) return std::nullopt;
  mark.packing = *packing;
  const std::string& digits = size->second;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), mark.source_bytes);
  if (error != std::errc() || end != digits.data() + digits.size() || mark.source_bytes < 0) return std::nullopt;
  return mark;
}

Metadata marked(Metadata original, const StoredForm& form, int64_t source_bytes) {
  if (form.plain()) return original;
  append_coding(original.content_encoding, to_string(form.packing));
  if (form.key) append_coding(original.content_encoding, kSealEncoding);
  original.user[std::string(kStoredName)] = form.mark();
  original.user[std::string(kSourceSizeName)] = std::to_string(source_bytes);
  return original;
}

Metadata unmarked(Metadata copy) {
  if (const auto mark = stored_mark(copy)) {
    if (mark->sealed) remove_last_coding(copy.content_encoding, kSealEncoding);
    remove_last_coding(copy.content_encoding, to_string(mark->packing));
  }
  take(copy.user, kStoredName);
  take(copy.user, kSourceSizeName);
  return copy;
}

}  // namespace twinspan::s3
