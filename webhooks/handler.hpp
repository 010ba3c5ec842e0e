// HTTP in, HTTP out: which path is which webhook. Thin; judge.hpp decides.
#pragma once
#include <functional>

#include "net/http.hpp"
#include "webhooks/conversion.hpp"
#include "webhooks/neighbours.hpp"

namespace twinspan::webhooks {

inline constexpr std::string_view kValidatePath = "/validate", kDefaultPath = "/default", kConvertPath = "/convert";

// Needs no cache: those can't be filled before objects are converted. 400 for what is no ConversionReview.
net::OutgoingResponse handle_conversion(const net::IncomingRequest& request, const Conversions& known);

// 400 for what is no AdmissionReview, 503 until `ready`: the API server does then as failurePolicy says.
net::OutgoingResponse handle(const net::IncomingRequest& request, const Neighbours& neighbours, bool ready,
                             std::stop_token stop);

}  // namespace twinspan::webhooks
