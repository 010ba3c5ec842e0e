#include "api/validate_placement.hpp"

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "api/labels.hpp"
#include "api/patterns.hpp"
#include "api/placement_types.hpp"

namespace twinspan::api {
namespace {

using Errors = std::vector<FieldError>;

std::string item(const std::string& list, size_t index) { return list + "[" + std::to_string(index) + "]"; }

// The rules of staging/src/k8s.io/apimachinery and pkg/apis/core/validation of Kubernetes, in their order.
class PlacementCheck {
 public:
  explicit PlacementCheck(Errors& errors) : errors_(errors) {}

  void labels(const std::map<std::string, std::string>& labels, const std::string& field) {
    for (const auto& [name, value] : labels) {
      const std::string at = field + "[" + name + "]";
      if (!is_qualified_name(name)) refuse(at, "the key must be " + std::string(kQualifiedName));
      if (!is_label_value(value)) refuse(at, "is \"" + value + "\", must be " + std::string(kLabelValue));
    }
  }

  void affinity(const Affinity& affinity, const std::string& field) {
    if (affinity.node_affinity) nodes(*affinity.node_affinity, field + ".nodeAffinity");
    if (affinity.pod_affinity) pods(*affinity.pod_affinity, field + ".podAffinity");
    if (affinity.pod_anti_affinity) pods(*affinity.pod_anti_affinity, field + ".podAntiAffinity");
  }

  void toleration(const Toleration& one, const std::string& field) {
    const bool any_value = one.operator_ == TolerationOperator::kExists;
    const std::string its_key = one.key.value_or("");
    if (!its_key.empty()) key(its_key, field + ".key");
    if (its_key.empty() && !any_value) refuse(field + ".operator", "must be Exists where key is left out");
    if (one.value && !one.value->empty()) {
      if (any_value) refuse(field + ".value", "means nothing where operator is Exists, leave it out");
      value(*one.value, field + ".value");
    }
    if (one.toleration_seconds && one.effect != TaintEffect::kNoExecute)
      refuse(field + ".tolerationSeconds", "means nothing unless effect is NoExecute, leave it out");
  }

  void spread(const TopologySpread& one, const std::string& field) {
    key(one.topology_key, field + ".topologyKey");
    if (one.min_domains && one.when_unsatisfiable != WhenUnsatisfiable::kDoNotSchedule)
      refuse(field + ".minDomains", "means nothing unless whenUnsatisfiable is DoNotSchedule, leave it out");
    if (one.label_selector) selector(*one.label_selector, field + ".labelSelector");
    label_keys(one.match_label_keys, one.label_selector, field + ".matchLabelKeys");
  }

  // What the schema has of it, for those who have it from elsewhere: of a version before, or past the API server.
  template <class T>
  std::optional<T> read(Result<T> parsed, const std::string& field) {
    if (parsed) return std::move(*parsed);
    const std::string& words = parsed.error().message;  // "nodeAffinity.…: is …", of the whole "the object: is …"
    const size_t end = words.find(": ");
    const bool whole = words.starts_with("the object: ");
    refuse(whole ? field : field + "." + words.substr(0, end), words.substr(end + 2));
    return std::nullopt;
  }

  void refuse(std::string field, std::string message) { errors_.push_back({std::move(field), std::move(message)}); }

 private:
  void key(const std::string& text, const std::string& field) {
    if (!is_qualified_name(text)) refuse(field, "is \"" + text + "\", must be " + std::string(kQualifiedName));
  }
  void value(const std::string& text, const std::string& field) {
    if (!is_label_value(text)) refuse(field, "is \"" + text + "\", must be " + std::string(kLabelValue));
  }

  void nodes(const NodeAffinity& nodes, const std::string& field) {
    if (const auto& required = nodes.required_during_scheduling_ignored_during_execution)
      for (size_t i = 0; i < required->node_selector_terms.size(); ++i)
        term(required->node_selector_terms[i],
             item(field + ".requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms", i));
    const auto& preferred = nodes.preferred_during_scheduling_ignored_during_execution;
    for (size_t i = 0; i < preferred.size(); ++i)
      term(preferred[i].preference,
           item(field + ".preferredDuringSchedulingIgnoredDuringExecution", i) + ".preference");
  }

  void term(const NodeSelectorTerm& term, const std::string& field) {
    for (size_t i = 0; i < term.match_expressions.size(); ++i)
      node_label(term.match_expressions[i], item(field + ".matchExpressions", i));
    for (size_t i = 0; i < term.match_fields.size(); ++i)
      node_field(term.match_fields[i], item(field + ".matchFields", i));
  }

  void node_label(const NodeRequirement& one, const std::string& field) {
    key(one.key, field + ".key");
    switch (one.operator_) {
      case NodeOperator::kIn:
      case NodeOperator::kNotIn: some(one.values, field); break;
      case NodeOperator::kExists:
      case NodeOperator::kDoesNotExist: none(one.values, field); break;
      case NodeOperator::kGt:
      case NodeOperator::kLt: number(one.values, field); break;
    }
  }

