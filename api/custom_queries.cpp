#include "api/custom_queries.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

namespace twinspan::api {
namespace {

using Errors = std::vector<FieldError>;

void check_labels(const CustomQuery& query, const std::string& field, Errors& errors) {
  static const std::set<std::string_view> kOwn{"namespace", "link", "endpoint"};
  for (size_t i = 0; i < query.labels.size(); ++i) {
    const std::string& label = query.labels[i];
    const std::string at = fmt::format("{}.labels[{}]", field, i);
    if (kOwn.contains(label) || label.starts_with("__"))
      errors.push_back({at, fmt::format("is \"{}\", which every metric has or Prometheus keeps for itself: name the "
                                        "column otherwise (SELECT … AS …)",
                                        label)});
    if (std::any_of(query.values.begin(), query.values.end(), [&](const auto& one) { return one.column == label; }))
      errors.push_back(
          {at, fmt::format("is \"{}\", which is one of values, too: a column is one or the other", label)});
  }
}

}  // namespace

void check_queries(const std::vector<CustomQuery>& queries, Errors& errors) {
  std::map<std::string, std::string> taken{{"query_failed", "Twinspan's own"}};  // by metric: whose it is
  for (size_t i = 0; i < queries.size(); ++i) {
    const CustomQuery& query = queries[i];
    const std::string field = fmt::format("spec.postgres.metrics.queries[{}]", i);
    check_labels(query, field, errors);
    for (size_t j = 0; j < query.values.size(); ++j) {
      const std::string at = fmt::format("{}.values[{}]", field, j), name = query.name + "_" + query.values[j].column;
      if (const auto [known, is_new] = taken.emplace(name, at); !is_new)
        errors.push_back({at + ".column", fmt::format("makes the metric twinspan_custom_{}, as does {}: choose another "
                                                      "name of the query or of the column",
                                                      name, known->second)});
    }
  }
}

}  // namespace twinspan::api
