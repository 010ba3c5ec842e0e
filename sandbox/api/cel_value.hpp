// Values of CEL: what JSON holds, and quantities, durations and timestamps beside it.
#pragma once
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "core/json.hpp"

namespace twinspan::sandbox::cel {

struct EvaluationError {
  std::string message;
};

class Value {
 public:
  enum class Special { kNone, kQuantity, kDuration, kTimestamp };

  static Value of(Json json) {
    Value out;
    out.json_ = std::make_shared<const Json>(std::move(json));
    return out;
  }
  static Value borrowed(const Json& json) {  // must outlive the value
    Value out;
    out.json_ = std::shared_ptr<const Json>(std::shared_ptr<void>(), &json);
    return out;
  }
  static Value special(Special kind, long double amount) {  // quantity: plain number; duration, timestamp: seconds
    Value out = of(nullptr);
    out.kind_ = kind;
    out.amount_ = amount;
    return out;
  }
  Value child(const Json& part) const {
    Value out;
    out.json_ = std::shared_ptr<const Json>(json_, &part);
    return out;
  }

  Special kind() const { return kind_; }
  long double amount() const { return amount_; }
  const Json& json() const { return *json_; }
  bool plain() const { return kind_ == Special::kNone; }
  bool is_object() const { return plain() && json_->is_object(); }
  bool is_array() const { return plain() && json_->is_array(); }
  bool is_string() const { return plain() && json_->is_string(); }
  bool is_number() const { return plain() && json_->is_number(); }

  bool boolean() const {
    if (!plain() || !json_->is_boolean()) throw EvaluationError{"no such overload: expected bool"};
    return json_->get<bool>();
  }
  const std::string& string() const {
    if (!is_string()) throw EvaluationError{"no such overload: expected string"};
    return json_->get_ref<const std::string&>();
  }
  int64_t integer() const {
    if (!is_number() || json_->is_number_float()) throw EvaluationError{"no such overload: expected int"};
    return json_->get<int64_t>();
  }
  Json to_json() const {
    if (!plain()) throw EvaluationError{"a quantity, duration or timestamp can't be put into a list or map here"};
    return *json_;
  }

 private:
  std::shared_ptr<const Json> json_;
  Special kind_ = Special::kNone;
  long double amount_ = 0;
};

}  // namespace twinspan::sandbox::cel
