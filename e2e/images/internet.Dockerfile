# The test internet for clusters that are not ours: never part of an installation of Exeat.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends curl iproute2 nftables util-linux \
 && rm -rf /var/lib/apt/lists/*
COPY . /internet/
# What the pods of the test internet override. As an agent's image it is one whose user is the
# usual uid of proxies (case admit_usual_proxy_uid_is_captured).
USER 1337:1337
ENTRYPOINT ["/internet/node"]
