// The API server's Status objects as Errors.
#pragma once
#include <string_view>

#include "core/json.hpp"
#include "core/result.hpp"
#include "net/http.hpp"

namespace twinspan::kube {

// kNotFound, too, where something can't be created because its namespace is being deleted.
// An answer other than 2xx. The message is the Status' own, followed by the fields at fault it does not mention yet.
Error error_of(const net::Response& response);
// A Status object, as it also comes inside a watch.
Error error_of_status(const Json& status);

}  // namespace twinspan::kube
