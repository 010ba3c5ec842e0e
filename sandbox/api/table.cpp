#include "sandbox/api/table.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "sandbox/api/table_builtin.hpp"

namespace twinspan::sandbox {

std::string age_of(const std::string& timestamp, WallTime now) {
  const auto then = parse_rfc3339(timestamp);
  if (!then) return "<unknown>";
  const int64_t s = std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(now - *then).count());
  const int64_t m = s / 60, h = m / 60, d = h / 24, y = d / 365;
  const auto two = [](int64_t a, char unit_a, int64_t b, char unit_b) {
    return b ? fmt::format("{}{}{}{}", a, unit_a, b, unit_b) : fmt::format("{}{}", a, unit_a);
  };
  if (s < 120) return fmt::format("{}s", s);
  if (m < 10) return two(m, 'm', s % 60, 's');
  if (m < 180) return fmt::format("{}m", m);
  if (h < 8) return two(h, 'h', m % 60, 'm');
  if (h < 48) return fmt::format("{}h", h);
  if (h < 192) return two(d, 'd', h % 24, 'h');
  if (d < 730) return fmt::format("{}d", d);
  return y < 8 ? two(y, 'y', d % 365, 'd') : fmt::format("{}y", y);
}

namespace {

// Steps through one path; what doesn't exist drops out.
class PathWalk {
 public:
  PathWalk(const Json& object, std::string_view path) : path_(path) { at_.push_back(&object); }

  std::optional<std::vector<Json>> run() {
    if (path_.starts_with('{') && path_.ends_with('}')) path_ = path_.substr(1, path_.size() - 2);
    if (path_.starts_with('$')) path_.remove_prefix(1);
    while (!path_.empty()) {
      if (path_[0] == '.') {
        path_.remove_prefix(1);
        if (path_.starts_with('[') || path_.empty()) continue;
        field(name());
      } else if (path_[0] == '[') {
        const size_t end = closing();
        if (end == std::string_view::npos || !bracket(path_.substr(1, end - 1))) return std::nullopt;
        path_.remove_prefix(end + 1);
      } else {
        return std::nullopt;
      }
    }
    std::vector<Json> out;
    for (const Json* each : at_) out.push_back(*each);
    return out;
  }

 private:
  std::string name() {
    std::string out;
    while (!path_.empty() && path_[0] != '.' && path_[0] != '[') {
      if (path_[0] == '\\' && path_.size() > 1) path_.remove_prefix(1);
      out += path_[0];
      path_.remove_prefix(1);
    }
    return out;
  }
  size_t closing() const {
    char quote = 0;
    int depth = 0;
    for (size_t i = 0; i < path_.size(); ++i) {
      const char c = path_[i];
      if (quote)
        quote = c == quote ? 0 : quote;
      else if (c == '"' || c == '\'')
        quote = c;
      else if (c == '[')
        ++depth;
      else if (c == ']' && --depth == 0)
        return i;
    }
    return std::string_view::npos;
  }
  void field(const std::string& wanted) {
    std::vector<const Json*> next;
    for (const Json* each : at_) {
      if (wanted == "*") {
        if (each->is_structured())
          for (const Json& child : *each) next.push_back(&child);
      } else if (each->is_object() && each->contains(wanted)) {
        next.push_back(&(*each)[wanted]);
      }
    }
    at_ = std::move(next);
  }
  bool bracket(std::string_view inside) {
    if (inside.empty()) return false;
    if (inside == "*") {
      field("*");
      return true;
    }
    if (inside[0] == '"' || inside[0] == '\'') {
      field(std::string(inside.substr(1, inside.size() - 2)));
      return true;
    }
    if (inside.starts_with("?(") && inside.ends_with(")")) return filter(inside.substr(2, inside.size() - 3));
    char* end = nullptr;
    const std::string text(inside);
    const long index = std::strtol(text.c_str(), &end, 10);
    if (*end != '\0') return false;
    std::vector<const Json*> next;
    for (const Json* each : at_) {
      if (!each->is_array()) continue;
      const long size = static_cast<long>(each->size()), position = index < 0 ? index + size : index;
      if (position >= 0 && position < size) next.push_back(&(*each)[static_cast<size_t>(position)]);
    }
    at_ = std::move(next);
    return true;
  }
  bool filter(std::string_view condition) {
    static constexpr std::string_view kOperators[] = {"==", "!="};
    for (const auto op : kOperators) {
      const size_t at = condition.find(op);
      if (at == std::string_view::npos) continue;
      const auto trim = [](std::string_view text) {
        while (text.starts_with(' ')) text.remove_prefix(1);
        while (text.ends_with(' ')) text.remove_suffix(1);
        return text;
      };
      const std::string_view left = trim(condition.substr(0, at));
      std::string_view right = trim(condition.substr(at + op.size()));
      if (!left.starts_with('@') || right.empty()) return false;
      const Json wanted = right[0] == '\'' || right[0] == '"' ? Json(std::string(right.substr(1, right.size() - 2)))
                                                              : Json::parse(right, nullptr, false);
      std::vector<const Json*> next;
      for (const Json* each : at_) {
        if (!each->is_array()) continue;
        for (const Json& item : *each) {
          const auto found = PathWalk(item, left.substr(1)).run();
          const bool equal = found && !found->empty() && found->front() == wanted;
          if (equal == (op == "==")) next.push_back(&item);
        }
      }
      at_ = std::move(next);
      return true;
    }
    return false;
  }

