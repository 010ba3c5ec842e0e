#include "worker/postgres/parameter_keeper.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/json.hpp"
#include "core/log.hpp"
#include "engines/postgres/files.hpp"

namespace twinspan::worker {
namespace {

std::string file_in(const std::string& data_dir) { return data_dir + "/parameters.json"; }

}  // namespace

ParameterKeeper::ParameterKeeper(std::string data_dir) : data_dir_(std::move(data_dir)) { load(); }

// What can't be read is not known. Nothing but the way back depends on it.
void ParameterKeeper::load() {
  const auto text = postgres::read_file(file_in(data_dir_));
  if (!text) {
    if (text.error().code != Code::kNotFound)
      log::warn("the parameters PostgreSQL last ran well with can't be read", {{"error", text.error().message}});
    return;
  }
  const Json json = Json::parse(*text, nullptr, false);
  const Json& good = member_of(json, "good");
  if (!good.is_object()) {
    log::warn("the parameters PostgreSQL last ran well with can't be read", {{"path", file_in(data_dir_)}});
    return;
  }
  good_.emplace();
  for (const auto& [name, value] : good.items())
    if (value.is_string()) good_->emplace(name, value.get<std::string>());
}

const ParameterKeeper::Map& ParameterKeeper::choose(const Map& asked, const std::string& attempt) {
  asked_ = asked;
  attempt_ = attempt;
  if (given_up_ && (given_up_->asked != asked || given_up_->attempt != attempt)) given_up_.reset();
  if (!given_up_) chosen_ = asked;
  return chosen_;
}

void ParameterKeeper::give_up(const std::string& words, const Map& instead) {
  log::warn("PostgreSQL does not run with the parameters asked for, going back", {{"error", words}});
  given_up_ = GivenUp{asked_, attempt_, words};
  chosen_ = good_ ? *good_ : instead;
}

Status ParameterKeeper::proven() {
  if (!on_probation()) return {};
  const Json json = {{"good", chosen_}};
  if (auto wrote = postgres::replace_file(file_in(data_dir_), json.dump() + "\n", 0600); !wrote)
    return std::unexpected(wrote.error());
  if (auto synced = postgres::sync_directory(data_dir_); !synced) return synced;
  good_ = chosen_;
  return {};
}

}  // namespace twinspan::worker
