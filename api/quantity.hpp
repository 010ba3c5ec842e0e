// Kubernetes quantities, as far as they have to be judged ("250m", "10Gi", "1e3").
#pragma once
#include <optional>
#include <string_view>

namespace twinspan::api {

// nullopt: not a quantity. Exact up to 2^63, which is enough to compare sizes.
std::optional<long double> parse_quantity(std::string_view text);

}  // namespace twinspan::api
