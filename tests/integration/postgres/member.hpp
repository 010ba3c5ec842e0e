// One PostgreSQL instance under test, with the certificates of its link.
#pragma once
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engines/postgres/admin.hpp"
#include "engines/postgres/children.hpp"
#include "engines/postgres/clone.hpp"
#include "engines/postgres/configure.hpp"
#include "engines/postgres/data.hpp"
#include "engines/postgres/observe.hpp"
#include "engines/postgres/postmaster.hpp"
#include "engines/postgres/promote.hpp"
#include "engines/postgres/rewind.hpp"
#include "engines/postgres/slots.hpp"
#include "engines/postgres/statistics.hpp"
#include "engines/postgres/upstream.hpp"
#include "pki/certificate.hpp"

namespace twinspan::postgres::testing {

inline constexpr const char* kBinDir = "/usr/lib/postgresql/15/bin";

// For what ends by itself where all is well: on a busy machine it may take long, and that is no failure.
inline constexpr std::chrono::seconds kPatience{60};

// Of 160 MiB, made by main() where it may mount; empty where it may not.
std::string empty_small_disk();
// Polls until it holds or the time is over.
bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds time = kPatience);

#define ASSERT_OK(expression)                            \
  do {                                                   \
    const auto& asserted_ = (expression);                \
    ASSERT_TRUE(asserted_) << asserted_.error().message; \
  } while (false)

double milliseconds_since(std::chrono::steady_clock::time_point start);

// A directory of its own below the scratch of this run; gone with it.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct Authority {
  Authority();
  pki::KeyPair ca;
};

class Member {
 public:
  // `number` makes its address, 127.0.77.number.
  Member(Children& children, const Authority& authority, const std::string& root, std::string endpoint, int number);
  ~Member();

  Layout layout;
  Settings settings;
  std::unique_ptr<Postmaster> postmaster;

  Upstream as_upstream() const {
    return {settings.endpoint, "orders-" + settings.endpoint + "-0", settings.address, settings.port};
  }
  Status configure();
  Status start();  // configures, starts, waits until SQL answers
  Status wait_for_sql(std::chrono::milliseconds time = kPatience);
  Status reload();  // configures and signals
  Result<Rows> sql(const std::string& text, std::chrono::milliseconds time = kPatience);
  // The first value of the answer; where there is none, why: that equals no value which a test wants.
  std::string value(const std::string& text);
  Result<Observation> look();
  Observation seen();  // where it can't be looked at, the test has failed
  bool streams_from(Member& upstream);
  std::optional<Death> wait_for_death(std::chrono::milliseconds time = kPatience);
  std::string owner_conninfo(const std::string& user, const std::string& password, const std::string& database) const;

 private:
  Children& children_;
  std::mutex mutex_;
  std::condition_variable died_;
  std::optional<Death> death_;
};

}  // namespace twinspan::postgres::testing