  std::string_view path_;
  std::vector<const Json*> at_;
};

Json custom_cell(const PrinterColumn& column, const Json& object, WallTime now) {
  const auto found = json_path(object, column.json_path);
  if (!found || found->empty()) return nullptr;
  const Json& value = found->front();
  if (value.is_null()) return nullptr;
  if (column.type == "date") return value.is_string() ? Json(age_of(value, now)) : Json("<unknown>");
  if (column.type == "string") {
    if (found->size() == 1) return value.is_string() ? value : Json(value.dump());
    std::string joined;
    for (const Json& each : *found)
      joined += (joined.empty() ? "" : ",") + (each.is_string() ? each.get<std::string>() : each.dump());
    return joined;
  }
  const bool fits = column.type == "integer"   ? value.is_number()
                    : column.type == "number"  ? value.is_number()
                    : column.type == "boolean" ? value.is_boolean()
                                               : true;
  return fits ? value : Json();
}

}  // namespace

std::optional<std::vector<Json>> json_path(const Json& object, std::string_view path) {
  return PathWalk(object, path).run();
}

Json partial_metadata(const Json& object) {
  return {{"apiVersion", "meta.k8s.io/v1"},
          {"kind", "PartialObjectMetadata"},
          {"metadata", object.value("metadata", Json::object())}};
}

Json make_table(const Kind& kind, const std::vector<const Json*>& objects, Json metadata, const TableOptions& options,
                WallTime now) {
  Json columns = Json::array();
  const auto define = [&](const std::string& name, const std::string& type, const std::string& format,
                          const std::string& description, int priority) {
    columns.push_back(
        {{"name", name}, {"type", type}, {"format", format}, {"description", description}, {"priority", priority}});
  };
  define("Name", "string", "name", "Name must be unique within a namespace.", 0);
  const BuiltinTable* built_in = kind.custom ? nullptr : builtin_table(kind.plural);
  if (built_in) {
    for (const BuiltinColumn& column : built_in->columns) define(column.name, column.type, "", "", column.wide ? 1 : 0);
  } else if (kind.custom) {
    for (const PrinterColumn& column : kind.columns)
      define(column.name, column.type == "date" ? "date" : column.type, column.format, column.description,
             column.priority);
  } else {
    define("Age", "string", "", "", 0);
  }
  Json rows = Json::array();
  for (const Json* object : objects) {
    Json cells = Json::array({(*object)["metadata"].value("name", "")});
    if (built_in) {
      for (Json& cell : built_in->cells(*object, now)) cells.push_back(std::move(cell));
    } else if (kind.custom) {
      for (const PrinterColumn& column : kind.columns) cells.push_back(custom_cell(column, *object, now));
    } else {
      cells.push_back(age_of((*object)["metadata"].value("creationTimestamp", ""), now));
    }
    rows.push_back(
        {{"cells", std::move(cells)}, {"object", options.whole_objects ? *object : partial_metadata(*object)}});
  }
  return {{"kind", "Table"},
          {"apiVersion", "meta.k8s.io/v1"},
          {"metadata", std::move(metadata)},
          {"columnDefinitions", options.headers ? columns : Json()},
          {"rows", std::move(rows)}};
}

}  // namespace twinspan::sandbox