  void node_field(const NodeRequirement& one, const std::string& field) {
    if (one.key != "metadata.name") refuse(field + ".key", "is \"" + one.key + "\", must be metadata.name");
    if (one.operator_ != NodeOperator::kIn && one.operator_ != NodeOperator::kNotIn)
      refuse(field + ".operator", "is " + std::string(to_string(one.operator_)) + ", must be In or NotIn");
    if (one.values.size() != 1 || !is_dns_subdomain(one.values.front()))
      refuse(field + ".values", "must be the name of one node");
  }

  void pods(const PodAffinity& pods, const std::string& field) {
    const auto& required = pods.required_during_scheduling_ignored_during_execution;
    for (size_t i = 0; i < required.size(); ++i)
      term(required[i], item(field + ".requiredDuringSchedulingIgnoredDuringExecution", i));
    const auto& preferred = pods.preferred_during_scheduling_ignored_during_execution;
    for (size_t i = 0; i < preferred.size(); ++i)
      term(preferred[i].pod_affinity_term,
           item(field + ".preferredDuringSchedulingIgnoredDuringExecution", i) + ".podAffinityTerm");
  }

  void term(const PodAffinityTerm& term, const std::string& field) {
    key(term.topology_key, field + ".topologyKey");
    if (term.label_selector) selector(*term.label_selector, field + ".labelSelector");
    if (term.namespace_selector) selector(*term.namespace_selector, field + ".namespaceSelector");
    for (size_t i = 0; i < term.namespaces.size(); ++i)
      if (!is_dns_label(term.namespaces[i]))
        refuse(item(field + ".namespaces", i), "is \"" + term.namespaces[i] + "\", must be a namespace's name");
    label_keys(term.match_label_keys, term.label_selector, field + ".matchLabelKeys");
    label_keys(term.mismatch_label_keys, term.label_selector, field + ".mismatchLabelKeys");
    for (size_t i = 0; i < term.mismatch_label_keys.size(); ++i)
      for (const std::string& other : term.match_label_keys)
        if (term.mismatch_label_keys[i] == other)
          refuse(item(field + ".mismatchLabelKeys", i), "stands in matchLabelKeys as well");
  }

  void label_keys(const std::vector<std::string>& keys, const std::optional<LabelSelector>& beside,
                  const std::string& field) {
    if (!keys.empty() && !beside) refuse(field, "means nothing without labelSelector, leave it out");
    for (size_t i = 0; i < keys.size(); ++i) key(keys[i], item(field, i));
  }

  void selector(const LabelSelector& selector, const std::string& field) {
    labels(selector.match_labels, field + ".matchLabels");
    for (size_t i = 0; i < selector.match_expressions.size(); ++i) {
      const LabelRequirement& one = selector.match_expressions[i];
      const std::string at = item(field + ".matchExpressions", i);
      key(one.key, at + ".key");
      const bool by_value = one.operator_ == LabelOperator::kIn || one.operator_ == LabelOperator::kNotIn;
      by_value ? some(one.values, at) : none(one.values, at);
      for (size_t v = 0; v < one.values.size(); ++v) value(one.values[v], item(at + ".values", v));
    }
  }

  void some(const std::vector<std::string>& values, const std::string& field) {
    if (values.empty()) refuse(field + ".values", "is required where operator is In or NotIn");
  }
  void none(const std::vector<std::string>& values, const std::string& field) {
    if (!values.empty())
      refuse(field + ".values", "means nothing where operator is Exists or DoesNotExist, leave it out");
  }
  void number(const std::vector<std::string>& values, const std::string& field) {
    int64_t parsed = 0;
    const std::string text = values.size() == 1 ? values.front() : "";
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), parsed);
    if (wrong != std::errc() || end != text.data() + text.size())
      refuse(field + ".values", "must be one integer where operator is Gt or Lt");
  }

  Errors& errors_;
};

}  // namespace

void check_placement(const PlacementSpec& placement, const PlacementField& field, Errors& errors) {
  PlacementCheck check(errors);
  if (!placement.node_selector.empty()) check.labels(placement.node_selector, field("nodeSelector") + ".nodeSelector");
  if (!placement.affinity.is_null()) {
    const std::string at = field("affinity") + ".affinity";
    if (const auto affinity = check.read(parse_affinity(placement.affinity), at)) check.affinity(*affinity, at);
  }
  for (size_t i = 0; i < placement.tolerations.size(); ++i) {
    const std::string at = item(field("tolerations") + ".tolerations", i);
    if (const auto one = check.read(parse_toleration(placement.tolerations[i]), at)) check.toleration(*one, at);
  }
  std::set<std::pair<std::string, WhenUnsatisfiable>> seen;
  for (size_t i = 0; i < placement.topology_spread_constraints.size(); ++i) {
    const std::string at = item(field("topologySpreadConstraints") + ".topologySpreadConstraints", i);
    const auto one = check.read(parse_topology_spread(placement.topology_spread_constraints[i]), at);
    if (!one) continue;
    check.spread(*one, at);
    if (!seen.emplace(one->topology_key, one->when_unsatisfiable).second)
      check.refuse(at, "topologyKey and whenUnsatisfiable stand there twice");
  }
}

}  // namespace twinspan::api
