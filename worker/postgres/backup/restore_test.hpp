// A backup and all log after it, restored and asked, in a pod of its own: PostgreSQL runs on what the repository holds,
// and nothing of the link is reached. What is restored here is thrown away whatever comes of it.
#pragma once
#include <stop_token>
#include <string>

#include "contract/restore_test.hpp"
#include "core/clock.hpp"
#include "engines/postgres/children.hpp"
#include "engines/postgres/layout.hpp"
#include "worker/postgres/backup/repository_access.hpp"

namespace twinspan::worker {

struct RestoreTestNeeds {
  postgres::Children& children;
  const postgres::Layout& layout;  // an empty data directory
  const RepositoryAccess& access;
  const Clock& clock;
};

// Ends with an answer, whatever happens. Seconds are counted from the call.
RestoreTestResult test_restore(const RestoreTestNeeds& needs, const RestoreTestOrder& order,
                               const std::stop_token& stop);

// `twinspan-worker restore-test …`, in place of the agent. The exit code: 0 passed.
int restore_test_main(int argc, char** argv);

}  // namespace twinspan::worker
