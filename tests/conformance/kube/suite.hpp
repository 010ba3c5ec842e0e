// What every test of this suite starts from: a client, a namespace of its own, and words for the objects in use.
//
// The same assertions run against a real kube-apiserver and against the sandbox. The API server is the one KUBECONFIG
// names.
#pragma once
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "core/clock.hpp"
#include "kube/client.hpp"

namespace twinspan::kube::conformance {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr Resource kWidgets{"conformance.twinspan.dev", "v1", "widgets", "Widget"};

// Polls until `done` or the limit has passed.
template <class F>
bool eventually(F done, seconds limit = seconds(60)) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (std::chrono::steady_clock::now() < until) {
    if (done()) return true;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return done();
}

template <class T>
testing::AssertionResult ok(const Result<T>& result) {
  if (result) return testing::AssertionSuccess();
  return testing::AssertionFailure() << to_string(result.error().code) << ": " << result.error().message;
}
template <class T>
testing::AssertionResult refused(const Result<T>& result, Code code, std::string_view mentioned = {}) {
  if (result) return testing::AssertionFailure() << "was accepted";
  if (result.error().code != code || result.error().message.find(mentioned) == std::string::npos)
    return testing::AssertionFailure() << to_string(result.error().code) << ": " << result.error().message;
  return testing::AssertionSuccess();
}

class Suite : public testing::Test {
 protected:
  static Client make_client();

  void SetUp() override;
  void TearDown() override;

  Key key(const std::string& name) const { return {ns, name}; }
  Json config_map(const std::string& name, Json data = Json::object()) const;
  Json widget(const std::string& name, Json spec) const;
  Json lease(const std::string& name, const std::string& holder) const;
  std::string version(const Resource& resource, const std::string& name);
  // The keys' names, in order, with duplicates.
  std::vector<std::string> names(const Resource& resource, const ListOptions& options);

  Client client = make_client();
  std::string ns;  // new for each test
};

// Installs the Widget definition once for the process and waits until it is served.
class WidgetSuite : public Suite {
 protected:
  void SetUp() override;
};

}  // namespace twinspan::kube::conformance
