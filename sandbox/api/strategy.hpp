// What the real server does to built-in kinds beyond their schema: defaults that depend on other fields, and
// validation.
#pragma once
#include <string>

#include "core/json.hpp"
#include "sandbox/api/catalog.hpp"
#include "sandbox/api/error.hpp"

namespace twinspan::sandbox {

// On every write, before validation.
void default_builtin(const Kind& kind, Json& object);
// On creation, after default_builtin: status and what only the server sets.
void prepare_builtin(const Kind& kind, Json& object);
Causes validate_builtin(const Kind& kind, const Json& object, const Json* old_object);
// Names, labels, annotations, finalizers, owner references; `old_object`: nullptr on creation.
Causes validate_metadata(const Kind& kind, const Json& object, const Json* old_object);

bool is_dns_label(const std::string& text);
bool is_dns_subdomain(const std::string& text);

}  // namespace twinspan::sandbox
