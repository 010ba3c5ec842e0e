# `make demo` and `make test` do all their set-up on a fresh Debian machine; everything else is for daily work.
SHELL := /bin/bash
PYTHON ?= /usr/bin/python3
JOBS ?= $(shell nproc)
SUDO := $(shell [ $$(id -u) = 0 ] || echo sudo)
SEEDS ?= 30000
DOCKER ?= docker
VERSION := $(shell sed -n 's/^appVersion: //p' charts/twinspan/Chart.yaml)
KAFKA = $(filter kafka Kafka,$(ENGINE))
DEMO = $(if $(KAFKA),twinspan-kafka-worker,$(if $(filter s3 S3,$(ENGINE)),twinspan-demo-s3 twinspan-s3-worker,$(if $(BACKUP),twinspan-demo-backup,twinspan-demo)))
CACHE := $(HOME)/.cache/twinspan
PACKAGES := build-essential ca-certificates cmake ninja-build ccache clang-format-14 clang-19 pkg-config git \
  libcpp-httplib-dev libssl-dev zlib1g-dev libzstd-dev liblz4-dev libsnappy-dev libre2-dev libbrotli-dev nlohmann-json3-dev libyaml-cpp-dev libpugixml-dev libsimdjson-dev libspdlog-dev libfmt-dev \
  prometheus-cpp-dev libgtest-dev libgmock-dev libcli11-dev libpq-dev postgresql-15 postgresql-client-15 pgbackrest \
  python3 python3-yaml python3-pytest python3-psycopg2 jq curl openssl
JAVA := openjdk-17-jre-headless maven python3-pip
export CCACHE_SLOPPINESS := pch_defines,time_macros
export CCACHE_MAXSIZE := 5G
SOURCES = git ls-files '*.cpp' '*.hpp'

.PHONY: help deps packages build demo test format format-check unit simulation integration conformance sanitize fuzz chart-crds chart dist images arm64 kind-demo e2e bench bench-s3 bench-kafka bench-backup clean

help: ## this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

deps: ## install the Debian packages that are missing
	@missing=$$(for p in $(PACKAGES); do dpkg -s $$p 2>/dev/null | grep -q '^Status: install ok' || echo $$p; done); \
	if [ -n "$$missing" ]; then echo "installing" $$missing; $(SUDO) mkdir -p /etc/postgresql-common/createcluster.d; \
	  echo 'create_main_cluster = false' | $(SUDO) tee /etc/postgresql-common/createcluster.d/twinspan.conf >/dev/null; \
	  $(SUDO) apt-get update -qq && DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing >/dev/null; fi

packages: # their names, for tests/dockerfile.sh
	@echo $(PACKAGES)

build: deps ## the programs, optimised, into build/release/bin
	@cmake --preset release >/dev/null && ninja -C build/release -j $(JOBS)

demo: ## a real failover on this machine, without a cluster (ENGINE=s3: two buckets; ENGINE=kafka: topics between two real brokers; BACKUP=1: a dropped table comes back; KEEP=1 leaves it running)
	@$(MAKE) --no-print-directory deps
	@cmake --preset release >/dev/null && ninja -C build/release -j $(JOBS) twinspan-operator twinspan-worker twinspan-archive twinspan-sandbox-shim twinspan-sandbox $(DEMO)
	@$(if $(KAFKA),$(MAKE) --no-print-directory deps PACKAGES='$(JAVA)')
	@$(if $(KAFKA),sandbox/demo/kafka,build/release/bin/$(firstword $(DEMO))) $(if $(KEEP),--keep)

test: ## everything: format, build, locks, unit, simulation, integration, conformance, sanitizers, chart, real cluster
	@tests/all

format: deps ## format every C++ file
	@$(SOURCES) | xargs clang-format-14 -i

format-check: deps
	@$(SOURCES) | xargs clang-format-14 --dry-run --Werror

unit: build ## unit tests
	@ctest --test-dir build/release -L unit -j $(JOBS) --output-on-failure

simulation: build ## failover over SEEDS schedules
	@TWINSPAN_SEEDS=$(SEEDS) ctest --test-dir build/release -L simulation --output-on-failure

integration: build ## rooms together: real PostgreSQL, the sandbox, injected faults
	@ctest --test-dir build/release -L integration --output-on-failure

chart-crds: ## the chart's copies of crds/: a chart that is packed or fetched by Flux carries no link
	@mkdir -p charts/twinspan/files/crds && cp crds/*.yaml charts/twinspan/files/crds/

dist: ## dist/twinspan.yaml, the plain manifests (Helm: from PATH, or as e2e/cluster builds it)
	@PATH=$$PATH:$${CLUSTER_HOME:-$$HOME/.cache/clusters}/bin; helm template twinspan charts/twinspan --namespace twinspan --kube-version 1.34.4 --skip-tests | charts/manifests.py >dist/twinspan.yaml

images: ## both images, by DOCKER (docker); the worker's has PostgreSQL's release in a second tag (IMAGE_ARGS: more for the build)
	@for name in operator worker; do $(DOCKER) build --target $$name --build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) $(IMAGE_ARGS) \
	  -t twinspan-$$name:$(VERSION) . || exit 1; done
	@postgres=$$($(DOCKER) run --rm --entrypoint postgres twinspan-worker:$(VERSION) --version | cut -d' ' -f3) && [ -n "$$postgres" ] && \
	  $(DOCKER) tag twinspan-worker:$(VERSION) twinspan-worker:$(VERSION)-postgres$$postgres && echo "twinspan-worker:$(VERSION)-postgres$$postgres"

arm64: ## the programs for arm64, cross-compiled into build/arm64/bin, and their unit tests under QEMU
	@tests/arm64/run

kind-demo: ## a failover on a cluster of kind's (needs kind, Docker or Podman, kubectl and Helm)
	@e2e/kind-demo

e2e: build ## scenarios on a real cluster (E2E_KUBECONFIG: one of yours)
	@e2e/run

sanitize: deps ## unit, simulation and integration tests under both sanitizers, whole (an hour)
	@for preset in asan tsan; do cmake --preset $$preset >/dev/null && ninja -C build/$$preset -j $(JOBS) --quiet && \
	  TWINSPAN_SEEDS=2000 UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS='halt_on_error=1 suppressions=$(CURDIR)/tests/tsan.supp' ctest --test-dir build/$$preset \
	  -L 'unit|simulation|integration' --output-on-failure --no-tests=error || exit 1; done

fuzz: deps ## what peers may send to net/message, by libFuzzer for FOR seconds (60)
	@$(MAKE) --no-print-directory deps PACKAGES='clang-14 libclang-rt-14-dev'
	@tests/fuzz/run $(or $(FOR),60)

bench: build ## figures into bench/results, half an hour (etcd and kube-apiserver are built where missing)
	@bench/prepare
	@bench/run

bench-s3: build ## S3 syncs beside rclone and mc, figures into bench/results, half an hour (what is missing is built)
	@bench/prepare s3
	@bench/run s3

bench-kafka: build ## Kafka topics carried, beside MirrorMaker 2, figures into bench/results, an hour (brokers and MirrorMaker come by Maven where missing)
	@$(MAKE) --no-print-directory deps PACKAGES='$(JAVA)'
	@bench/prepare kafka
	@bench/run kafka

bench-backup: build ## backups, restores and log beside pgBackRest by hand, figures into bench/results, a quarter of an hour (MinIO is built where missing)
	@bench/prepare s3
	@bench/run backup

clean: ## remove what was built
	@rm -rf build
