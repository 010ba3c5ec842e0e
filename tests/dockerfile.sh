#!/bin/bash
# The Dockerfile without building images: every COPY finds what it names behind .dockerignore; what the build stage copies is enough to
# configure and to name every source file of its programs; and it installs every library that the Makefile does.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
stage=$(sed -n '/ AS build$/,/^FROM scratch/p' Dockerfile)
failed=0

tests/docker_context.py check || failed=1
tests/docker_context.py copy "$work"
# What the worker runs of PostgreSQL is in its image.
for program in $(grep -rhoE 'program\("[a-z_]+"\)' worker engines --include='*.cpp' | grep -oE '"[a-z_]+"' | tr -d '"' | sort -u); do
  sed -n '/for name in postgres/,/done/p' Dockerfile | grep -qw -e "$program" || { echo "FAILED: the worker runs $program, which is not in its image"; failed=1; }
done
programs=$(grep -o 'target \(twinspan-[a-z0-9-]* *\)*' <<<"$stage" | cut -d' ' -f2-)
[ -n "$programs" ] || { echo "FAILED: no programs found in the Dockerfile's build stage"; exit 1; }
# shellcheck disable=SC2086
{ cmake -S "$work" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DTWINSPAN_TESTS=OFF && ninja -C "$work/build" -n $programs; } >"$work/log" 2>&1 ||
  { tail -20 "$work/log"; echo "FAILED: what the Dockerfile copies can't be built"; failed=1; }

# Only tests need these.
for package in $(make -s --no-print-directory packages | tr ' ' '\n' | grep -e '-dev$' | grep -v -e '^libgtest' -e '^libgmock' -e '^libcpp-httplib' -e '^libbrotli'); do
  grep -qw -e "$package" <<<"$stage" || { echo "FAILED: the Dockerfile's build stage doesn't install $package"; failed=1; }
done
# The tag of a base is somebody else's to move, and a label that says another version than the chart misleads.
grep -q '^ARG DEBIAN=.*@sha256:[0-9a-f]\{64\}$' Dockerfile || { echo "FAILED: the Dockerfile's base has no digest"; failed=1; }
if grep '^FROM' Dockerfile | grep -vE '^FROM (scratch|\$\{DEBIAN\}|\$\{BINARIES\}|debian|postgres-root) AS '; then echo "FAILED: these start from something else than the pinned base"; failed=1; fi
# One Dockerfile for every architecture.
if grep -nE 'amd64|x86.64|aarch64|arm64' Dockerfile; then echo "FAILED: the Dockerfile names an architecture"; failed=1; fi
[ "$(sed -n 's/^ARG VERSION=//p' Dockerfile)" = "$(sed -n 's/^appVersion: //p' charts/twinspan/Chart.yaml)" ] || { echo "FAILED: the Dockerfile's VERSION is not the chart's appVersion"; failed=1; }
tests/docs_commands.py || failed=1
exit "$failed"
