// Finding and ending the processes of one instance. A postmaster that is killed leaves backends that go on committing
// until they next look around; only when all are gone is the instance dead.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace twinspan::postgres {

// Every live process that runs in `pgdata` (postmaster, backends, single-user recovery: all of them chdir there),
// whoever its parent is now; and `parents` themselves with their children, as far as they are named postgres. Zombies
// are not counted: they hold nothing any more.
std::vector<pid_t> server_processes(const std::string& pgdata, const std::vector<pid_t>& parents);

// Whether a child of `postmaster` is receiving WAL, by the title PostgreSQL gives its processes: works where SQL does
// not.
bool has_wal_receiver(pid_t postmaster);

// SIGKILLs them until none is left. False where some outlived `time` (uninterruptible I/O). Uses no locks and waits for
// nobody.
bool kill_server_processes(const std::string& pgdata, const std::vector<pid_t>& parents,
                           std::chrono::milliseconds time);

}  // namespace twinspan::postgres
