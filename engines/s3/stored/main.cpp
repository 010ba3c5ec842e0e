// twinspan-s3-open: reads an object as an S3 link stored it from standard input, writes the original to standard
// output.
//   mc cat nyc/backups/daily.tar | twinspan-s3-open --key-file KEY > daily.tar
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <cstring>

#include "core/file.hpp"
#include "engines/s3/stored/opener.hpp"

namespace {

using twinspan::Code;
using twinspan::fail;
using twinspan::Result;
using twinspan::Status;
namespace s3 = twinspan::s3;

Status write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return fail(Code::kUnavailable, std::string("can't write: ") + std::strerror(errno));
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

Result<size_t> read_some(std::array<char, 1 << 18>& into) {
  for (;;) {
    const ssize_t size = ::read(STDIN_FILENO, into.data(), into.size());
    if (size >= 0) return static_cast<size_t>(size);
    if (errno != EINTR) return fail(Code::kUnavailable, std::string("can't read: ") + std::strerror(errno));
  }
}

Status open_all(s3::OpenerConfig config) {
  static std::array<char, 1 << 18> bytes;
  s3::Opener opener(std::move(config));
  for (;;) {
    const auto size = read_some(bytes);
    if (!size) return std::unexpected(size.error());
    if (*size == 0) return opener.finish(write_all);
    if (Status fed = opener.feed({bytes.data(), *size}, write_all); !fed) return fed;
  }
}

// What stands in the header of a sealed object, which no key is needed for.
Status show_header() {
  std::array<char, 1 << 18> bytes;
  std::string head;
  while (head.size() < static_cast<size_t>(s3::kSealHeaderBytes)) {
    const auto size = read_some(bytes);
    if (!size) return std::unexpected(size.error());
    if (*size == 0) break;
    head.append(bytes.data(), *size);
  }
  const auto header = s3::parse_seal_header(std::string_view(head).substr(0, s3::kSealHeaderBytes));
  if (!header) return std::unexpected(header.error());
  return write_all(fmt::format("key: {}\ncompression: {}\noriginal size: {} bytes\n", header->key_id,
                               header->packing == s3::Packing::kNone ? "none" : to_string(header->packing),
                               header->original_bytes));
}

}  // namespace

int main(int argc, char** argv) {
  std::string key_file, name, encoding = "auto";
  bool header_only = false;
  CLI::App app{
      "Reads an object as an S3 link stored it, compressed or encrypted, from standard input and writes the "
      "original to standard output.\nExits with 1, and says why, where the original is not whole.",
      "twinspan-s3-open"};
  app.add_option("--key-file", key_file, "The key of sealed objects: 32 bytes, or their Base64");
  app.add_option("--name", name, "Key of the object below the link's prefix: fails where it was sealed under another");
  app.add_option("--encoding", encoding, "How an object that is not sealed is compressed; auto: by its first bytes")
      ->check(CLI::IsMember({"auto", "none", "gzip", "zstd"}))
      ->capture_default_str();
  app.add_flag("--header", header_only, "Only show what the header of a sealed object says");
  CLI11_PARSE(app, argc, argv);
  const auto complain = [](const std::string& message) {
    fmt::print(stderr, "twinspan-s3-open: {}\n", message);
    return 1;
  };
  if (header_only) {
    const Status shown = show_header();
    return shown ? 0 : complain(shown.error().message);
  }
  s3::OpenerConfig config;
  if (!key_file.empty()) {
    const auto text = twinspan::read_file(key_file);
    if (!text) return complain(text.error().message);
    auto key = s3::SealKey::parse(*text);
    if (!key) return complain(key_file + " " + key.error().message);
    config.key = std::move(*key);
  }
  if (!name.empty()) config.name = name;
  if (encoding != "auto") config.if_not_sealed = s3::parse_packing(encoding == "none" ? "" : encoding);
  const Status opened = open_all(std::move(config));
  return opened ? 0 : complain(opened.error().message);
}
