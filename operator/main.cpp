#include <malloc.h>

#include <cstdio>

#include "core/clock.hpp"
#include "core/log.hpp"
#include "core/signals.hpp"
#include "kube/config.hpp"
#include "operator/operator.hpp"
#include "operator/options.hpp"

int main(int argc, char** argv) {
  const auto options = twinspan::parse_options(argc, argv);
  if (!options) {
    std::fputs(options.error().text.c_str(), options.error().code == 0 ? stdout : stderr);
    return options.error().code == 0 ? 0 : 2;
  }
  twinspan::log::configure(options->log_level, {{"component", "operator"}});
  // Each arena keeps what lists of objects once needed; with one per thread that is most of the process's memory.
  mallopt(M_ARENA_MAX, 2);
  const twinspan::Signals signals(std::chrono::seconds(30));
  auto config = options->kubeconfig.empty() ? twinspan::kube::default_config()
                                            : twinspan::kube::kubeconfig(options->kubeconfig, "");
  if (!config) {
    twinspan::log::error("no Kubernetes API to talk to", {{"error", config.error().message}});
    return 1;
  }
  config->user_agent = "twinspan-operator";
  const twinspan::SystemClock clock;
  return twinspan::run_operator(*options, std::move(*config), clock, signals.stop_token());
}
