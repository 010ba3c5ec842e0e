// Labels and annotations as the API server judges them, so that nothing is made that it refuses. Pure.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "api/validate.hpp"

namespace twinspan::api {

// [DNS subdomain/]name, such as example.com/team: 253 and 63 characters at most.
bool is_qualified_name(std::string_view text);
// Empty, or at most 63 letters, digits, '-', '_' and '.', the first and the last one a letter or a digit.
bool is_label_value(std::string_view text);
// At most 253 characters; every part between dots is a DNS label of its own.
bool is_dns_subdomain(std::string_view text);

inline constexpr std::string_view kQualifiedName = "a label's key such as team or example.com/team";
inline constexpr std::string_view kLabelValue =
    "a label's value: at most 63 letters, digits, '-', '_' and '.', the first and the last one a letter or a digit";

// What people add to objects of ours. `field`: where the map stands that has this key.
using MapField = std::function<std::string(const std::string& key)>;
void check_added_labels(const std::map<std::string, std::string>& labels, const MapField& field,
                        std::vector<FieldError>& errors);
void check_added_annotations(const std::map<std::string, std::string>& annotations, const MapField& field,
                             std::vector<FieldError>& errors);

}  // namespace twinspan::api
