#include "sandbox/runtime/logs.hpp"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "core/wait.hpp"

namespace twinspan::sandbox {
namespace {

std::string parameter(const PodCall& call, const std::string& name) {
  const auto found = call.http.query.find(name);
  return found == call.http.query.end() ? "" : found->second;
}

net::OutgoingResponse refusal(int code, const std::string& reason, const std::string& message) {
  net::OutgoingResponse out;
  out.status = code;
  out.body = Json{{"kind", "Status"},    {"apiVersion", "v1"}, {"metadata", Json::object()},
                  {"status", "Failure"}, {"message", message}, {"reason", reason},
                  {"code", code}}
                 .dump();
  return out;
}

std::string read_from(const std::filesystem::path& path, uint64_t offset) {
  std::ifstream file(path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(offset));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

std::string_view last_lines(std::string_view text, long count) {
  if (count < 0) return text;
  size_t begin = text.size();
  if (begin > 0 && text.back() == '\n') --begin;
  for (long line = 0; line < count; ++line) {
    const size_t before = begin == 0 ? std::string_view::npos : text.rfind('\n', begin - 1);
    if (before == std::string_view::npos) return text;
    begin = before;
  }
  return count == 0 ? std::string_view() : text.substr(begin + 1);
}

net::OutgoingResponse answer_log(const Runtime& runtime, const PodCall& call) {
  const auto file =
      runtime.log_file({call.ns, call.name}, parameter(call, "container"), parameter(call, "previous") == "true");
  if (!file)
    return refusal(file.error().code == Code::kNotFound ? 404 : 400,
                   file.error().code == Code::kNotFound ? "NotFound" : "BadRequest", file.error().message);
  const std::string tail = parameter(call, "tailLines"), limit = parameter(call, "limitBytes");
  const std::string all = read_from(*file, 0);
  std::string text(last_lines(all, tail.empty() ? -1 : std::atol(tail.c_str())));
  if (!limit.empty()) text.resize(std::min<size_t>(text.size(), std::strtoul(limit.c_str(), nullptr, 10)));
  net::OutgoingResponse out;
  out.content_type = "text/plain";
  if (parameter(call, "follow") != "true") {
    out.body = std::move(text);
    return out;
  }
  out.stream = [path = *file, pending = std::move(text), offset = static_cast<uint64_t>(all.size())](
                   const auto& write, const std::stop_token& stop) mutable {
    constexpr std::chrono::milliseconds kLook{200};
    if (!pending.empty() && !write(pending)) return false;
    pending = read_from(path, offset);
    offset += pending.size();
    if (pending.empty() && !wait_for(kLook, stop)) return false;
    std::error_code error;
    return std::filesystem::exists(path, error);  // the pod's folder goes with the pod
  };
  return out;
}

}  // namespace twinspan::sandbox
