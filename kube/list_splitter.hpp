// A list's answer taken apart while it arrives, so that never more than one object is held as text and as JSON.
#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "core/json.hpp"
#include "core/result.hpp"
#include "kube/object.hpp"

namespace twinspan::kube {

class ListSplitter {
 public:
  // `known`: as ListOptions has it.
  explicit ListSplitter(std::function<void(Json&&)> each, std::function<bool(const ObjectHead&)> known = {})
      : each_(std::move(each)), known_(std::move(known)) {}
  // False where the text is no list; status() tells why.
  bool push(std::string_view chunk);
  // After the end: the list without its items ({"kind", "metadata", …}).
  Result<Json> finish() const;
  size_t items() const { return items_; }

 private:
  bool take(char c);
  size_t end_inside(std::string_view text);
  bool item_complete();

  std::function<void(Json&&)> each_;
  std::function<bool(const ObjectHead&)> known_;
  std::string shell_;  // everything outside of `items`
  std::string item_;
  std::string key_;  // the last string at depth 1
  int depth_ = 0;
  size_t items_ = 0;
  bool in_string_ = false, escaped_ = false;
  bool in_items_ = false;  // inside the array called "items" of the outermost object
  bool bad_ = false;
};

}  // namespace twinspan::kube
