# Two images from one file:
#   docker build --target operator -t twinspan-operator .
#   docker build --target worker   -t twinspan-worker   .
# Binaries that exist already (build/release/bin, made on the same Debian) are taken with --build-arg BINARIES=prebuilt.
# Neither image holds a distribution: just the program, the shared libraries it needs and, for the worker, PostgreSQL 15
# and pgBackRest without LLVM, manuals and translations, a shell (PostgreSQL starts its programs with one) and a few tools for `kubectl exec`.
ARG BINARIES=build
# By the digest of its index, which names the images of all architectures: the tag moves. bookworm-20260824-slim; what Debian has mended since comes by apt.
ARG DEBIAN=debian:bookworm-slim@sha256:88200866dfff7ea7f5cbcb6ec7c8a701889efe6fe859fe64d6990e4b07ea4171
ARG VERSION=0.1.0
ARG REVISION=

FROM ${DEBIAN} AS debian
# closure ROOT FILE...: the files and every shared library they need, copied below ROOT.
RUN printf '%s\n' '#!/bin/sh' 'set -e' 'cd /; root=$1; shift' \
      'for file in "$@" $(ldd "$@" 2>/dev/null | grep -o "/[^ ]*\.so[^ ]*" | grep -v ":$" | sort -u); do' \
      '  [ -e "$root$file" ] || cp --parents -L --preserve=mode "$file" "$root"' 'done' >/usr/local/bin/closure \
 && chmod 755 /usr/local/bin/closure
