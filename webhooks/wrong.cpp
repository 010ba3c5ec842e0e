#include "webhooks/wrong.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/text.hpp"

namespace twinspan::webhooks {

std::unexpected<Error> wrong(std::string_view field, const Json& value, std::string_view expected) {
  return fail(Code::kInvalid,
              fmt::format("{}: is {}, must be {}", field,
                          one_line(value.dump(-1, ' ', false, Json::error_handler_t::replace), 80), expected));
}

}  // namespace twinspan::webhooks
