// HTTP/1.1 messages on a connection (RFC 9112), from either side: heads, and bodies by length, in chunks or up to the
// close. Private to this room.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "net/connection.hpp"
#include "net/http.hpp"

namespace twinspan::net {

// All of these return false where the connection ended or the message is malformed: the connection is of no more use
// then, and its end() and reason() say why.

struct MessageHead {
  std::string start;  // the request line or the status line
  Headers headers;    // values as they came, not decoded
};
bool read_head(Connection& connection, MessageHead& head);
// "HTTP/1.1 204 No Content" → 204; 0: not a status line.
int status_of(std::string_view start);
bool names_close(const MessageHead& head);  // the sender closes the connection after this message

// How long a body is, by its head. Whatever two programs could read differently is malformed (RFC 9112, 6.3): both a
// length and chunks, lengths that differ, a coding other than chunked.
struct Framing {
  bool chunked = false;
  std::optional<uint64_t> length;  // neither: up to the close for an answer, none for a request
};
bool framing_of(Connection& connection, const Headers& headers, Framing& framing);
// `chunk` is given the body piece by piece, without a copy, and returns false to end it: `ended` says so then.
bool read_body(Connection& connection, const Framing& framing, const std::function<bool(std::string_view)>& chunk,
               bool& ended);

// RFC 9110, 5.6.2. Nothing else names a header or a method: "Content-Length :" or " Content-Length:" (a folded line) is
// read in different ways by different programs.
bool is_token(std::string_view text);
const std::string* find_header(const Headers& headers, std::string_view name);  // case-insensitive; nullptr: absent

}  // namespace twinspan::net
