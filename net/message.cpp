#include "net/message.hpp"

#include <strings.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace twinspan::net {
namespace {

constexpr size_t kLineBytes = 64 * 1024, kHeadersMost = 1000, kHeadBytes = 256 * 1024;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool same_name(std::string_view one, std::string_view other) {
  return one.size() == other.size() && strncasecmp(one.data(), other.data(), one.size()) == 0;
}

bool contains_word(std::string_view list, std::string_view word) {  // of a list separated by commas
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    const std::string_view one = trimmed(list.substr(0, comma));
    if (same_name(one, word)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

// Visible characters, spaces, tabs and what is beyond ASCII (RFC 9110, 5.5): no bare CR, no NUL.
bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return (c >= ' ' && c != 0x7f) || c == '\t'; });
}

template <class Number>
bool parse_number(std::string_view text, Number& number, int base) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

bool read_fields(Connection& connection, Headers& headers, size_t bytes) {
  std::string line;
  while (true) {
    if (!connection.read_line(line, kLineBytes)) return false;
    if (line.empty()) return true;
    bytes += line.size();
    const size_t colon = line.find(':');
    if (colon == std::string::npos || !is_token(std::string_view(line).substr(0, colon)) || !is_printable(line) ||
        headers.size() >= kHeadersMost || bytes > kHeadBytes) {
      connection.fail("malformed head of a message");
      return false;
    }
    headers.emplace_back(line.substr(0, colon), trimmed(std::string_view(line).substr(colon + 1)));
  }
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
    std::string_view number = std::string_view(line).substr(0, line.find(';'));
    while (number.ends_with(' ') || number.ends_with('\t')) number.remove_suffix(1);
    if (!is_printable(line) || !parse_number(number, size, 16)) {
      connection.fail("malformed chunk");
      return false;
    }
    if (size == 0) break;
    if (!read_exactly(connection, size, chunk, ended) || !connection.read_line(line, kLineBytes)) return false;
    if (!line.empty()) {
      connection.fail("a chunk is longer than it says");
      return false;
    }
  }
  Headers trailers;
  return read_fields(connection, trailers, 0);
}

}  // namespace

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) || std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

const std::string* find_header(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers)
    if (same_name(key, name)) return &value;
  return nullptr;
}

bool read_head(Connection& connection, MessageHead& head) {
  head.headers.clear();
  if (!connection.read_line(head.start, kLineBytes)) return false;
  if (!is_printable(head.start)) {
    connection.fail("malformed first line of a message");
    return false;
  }
  return read_fields(connection, head.headers, head.start.size());
}

int status_of(std::string_view start) {
  int status = 0;
  if (!start.starts_with("HTTP/1.") || start.size() < 12 || start[8] != ' ' ||
      (start.size() > 12 && start[12] != ' ') || !parse_number(start.substr(9, 3), status, 10))
    return 0;
  return status >= 100 ? status : 0;
}

bool names_close(const MessageHead& head) {
  const std::string* connection = find_header(head.headers, "Connection");
  if (connection && contains_word(*connection, "close")) return true;
  const bool old = head.start.starts_with("HTTP/1.0") || head.start.ends_with("HTTP/1.0");
  return old && !(connection && contains_word(*connection, "keep-alive"));
}

bool framing_of(Connection& connection, const Headers& headers, Framing& framing) {
  framing = {};
  for (const auto& [name, value] : headers) {
    if (same_name(name, "Transfer-Encoding")) {
      if (framing.chunked || !same_name(value, "chunked")) {
        connection.fail("Transfer-Encoding other than chunked");
        return false;
      }
      framing.chunked = true;
    } else if (same_name(name, "Content-Length")) {
      uint64_t bytes = 0;
      if (!parse_number(value, bytes, 10) || (framing.length && *framing.length != bytes)) {
        connection.fail("malformed Content-Length");
        return false;
      }
      framing.length = bytes;
    }
  }
  if (!framing.chunked || !framing.length) return true;
  connection.fail("both Transfer-Encoding and Content-Length");
  return false;
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
