// Base64 (RFC 4648), as Secrets, kubeconfig files and S3 requests carry bytes. Over OpenSSL.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace twinspan {

std::string base64_encode(std::string_view bytes);
// White space is passed over; nullopt where anything else is wrong.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace twinspan
