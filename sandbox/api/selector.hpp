// Label and field selectors as query parameters carry them.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/json.hpp"
#include "sandbox/api/catalog.hpp"
#include "sandbox/api/error.hpp"

namespace twinspan::sandbox {

// "a=b,c!=d,e in (f,g),h notin (i),j,!k"
class LabelSelector {
 public:
  static Answer<LabelSelector> parse(std::string_view text);
  bool matches(const Json& object) const;
  bool empty() const { return terms_.empty(); }

 private:
  enum class Op { kIn, kNotIn, kExists, kMissing, kGreater, kLess };
  struct Term {
    std::string key;
    Op op;
    std::vector<std::string> values;
  };
  std::vector<Term> terms_;
};

// "metadata.name=a,status.phase!=Running". A field that the kind can't be selected by is refused.
class FieldSelector {
 public:
  static Answer<FieldSelector> parse(std::string_view text, const Kind& kind);
  bool matches(const Json& object) const;
  bool empty() const { return terms_.empty(); }

 private:
  struct Term {
    std::string path, value;
    bool equal;
  };
  std::vector<Term> terms_;
};

}  // namespace twinspan::sandbox
