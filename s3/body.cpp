#include "s3/body.hpp"

#include <fmt/format.h>

#include "net/http.hpp"
#include "s3/digest.hpp"

namespace twinspan::s3 {
namespace {

constexpr std::string_view kNamespace = "http://s3.amazonaws.com/doc/2006-03-01/";

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default:  // control characters would be changed on the way, or refused
        if (static_cast<unsigned char>(c) < 0x20)
          out += fmt::format("&#{};", static_cast<int>(c));
        else
          out += c;
    }
  }
}

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

std::string quoted_etag(std::string_view etag) {
  return etag.starts_with('"') || etag == "*" ? std::string(etag) : fmt::format("\"{}\"", etag);
}

std::string completion_of(const std::vector<Part>& parts) {
  std::string out = fmt::format("<CompleteMultipartUpload xmlns=\"{}\">", kNamespace);
  for (const Part& part : parts) {
    out += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>", part.number);
    append_escaped(out, quoted_etag(part.etag));
    out += "</ETag></Part>";
  }
  return out + "</CompleteMultipartUpload>";
}

std::string deletion_of(const std::vector<std::string>& keys) {
  std::string out = fmt::format("<Delete xmlns=\"{}\"><Quiet>false</Quiet>", kNamespace);
  for (const std::string& key : keys) {
    out += "<Object><Key>";
    append_escaped(out, key);
    out += "</Key></Object>";
  }
  return out + "</Delete>";
}

std::string bucket_configuration(std::string_view region) {
  if (region.empty() || region == "us-east-1") return "";
  std::string out = fmt::format("<CreateBucketConfiguration xmlns=\"{}\"><LocationConstraint>", kNamespace);
  append_escaped(out, region);
  return out + "</LocationConstraint></CreateBucketConfiguration>";
}

std::string versioning_configuration() {
  return fmt::format("<VersioningConfiguration xmlns=\"{}\"><Status>Enabled</Status></VersioningConfiguration>",
                     kNamespace);
}

std::string tags_of(const std::map<std::string, std::string>& tags) {
  std::string out;
  for (const auto& [name, value] : tags) {
    if (!out.empty()) out += '&';
    out.append(net::percent_encode(name)).append("=").append(net::percent_encode(value));
  }
  return out;
}

std::string completed_etag(const std::vector<Part>& parts) {
  std::string digests;
  for (const Part& part : parts) {
    if (part.etag.size() != 32) return "";
    for (size_t i = 0; i < 32; i += 2) {
      const int high = digit(part.etag[i]), low = digit(part.etag[i + 1]);
      if (high < 0 || low < 0) return "";
      digests += static_cast<char>(high * 16 + low);
    }
  }
  return fmt::format("{}-{}", to_hex(md5_of(digests)), parts.size());
}

}  // namespace twinspan::s3
