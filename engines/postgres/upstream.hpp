// Questions to another member, over its replication protocol.
#pragma once
#include <chrono>
#include <stop_token>
#include <string>

#include "core/result.hpp"
#include "engines/postgres/conninfo.hpp"
#include "engines/postgres/layout.hpp"
#include "engines/postgres/sql.hpp"
#include "engines/postgres/timeline.hpp"

namespace twinspan::postgres {

// IDENTIFY_SYSTEM and TIMELINE_HISTORY: its system id, timeline, history and the end of its log.
Result<Ancestry> ask_ancestry(const Layout& layout, const Upstream& upstream, const std::string& endpoint,
                              std::chrono::milliseconds timeout, const std::stop_token& stop = {});

// The slot that `endpoint` streams from, made where it is missing, WAL reserved from now on.
Status ensure_slot_at(const Layout& layout, const Upstream& upstream, const std::string& endpoint,
                      std::chrono::milliseconds timeout, const std::stop_token& stop = {});

// What `upstream` still has of its log, and how large its databases are.
struct LogKept {
  Position oldest;
  uint64_t segment_bytes = 0;
  uint64_t data_bytes = 0;
};
Result<LogKept> ask_log_kept(const Layout& layout, const Upstream& upstream, const std::string& endpoint,
                             std::chrono::milliseconds timeout, const std::stop_token& stop = {});
// Whether a replica whose log ends at `received` can get what comes next from there: it asks for whole segments.
bool has_log_after(const LogKept& kept, Position received);

// A session at `primary` that nobody else has while it is open: only one replica at a time gives up what it has.
// kUnavailable while another does.
Result<Session> reserve_repair(const Layout& layout, const Upstream& primary, const std::string& endpoint,
                               std::chrono::milliseconds timeout, const std::stop_token& stop = {});

// Until its control file shows the timeline it is on, pg_rewind would take it for what it was before it was promoted
// (pg_rewind's documentation, "Warnings"): asks for a CHECKPOINT where needed and waits for it.
Status settle_for_rewind(const Layout& layout, const Upstream& upstream, const std::string& endpoint,
                         const std::stop_token& stop = {});

// Where the other member's data and socket are, as its own machine names them.
struct Place {
  std::string pgdata, socket_directory;
  int port = 0;
};
Result<Place> ask_place(const Layout& layout, const Upstream& upstream, const std::string& endpoint,
                        std::chrono::milliseconds timeout, const std::stop_token& stop = {});
// Of postmaster.pid (PostgreSQL's miscadmin.h, LOCK_FILE_LINE_…). kInvalid: a line is missing.
Result<Place> place_in(const std::string& postmaster_pid);

}  // namespace twinspan::postgres