# What both images start from: the user, name resolution, certificates, the UTF-8 locale, time zones, folders for volumes.
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get upgrade -y -qq >/dev/null \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ca-certificates tzdata \
      libfmt9 liblz4-1 libpq5 libprometheus-cpp-core1.0 libpugixml1v5 libre2-9 libsimdjson14 libsnappy1v5 libspdlog1.10 libssl3 libyaml-cpp0.7 libzstd1 zlib1g >/dev/null \
 && rm -rf /var/lib/apt/lists/* \
 && mkdir -p /root-fs/etc/ssl/certs /root-fs/usr/lib/locale /root-fs/usr/lib/ssl /root-fs/usr/share /root-fs/tmp /root-fs/run/twinspan \
      /root-fs/var/lib/twinspan /root-fs/usr/bin \
 && echo 'root:x:0:0:root:/:/sbin/nologin' >/root-fs/etc/passwd \
 && echo 'twinspan:x:26026:26026:twinspan:/var/lib/twinspan:/sbin/nologin' >>/root-fs/etc/passwd \
 && printf 'root:x:0:\ntwinspan:x:26026:\n' >/root-fs/etc/group \
 && printf 'passwd: files\ngroup: files\nhosts: files dns\n' >/root-fs/etc/nsswitch.conf \
 && cp /etc/ssl/certs/ca-certificates.crt /root-fs/etc/ssl/certs/ \
 && cp /etc/ssl/openssl.cnf /root-fs/usr/lib/ssl/ && ln -s /etc/ssl/certs /root-fs/usr/lib/ssl/certs \
 && cp -r /usr/lib/locale/C.utf8 /root-fs/usr/lib/locale/ \
 && cp -r /usr/share/zoneinfo /root-fs/usr/share/ && rm -rf /root-fs/usr/share/zoneinfo/posix /root-fs/usr/share/zoneinfo/right /root-fs/usr/share/zoneinfo/localtime \
 && chmod 1777 /root-fs/tmp && chown 26026:26026 /root-fs/var/lib/twinspan /root-fs/run/twinspan && chmod 700 /root-fs/var/lib/twinspan

FROM ${DEBIAN} AS build
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ca-certificates ccache cmake g++ libcli11-dev \
      libfmt-dev libpq-dev libspdlog-dev libssl-dev libyaml-cpp-dev libpugixml-dev libsimdjson-dev ninja-build nlohmann-json3-dev \
      prometheus-cpp-dev python3 python3-yaml zlib1g-dev libzstd-dev liblz4-dev libsnappy-dev libre2-dev libcurl4-openssl-dev >/dev/null \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake cmake
COPY core core
COPY net net
COPY pki pki
COPY kube kube
COPY crds crds
COPY api api
COPY contract contract
COPY failover failover
COPY backup backup
COPY s3 s3
COPY kafka kafka
COPY engines engines
COPY controllers controllers
COPY worker worker
COPY webhooks webhooks
COPY operator operator
COPY sandbox sandbox
RUN cmake --preset release -DTWINSPAN_TESTS=OFF \
 && cmake --build build/release --target twinspan-operator twinspan-worker twinspan-archive twinspan-s3-worker twinspan-s3-open twinspan-kafka-worker \
 && mkdir /out && cp build/release/bin/twinspan-operator build/release/bin/twinspan-worker build/release/bin/twinspan-archive build/release/bin/twinspan-s3-worker build/release/bin/twinspan-s3-open build/release/bin/twinspan-kafka-worker /out/ && strip /out/*

FROM scratch AS prebuilt
COPY build/release/bin/twinspan-operator build/release/bin/twinspan-worker build/release/bin/twinspan-archive build/release/bin/twinspan-s3-worker build/release/bin/twinspan-s3-open build/release/bin/twinspan-kafka-worker /out/

FROM ${BINARIES} AS binaries

FROM debian AS operator-root
COPY --from=binaries /out/twinspan-operator /out/twinspan-s3-worker /out/twinspan-s3-open /out/twinspan-kafka-worker /usr/bin/
RUN closure /root-fs /usr/bin/twinspan-operator /usr/bin/twinspan-s3-worker /usr/bin/twinspan-s3-open /usr/bin/twinspan-kafka-worker

FROM scratch AS operator
COPY --from=operator-root /root-fs /
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="twinspan-operator" \
      org.opencontainers.image.description="Replication links and failover for PostgreSQL, S3 and Kafka, declared as Kubernetes resources: the operator" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 26026:26026
# Objects are taken apart into hundreds of small pieces that are freed at once: threads keep them for the next object.
ENV GLIBC_TUNABLES=glibc.malloc.tcache_count=2000
ENTRYPOINT ["/usr/bin/twinspan-operator"]

FROM debian AS postgres-root
RUN mkdir -p /etc/postgresql-common && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf \
 && apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends binutils pgbackrest postgresql-15 >/dev/null \
 && rm -rf /var/lib/apt/lists/* \
 && cd /usr/lib/postgresql/15 && rm -rf lib/bitcode lib/llvmjit* lib/pgxs \
 && closure /root-fs $(for name in postgres initdb pg_amcheck pg_archivecleanup pg_basebackup pg_checksums pg_controldata pg_ctl pg_dump pg_isready \
      pg_resetwal pg_restore pg_rewind pg_verifybackup pg_waldump pgbench psql; do echo /usr/lib/postgresql/15/bin/$name; done) \
      $(find /usr/lib/postgresql/15/lib -name '*.so*') \
 && mkdir -p /root-fs/usr/share/postgresql && cp -r /usr/share/postgresql/15 /root-fs/usr/share/postgresql/ \
 && rm -rf /root-fs/usr/share/postgresql/15/man /root-fs/usr/share/postgresql/15/contrib \
 && closure /root-fs /usr/bin/dash $(for name in cat chmod cp date df du env head id ls mkdir mv rm sleep tail touch wc; do echo /usr/bin/$name; done) \
 && mkdir -p /root-fs/bin && cp /usr/bin/dash /root-fs/bin/sh

FROM postgres-root AS worker-root
COPY --from=binaries /out/twinspan-worker /out/twinspan-archive /usr/bin/
RUN closure /root-fs /usr/bin/twinspan-worker /usr/bin/twinspan-archive $(for name in pgbackrest nice ionice choom; do echo /usr/bin/$name; done)

FROM scratch AS worker
COPY --from=worker-root /root-fs /
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="twinspan-worker" \
      org.opencontainers.image.description="PostgreSQL 15, pgBackRest and the agent that runs them as an endpoint of a Twinspan link" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin LANG=C.UTF-8
USER 26026:26026
WORKDIR /var/lib/twinspan
ENTRYPOINT ["/usr/bin/twinspan-worker"]
