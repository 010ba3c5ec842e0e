#include "sandbox/s3/xml.hpp"

#include <fmt/format.h>

#include "s3/uri.hpp"

namespace twinspan::s3_stub {

Xml::Xml(std::string_view root) : root_(root) {
  text_ = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<" + root_;
  if (root_ != "Error") text_ += " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";
  text_ += ">";
}

Xml& Xml::open(std::string_view name) {
  text_.append("<").append(name).append(">");
  return *this;
}

Xml& Xml::close(std::string_view name) {
  text_.append("</").append(name).append(">");
  return *this;
}

Xml& Xml::field(std::string_view name, std::string_view value) {
  open(name);
  for (const char c : value) {
    switch (c) {
      case '&': text_ += "&amp;"; break;
      case '<': text_ += "&lt;"; break;
      case '>': text_ += "&gt;"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20)
          text_ += fmt::format("&#x{:X};", static_cast<int>(c));
        else
          text_ += c;
    }
  }
  return close(name);
}

std::string Xml::finish() {
  close(root_);
  return std::move(text_);
}

std::string url_encoded(std::string_view key) {
  std::string out;
  const std::string encoded = s3::encode_key(key);
  for (size_t i = 0; i < encoded.size(); ++i) {
    if (encoded.compare(i, 3, "%20") == 0) {
      out += '+';
      i += 2;
    } else {
      out += encoded[i];
    }
  }
  return out;
}

}  // namespace twinspan::s3_stub
