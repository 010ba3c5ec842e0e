#include "sandbox/api/selector.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <regex>

namespace twinspan::sandbox {
namespace {

std::string trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

// At commas outside parentheses.
std::vector<std::string> split_terms(std::string_view text) {
  std::vector<std::string> out;
  size_t begin = 0;
  int depth = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] == '(') ++depth;
    if (i < text.size() && text[i] == ')') --depth;
    if (i == text.size() || (text[i] == ',' && depth == 0)) {
      out.push_back(trimmed(text.substr(begin, i - begin)));
      begin = i + 1;
    }
  }
  return out;
}

bool is_label_key(const std::string& key) {
  static const std::regex kKey("^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$");
  return std::regex_match(key, kKey);
}

bool is_label_value(const std::string& value) {
  static const std::regex kValue("^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$");
  return std::regex_match(value, kValue);
}

}  // namespace

Answer<LabelSelector> LabelSelector::parse(std::string_view text) {
  LabelSelector out;
  if (trimmed(text).empty()) return out;
  const auto refused = [&] { return bad_request(fmt::format("unable to parse requirement: found '{}'", text)); };
  for (const std::string& term : split_terms(text)) {
    Term parsed;
    if (term.empty()) return refused();
    static const std::regex kSet("^(\\S+)\\s+(in|notin)\\s*\\((.*)\\)$");
    std::smatch match;
    if (std::regex_match(term, match, kSet)) {
      parsed.key = match[1];
      parsed.op = match[2] == "in" ? Op::kIn : Op::kNotIn;
      for (const std::string& value : split_terms(match[3].str())) parsed.values.push_back(value);
    } else if (const size_t at = term.find_first_of("=<>"); at != std::string::npos) {
      const bool negated = at > 0 && term[at - 1] == '!';
      parsed.key = trimmed(std::string_view(term).substr(0, negated ? at - 1 : at));
      const size_t value = at + 1 < term.size() && term[at + 1] == '=' ? at + 2 : at + 1;
      parsed.values.push_back(trimmed(std::string_view(term).substr(value)));
      parsed.op = term[at] == '>' ? Op::kGreater : term[at] == '<' ? Op::kLess : negated ? Op::kNotIn : Op::kIn;
    } else {
      parsed.op = term[0] == '!' ? Op::kMissing : Op::kExists;
      parsed.key = trimmed(std::string_view(term).substr(term[0] == '!' ? 1 : 0));
    }
    if (!is_label_key(parsed.key)) return refused();
    for (const std::string& value : parsed.values)
      if (!is_label_value(value)) return refused();
    out.terms_.push_back(std::move(parsed));
  }
  return out;
}

bool LabelSelector::matches(const Json& object) const {
  if (terms_.empty()) return true;
  static const Json kNone = Json::object();
  const Json* labels = &kNone;
  if (const auto metadata = object.find("metadata"); metadata != object.end())
    if (const auto found = metadata->find("labels"); found != metadata->end() && found->is_object()) labels = &*found;
  for (const Term& term : terms_) {
    const auto label = labels->find(term.key);
    const bool present = label != labels->end() && label->is_string();
    const bool listed = present && std::find(term.values.begin(), term.values.end(),
                                             label->get_ref<const std::string&>()) != term.values.end();
    const auto number = [](const std::string& text) { return std::strtoll(text.c_str(), nullptr, 10); };
    bool holds = false;
    switch (term.op) {
      case Op::kIn: holds = listed; break;
      case Op::kNotIn: holds = !listed; break;
      case Op::kExists: holds = present; break;
      case Op::kMissing: holds = !present; break;
      case Op::kGreater: holds = present && number(*label) > number(term.values[0]); break;
      case Op::kLess: holds = present && number(*label) < number(term.values[0]); break;
    }
    if (!holds) return false;
  }
  return true;
}

Answer<FieldSelector> FieldSelector::parse(std::string_view text, const Kind& kind) {
  static const std::map<std::string, std::set<std::string>> kFields = {
      {"pods",
       {"spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
        "status.phase", "status.podIP", "status.nominatedNodeName"}},
      {"events",
       {"involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
        "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
        "reportingComponent", "source", "type"}},
      {"namespaces", {"status.phase"}},
      {"nodes", {"spec.unschedulable"}},
      {"secrets", {"type"}},
      {"services", {"spec.clusterIP", "spec.type"}},
  };
  FieldSelector out;
  if (trimmed(text).empty()) return out;
  for (const std::string& term : split_terms(text)) {
    const size_t at = term.find('=');
    if (at == std::string::npos || at == 0)
      return bad_request(fmt::format("invalid selector: '{}'; can't understand '{}'", text, term));
    Term parsed;
    parsed.equal = term[at - 1] != '!';
    parsed.path = trimmed(std::string_view(term).substr(0, parsed.equal ? at : at - 1));
    parsed.value = trimmed(std::string_view(term).substr(at + (at + 1 < term.size() && term[at + 1] == '=' ? 2 : 1)));
    const auto fields = kind.custom ? kFields.end() : kFields.find(kind.plural);
    const bool known = parsed.path == "metadata.name" || (parsed.path == "metadata.namespace" && kind.namespaced) ||
                       (fields != kFields.end() && fields->second.contains(parsed.path)) ||
                       std::find(kind.selectable_fields.begin(), kind.selectable_fields.end(), parsed.path) !=
                           kind.selectable_fields.end();
    if (!known)
      return bad_request(fmt::format(
          "Unable to find \"{}\" that match label selector \"\", field selector \"{}\": field label not supported: {}",
          kind.resource().qualified(), text, parsed.path));
    out.terms_.push_back(std::move(parsed));
  }
  return out;
}

bool FieldSelector::matches(const Json& object) const {
  for (const Term& term : terms_) {
    const Json* at = &object;
    std::string_view rest = term.path;
    while (at && !rest.empty()) {
      const size_t dot = rest.find('.');
      const auto found = at->is_object() ? at->find(std::string(rest.substr(0, dot))) : at->end();
      at = at->is_object() && found != at->end() ? &*found : nullptr;
      rest = dot == std::string_view::npos ? "" : rest.substr(dot + 1);
    }
    const std::string have = !at || at->is_null() ? "" : at->is_string() ? at->get<std::string>() : at->dump();
    if ((have == term.value) != term.equal) return false;
  }
  return true;
}

}  // namespace twinspan::sandbox
