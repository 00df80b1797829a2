# Debian's packages. What would start a service on this machine is unpacked into the cache
# and never installed; the rest is installed once.
# shellcheck shell=bash

UNPACKED=(etcd-server containerd runc containernetworking-plugins prometheus catatonit)
INSTALLED=(
  iproute2 nftables iptables ipset conntrack procps util-linux curl openssl ca-certificates jq
  debootstrap buildah build-essential mold
)

fetch_packages() {
  install_packages "${INSTALLED[@]}"
  unpack_packages "${UNPACKED[@]}"
}

install_packages() {
  local missing=() package
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) == "install ok installed" ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  command -v apt-get >/dev/null || die "these Debian packages are missing: ${missing[*]}"
  with_progress "package lists" "$CLUSTER_DIR/log/apt-update.log" apt-get update -q
  with_progress "installing ${missing[*]}" "$CLUSTER_DIR/log/apt-install.log" \
    env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends "${missing[@]}"
}

unpack_packages() {
  local package missing=()
  for package in "$@"; do
    [[ -e $DEBIAN_DIR/$package.complete ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  mkdir -p "$DEBIAN_DIR/root"
  with_progress "unpacking ${missing[*]}" "$CLUSTER_DIR/log/apt-download.log" unpack_now "${missing[@]}"
}

unpack_now() {
  local package staging
  apt-cache show "$@" >/dev/null 2>&1 || apt-get update -q
  for package in "$@"; do
    staging=$(mktemp -d "$DEBIAN_DIR/unpack.XXXXXX")
    # apt's own sandbox user cannot write into root's cache; the hash is checked all the same.
    (cd "$staging" && apt-get -o APT::Sandbox::User=root download -q "$package")
    dpkg -x "$staging"/*.deb "$DEBIAN_DIR/root"
    rm -rf "$staging"
    touch "$DEBIAN_DIR/$package.complete"
  done
}
