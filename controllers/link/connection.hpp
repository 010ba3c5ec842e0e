// What clients connect with, as keys of the owner's Secret beside username and password. Pure.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "controllers/cluster/kinds.hpp"

namespace twinspan::controllers {

struct ConnectionFacts {
  std::string ns;
  std::string service;  // that selects the primary; empty: no policy names one
  int64_t port = 5432;
  std::string database;
  std::string ca_pem;  // empty: not made yet
};

// host, port, dbname, uri, jdbc-uri, pgpass and ca.crt, as far as they are known. Formats: PostgreSQL 15, "Connection
// URIs" and "The Password File"; the PgJDBC documentation, "Connecting to the Database".
std::map<std::string, std::string> connection_keys(const Connection& there, const ConnectionFacts& facts);

// The merge patch that brings the Secret up to date; its version is the precondition. A key is ours that was absent
// when it was first written: those the annotation twinspan.dev/connection names. Every other key is left as it is.
// nullopt: nothing to do.
std::optional<Json> connection_patch(const Secret& there, const ConnectionFacts& facts);

}  // namespace twinspan::controllers
