// The link of a worker whose spec is all that it goes by (S3, Kafka): how it is watched, and when it may be obeyed.
#pragma once
#include "api/types.hpp"
#include "kube/reflector.hpp"
#include "worker/pod_options.hpp"
#include "worker/servers.hpp"

namespace twinspan::worker {

// One object by name, as the worker's Role allows it.
kube::ReflectorOptions only(const kube::Key& key);

// With the spec that was accepted in place of the newest one, where one was.
Result<api::ReplicationLink> read_obeyed(const Json& json);

// The operator judges, once and for everybody. An older one accepts nothing: then each worker judges by itself.
bool may_be_obeyed(const api::ReplicationLink& link);

// `tls_dir` has tls.crt, tls.key and ca.crt.
ServersConfig servers_config(const PodOptions& options, const std::string& tls_dir);

}  // namespace twinspan::worker
