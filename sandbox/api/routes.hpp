// HTTP to registry: who calls, what the path means, and the answer in the form asked for.
#pragma once
#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "net/http.hpp"
#include "sandbox/api/access.hpp"
#include "sandbox/api/faults.hpp"
#include "sandbox/api/registry.hpp"
#include "sandbox/api/server.hpp"

namespace twinspan::sandbox {

// How the client wants objects: as they are, as rows of a table, or their metadata alone.
enum class Form { kObject, kTable, kMetadata };

// One request, understood.
struct ApiCall {
  const net::IncomingRequest* http = nullptr;
  User user;
  std::string verb;
  KindPtr kind;
  std::string ns, name, subresource;
  Form form = Form::kObject;
  bool include_whole_object = false;  // in table rows
  std::vector<std::string> warnings;

  std::string query(const std::string& parameter) const;
  bool flag(const std::string& parameter) const;
};

class Routes {
 public:
  Routes(const ApiOptions& options, Store& store, Catalog& catalog, Registry& registry, Access& access, Faults& faults);
  net::OutgoingResponse handle(const net::IncomingRequest& request);
  void handle_pods(PodHandler handler);

 private:
  std::optional<User> authenticate(const net::IncomingRequest& request) const;
  std::optional<net::OutgoingResponse> unstored(const net::IncomingRequest& request, const User& user);
  net::OutgoingResponse serve(ApiCall& call);
  net::OutgoingResponse faults_endpoint(const net::IncomingRequest& request);
  std::optional<net::OutgoingResponse> review(const net::IncomingRequest& request, const User& user);
  net::OutgoingResponse get(ApiCall& call);
  net::OutgoingResponse list(ApiCall& call);
  net::OutgoingResponse watch(ApiCall& call);
  net::OutgoingResponse create(ApiCall& call);
  net::OutgoingResponse update(ApiCall& call);
  net::OutgoingResponse patch(ApiCall& call);
  net::OutgoingResponse remove(ApiCall& call);
  net::OutgoingResponse remove_collection(ApiCall& call);
  net::OutgoingResponse pod_action(ApiCall& call);
  Answer<WriteOptions> write_options(ApiCall& call) const;

  const ApiOptions& options_;
  Store& store_;
  Catalog& catalog_;
  Registry& registry_;
  Access& access_;
  Faults& faults_;
  std::mutex pods_mutex_;
  PodHandler pods_;
};

net::OutgoingResponse answer(int status, const Json& body);
net::OutgoingResponse answer(const Refusal& refusal);
// One object in the form and version asked for.
Json shaped(const ApiCall& call, const Json& object);

}  // namespace twinspan::sandbox
