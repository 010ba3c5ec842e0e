// twinspan-sandbox: the embedded Kubernetes API as a program. For trying out and testing only.
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "core/log.hpp"
#include "sandbox/api/server.hpp"
#include "sandbox/runtime/logs.hpp"
#include "sandbox/runtime/network.hpp"

namespace {

// Pods as processes of this machine, for as long as the object lives.
std::unique_ptr<twinspan::sandbox::Runtime> start_runtime(twinspan::sandbox::ApiServer& server,
                                                          const std::string& pod_network, const std::string& state,
                                                          const std::vector<std::string>& images,
                                                          const twinspan::Clock& clock) {
  twinspan::sandbox::RuntimeOptions options;
  options.api = server.config();
  options.state = state;
  options.pod_network = pod_network;
  for (const std::string& image : images)
    if (const size_t equals = image.find('='); equals != std::string::npos)
      options.images.push_back({image.substr(0, equals), image.substr(equals + 1)});
  options.images.push_back(
      {"*twinspan-worker*", (twinspan::sandbox::default_shim().parent_path() / "twinspan-worker").string()});
  options.images.push_back(
      {"*twinspan-operator*", (twinspan::sandbox::default_shim().parent_path() / "twinspan-s3-worker").string()});
  auto runtime = std::make_unique<twinspan::sandbox::Runtime>(options, clock);
  server.handle_pods([&runtime = *runtime](const twinspan::sandbox::PodCall& call) {
    if (call.action == "log") return answer_log(runtime, call);
    twinspan::net::OutgoingResponse out;
    out.status = 501;
    return out;
  });
  if (auto started = runtime->start(); !started) {
    twinspan::log::error("the process runtime can't start", {{"error", started.error().message}});
    return nullptr;
  }
  return runtime;
}

}  // namespace

int main(int argc, char** argv) {
  twinspan::sandbox::ApiOptions options;
  std::string kubeconfig_out, crds;
  bool plain = false, with_runtime = false;
  std::string state;
  std::vector<std::string> images;
  CLI::App app(
      "An embedded Kubernetes API, for trying out and testing only: everything is in memory and gone when it ends.");
  app.add_option("--address", options.address, "address to listen on")->capture_default_str();
  app.add_option("--port", options.port, "port to listen on; 0: any free one")->capture_default_str();
  app.add_option("--kubeconfig-out", kubeconfig_out, "file to write the administrator's kubeconfig to");
  app.add_option("--crds", crds, "folder of CustomResourceDefinitions (*.yaml) to install at start");
  app.add_flag("--plain", plain, "plain HTTP without authentication, for tests");
  app.add_flag("--runtime", with_runtime, "run pods as processes of this machine, and Services as TCP forwarders");
  app.add_option("--state", state,
                 "folder for pods' volumes and logs, short, kept afterwards; default: a fresh one, removed at the end");
  app.add_option("--image", images,
                 "PATTERN=PROGRAM: the program that stands for images of that name; an image exec:/path always does");
  CLI11_PARSE(app, argc, argv);
  options.tls = !plain;

  sigset_t ending;  // before any thread starts, so that all of them inherit it
  sigemptyset(&ending);
  sigaddset(&ending, SIGINT);
  sigaddset(&ending, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  signal(SIGPIPE, SIG_IGN);

  twinspan::log::configure(twinspan::log::Level::kInfo, {{"component", "sandbox"}});
  const twinspan::SystemClock clock;
  std::optional<twinspan::sandbox::NetworkLane> lane;
  if (auto claimed = twinspan::sandbox::NetworkLane::claim(); claimed) {
    options.service_network = claimed->number();
    lane.emplace(std::move(*claimed));
  }
  twinspan::sandbox::ApiServer server(options);
  auto ready = server.start();
  if (ready && !crds.empty()) ready = server.install_crds(crds);
  if (!ready) {
    twinspan::log::error("the sandbox can't start", {{"error", ready.error().message}});
    return 1;
  }
  std::fprintf(stderr, "The sandbox API at %s is for trying out and testing only: nothing it holds outlives it.\n",
               server.url().c_str());
  if (!kubeconfig_out.empty()) {
    const std::string fresh =
        kubeconfig_out + ".new";  // renamed into place: who waits for the file never reads half of it
    std::ofstream(fresh) << server.kubeconfig();
    if (chmod(fresh.c_str(), 0600) != 0 || std::rename(fresh.c_str(), kubeconfig_out.c_str()) != 0) {
      twinspan::log::error("the kubeconfig can't be written", {{"file", kubeconfig_out}});
      return 1;
    }
  }
  std::unique_ptr<twinspan::sandbox::Runtime> runtime;
  const bool own_state = with_runtime && state.empty();
  if (own_state) {
    state = "/tmp/twinspan-XXXXXX";
    if (mkdtemp(state.data()) == nullptr) return 1;
  }
  if (with_runtime) runtime = start_runtime(server, lane ? lane->pod_network() : "", state, images, clock);
  int signal_number = 0;
  if (!with_runtime || runtime) sigwait(&ending, &signal_number);
  if (runtime) runtime->stop();
  server.stop();  // answers for logs with the runtime
  if (own_state) std::filesystem::remove_all(state);
  return with_runtime && !runtime ? 1 : 0;
}
