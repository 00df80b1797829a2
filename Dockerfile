# The two images of Exeat:
#   docker build --target controller -t exeat-controller .
#   docker build --target proxy      -t exeat-proxy .
# Each holds its binary, the shared libraries of that binary and the public CA roots; the
# proxy's also `nft` and the names of protocols that it prints, for the init step. No shell, no package manager.
#
# PREBUILT=yes takes ./dist/exeat-controller and ./dist/exeat-proxy instead of compiling.
ARG BUILDER=rust:1.95-bookworm
ARG BASE=debian:bookworm-slim

FROM ${BUILDER} AS binaries
ARG PREBUILT=
WORKDIR /src
COPY . .
RUN set -eu; \
    mkdir -p /binaries; \
    if [ -n "$PREBUILT" ]; then \
      cp dist/exeat-controller dist/exeat-proxy /binaries/; \
    else \
      apt-get update; \
      apt-get install -y --no-install-recommends cmake mold; \
      cargo build --locked --release -p exeat-controller -p exeat-proxy; \
      cp target/release/exeat-controller target/release/exeat-proxy /binaries/; \
      rm -rf target; \
    fi

# Everything that the images take from Debian, laid out under /controller and /proxy.
FROM ${BASE} AS system
RUN apt-get update \
 && apt-get install -y --no-install-recommends nftables netbase ca-certificates libgcc-s1 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=binaries /binaries/ /
RUN set -eu; \
    closure() { ldd "$1" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p; s/^[[:space:]]*\(\/lib[^ ]*\).*/\1/p'; }; \
    place() { \
      for file in $(closure "$2") ; do \
        mkdir -p "$1$(dirname "$file")"; cp -L "$file" "$1$file"; \
      done; \
    }; \
    for image in controller proxy; do \
      mkdir -p /$image/etc/ssl/certs; \
      cp -L /etc/ssl/certs/ca-certificates.crt /$image/etc/ssl/certs/; \
      echo 'exeat:x:65532:65532:exeat:/:/' > /$image/etc/passwd; \
      place /$image /exeat-$image; \
      cp /exeat-$image /$image/exeat-$image; \
    done; \
    mkdir -p /proxy/usr/sbin; cp -L /usr/sbin/nft /proxy/usr/sbin/nft; place /proxy /usr/sbin/nft; \
    cp /etc/protocols /proxy/etc/protocols; \
    mkdir -p /controller/var/lib/exeat /controller/tmp && chown 65532:65532 /controller/var/lib/exeat && chmod 1777 /controller/tmp

FROM scratch AS controller
COPY --from=system /controller/ /
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
ENTRYPOINT ["/exeat-controller"]

FROM scratch AS proxy
COPY --from=system /proxy/ /
ENV PATH=/usr/sbin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
ENTRYPOINT ["/exeat-proxy"]
