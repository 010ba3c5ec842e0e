// The agent's side of the socket: one file at a time, as PostgreSQL's archiver asks.
#pragma once
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "core/result.hpp"
#include "core/role_thread.hpp"
#include "engines/postgres/archive/request.hpp"

namespace twinspan::postgres {

class StoreListener {
 public:
  // Answers for one file, however long that takes; nullopt once nobody asks any more (`gone`) or `stop` is set.
  using Store = std::function<std::optional<StoreAnswer>(const std::string& file, const std::function<bool()>& gone,
                                                         const std::stop_token& stop)>;
  StoreListener(std::string socket_path, Store store);
  ~StoreListener();
  Status start();
  void stop();

 private:
  void run(const std::stop_token& stop);

  const std::string path_;
  const Store store_;
  int listening_ = -1;
  RoleThread thread_{"archive"};
};

}  // namespace twinspan::postgres
