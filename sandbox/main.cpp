// twinspan-sandbox: the embedded Kubernetes API as a program. For trying out and testing only.
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>

#include "core/log.hpp"
#include "sandbox/api_server.hpp"

int main(int argc, char** argv) {
  twinspan::sandbox::ApiOptions options;
  std::string kubeconfig_out, crds;
  bool plain = false;
  CLI::App app(
      "An embedded Kubernetes API, for trying out and testing only: everything is in memory and gone when it ends.");
  app.add_option("--address", options.address, "address to listen on")->capture_default_str();
  app.add_option("--port", options.port, "port to listen on; 0: any free one")->capture_default_str();
  app.add_option("--kubeconfig-out", kubeconfig_out, "file to write the administrator's kubeconfig to");
  app.add_option("--crds", crds, "folder of CustomResourceDefinitions (*.yaml) to install at start");
  app.add_flag("--plain", plain, "plain HTTP without authentication, for tests");
  CLI11_PARSE(app, argc, argv);
  options.tls = !plain;

  sigset_t ending;  // before any thread starts, so that all of them inherit it
  sigemptyset(&ending);
  sigaddset(&ending, SIGINT);
  sigaddset(&ending, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  signal(SIGPIPE, SIG_IGN);

  twinspan::log::configure(twinspan::log::Level::kInfo, {{"component", "sandbox"}});
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
  int signal_number = 0;
  sigwait(&ending, &signal_number);
  server.stop();
  return 0;
}
