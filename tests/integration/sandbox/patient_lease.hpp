// Examples with a lease that is renewed in time on a busy machine, too. The usual one of five seconds is not: healthy
// primaries stop there, and epochs follow that no test counts on. For tests that measure no times.
#pragma once
#include <filesystem>
#include <fstream>

#include "core/file.hpp"
#include "sandbox/api/patch.hpp"
#include "sandbox/demo/cluster.hpp"

namespace twinspan::sandbox {

inline void make_patient(Json& document) {
  if (document.value("kind", "") == "FailoverPolicy")
    document["spec"]["lease"] = {{"durationSeconds", 15}, {"renewSeconds", 2}};
}

// As DemoCluster::apply_file.
inline Status apply_patiently(DemoCluster& cluster, const std::filesystem::path& path) {
  auto documents = parse_yaml_documents(read_file(path).value_or(""));
  if (!documents) return fail(Code::kInvalid, documents.error().message);
  const std::filesystem::path patient = cluster.state() / "patient.yaml";
  std::ofstream out(patient);
  for (Json& document : *documents) {
    make_patient(document);
    out << document.dump() << "\n---\n";
  }
  out.close();
  return cluster.apply_file(patient);
}

}  // namespace twinspan::sandbox
