#include "net/message.hpp"

#include <strings.h>

#include <charconv>

namespace twinspan::net {
namespace {

constexpr size_t kLineBytes = 64 * 1024, kHeadersMost = 1000;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool contains_word(std::string_view list, std::string_view word) {  // of a list separated by commas
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    const std::string_view one = trimmed(list.substr(0, comma));
    if (one.size() == word.size() && strncasecmp(one.data(), word.data(), word.size()) == 0) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

template <class Number>
bool parse_number(std::string_view text, Number& number, int base) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

bool read_exactly(Connection& connection, uint64_t size, const std::function<bool(std::string_view)>& chunk,
                  bool& ended) {
  while (size > 0) {
    const std::string_view piece = connection.take(size);
    if (piece.empty()) {
      connection.fail("connection closed in the middle of a body");
      return false;
    }
    size -= piece.size();
    if (!chunk(piece)) {
      ended = true;
      return false;
    }
  }
  return true;
}

bool read_chunked(Connection& connection, const std::function<bool(std::string_view)>& chunk, bool& ended) {
  std::string line;
  while (true) {
    if (!connection.read_line(line, kLineBytes)) return false;
    uint64_t size = 0;
    const std::string_view number = trimmed(std::string_view(line).substr(0, line.find(';')));
    if (!parse_number(number, size, 16)) {
      connection.fail("malformed chunk");
      return false;
    }
    if (size == 0) break;
    if (!read_exactly(connection, size, chunk, ended) || !connection.read_line(line, kLineBytes)) return false;
  }
  do {  // trailers
    if (!connection.read_line(line, kLineBytes)) return false;
  } while (!line.empty());
  return true;
}

}  // namespace

const std::string* find_header(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers)
    if (key.size() == name.size() && strncasecmp(key.data(), name.data(), name.size()) == 0) return &value;
  return nullptr;
}

bool read_head(Connection& connection, MessageHead& head) {
  head.headers.clear();
  if (!connection.read_line(head.start, kLineBytes)) return false;
  std::string line;
  while (true) {
    if (!connection.read_line(line, kLineBytes)) return false;
    if (line.empty()) return true;
    const size_t colon = line.find(':');
    if (colon == std::string::npos || colon == 0 || head.headers.size() >= kHeadersMost) {
      connection.fail("malformed head of a message");
      return false;
    }
    head.headers.emplace_back(line.substr(0, colon), trimmed(std::string_view(line).substr(colon + 1)));
  }
}

int status_of(std::string_view start) {
  int status = 0;
  if (!start.starts_with("HTTP/1.") || start.size() < 12 || start[8] != ' ' ||
      (start.size() > 12 && start[12] != ' ') || !parse_number(start.substr(9, 3), status, 10))
    return 0;
  return status;
}

bool names_close(const MessageHead& head) {
  const std::string* connection = find_header(head.headers, "Connection");
  if (connection && contains_word(*connection, "close")) return true;
  const bool old = head.start.starts_with("HTTP/1.0") || head.start.ends_with("HTTP/1.0");
  return old && !(connection && contains_word(*connection, "keep-alive"));
}

bool framing_of(Connection& connection, const Headers& headers, Framing& framing) {
  framing = {};
  if (const std::string* coding = find_header(headers, "Transfer-Encoding"))
    if (contains_word(*coding, "chunked")) framing.chunked = true;
  if (framing.chunked) return true;
  if (const std::string* length = find_header(headers, "Content-Length")) {
    uint64_t bytes = 0;
    if (!parse_number(*length, bytes, 10)) {
      connection.fail("malformed Content-Length");
      return false;
    }
    framing.length = bytes;
  }
  return true;
}

bool read_body(Connection& connection, const Framing& framing, const std::function<bool(std::string_view)>& chunk,
               bool& ended) {
  if (framing.chunked) return read_chunked(connection, chunk, ended);
  if (framing.length) return read_exactly(connection, *framing.length, chunk, ended);
  while (true) {
    const std::string_view piece = connection.take(SIZE_MAX);
    if (piece.empty()) return connection.end() == End::kNone;
    if (!chunk(piece)) {
      ended = true;
      return false;
    }
  }
}

}  // namespace twinspan::net
