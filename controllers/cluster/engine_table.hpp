// One row for each engine, filled in operator/engines.cpp: there alone, and in validation's own table, engines are told
// apart.
#pragma once
#include <map>
#include <memory>

#include "api/types.hpp"

namespace twinspan::controllers {

template <class Row>
class EngineTable {
 public:
  void set(api::Engine engine, std::unique_ptr<Row> row) { rows_[engine] = std::move(row); }
  Row* find(api::Engine engine) const {  // nullptr: this version has nothing for it
    const auto found = rows_.find(engine);
    return found == rows_.end() ? nullptr : found->second.get();
  }
  template <class Each>
  void for_each(Each each) const {
    for (const auto& [engine, row] : rows_) each(*row);
  }

 private:
  std::map<api::Engine, std::unique_ptr<Row>> rows_;
};

}  // namespace twinspan::controllers
