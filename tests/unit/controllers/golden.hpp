// Rendered objects against what is kept in tests/golden.
#pragma once
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "core/json.hpp"
#include "tests/places.hpp"

namespace twinspan::controllers::testing {

// The rendered text against tests/golden/NAME.json; TWINSPAN_UPDATE_GOLDEN=1 writes it anew.
inline void expect_golden(const std::string& name, const Json& rendered) {
  const std::string path = test::in_source("/tests/golden/") + name + ".json";
  const std::string text = rendered.dump(2) + "\n";
  if (std::getenv("TWINSPAN_UPDATE_GOLDEN")) std::ofstream(path) << text;
  std::stringstream golden;
  golden << std::ifstream(path).rdbuf();
  EXPECT_EQ(golden.str(), text) << "differs from " << path << "; if that is meant: TWINSPAN_UPDATE_GOLDEN=1";
}

}  // namespace twinspan::controllers::testing
