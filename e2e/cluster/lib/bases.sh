# Root file systems of Debian, made by debootstrap from the mirror that this machine uses.
# shellcheck shell=bash disable=SC2154

DEBIAN_RELEASE=bookworm
BASE_IMAGE=localhost/debian:$DEBIAN_RELEASE-slim
BUILDER_IMAGE=localhost/rust:$DEBIAN_RELEASE
# Ordinary clients, as an agent's image has them.
AGENT_IMAGE=localhost/exeat-agent:dev
AGENT_PACKAGES=(
  ca-certificates curl dnsutils git iproute2 iputils-ping liblwp-protocol-https-perl ncat
  netcat-openbsd nodejs openssl perl-openssl-defaults php-cli procps python3 python3-h2
  python3-requests socat wget
)

debian_mirror() {
  local mirror
  # shellcheck disable=SC2016
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Identifier: Packages' |
    awk -v release="$DEBIAN_RELEASE" '$2 == release { print $1; exit }')
  [[ -n $mirror ]] || die "apt's sources name no mirror of Debian $DEBIAN_RELEASE"
  printf '%s\n' "${mirror%/}"
}

# Two builds at once may ask for them.
base_images() {
  mkdir -p "$CACHE_DIR/buildah" "$IMAGES_DIR"
  (
    flock 9
    base_image 9>&-
    agent_image 9>&-
  ) 9>"$CACHE_DIR/buildah/bases.lock"
}

# The base that the Dockerfile is given as BASE.
base_image() {
  local key
  key=$(printf '%s' "$DEBIAN_RELEASE minbase 1" | sha256sum | cut -c 1-12)
  [[ -e $CACHE_DIR/buildah/base-$key.complete ]] && return
  with_progress "image $BASE_IMAGE" "$CLUSTER_DIR/log/image-base.log" debian_image "$BASE_IMAGE" ""
  touch "$CACHE_DIR/buildah/base-$key.complete"
}

# What the Dockerfile is given as BUILDER, in place of the official image of Rust.
builder_image() {
  local sysroot key
  sysroot=$(rustc --print sysroot)
  key=$(printf '%s' "$DEBIAN_RELEASE $(rustc --version) 2" | sha256sum | cut -c 1-12)
  [[ -e $CACHE_DIR/buildah/builder-$key.complete ]] && return
  with_progress "image $BUILDER_IMAGE" "$CLUSTER_DIR/log/image-builder.log" builder_image_now "$sysroot"
  touch "$CACHE_DIR/buildah/builder-$key.complete"
}

builder_image_now() {
  local container part
  debian_image "$BUILDER_IMAGE" build-essential,ca-certificates,pkg-config
  container=$(in_store from "$BUILDER_IMAGE")
  for part in bin lib libexec; do
    [[ ! -d $1/$part ]] || in_store copy "$container" "$1/$part" "/usr/local/$part"
  done
  # The crates come from where this machine gets them, which may have roots of its own.
  in_store copy "$container" /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
  in_store commit --rm "$container" "$BUILDER_IMAGE"
}

agent_image() {
  local key
  key=$(printf '%s' "$DEBIAN_RELEASE ${AGENT_PACKAGES[*]} 2" | sha256sum | cut -c 1-12)
  [[ -e $IMAGES_DIR/agent.tar && -e $CACHE_DIR/buildah/agent-$key.complete ]] && return
  with_progress "image $AGENT_IMAGE" "$CLUSTER_DIR/log/image-agent.log" agent_image_now
  touch "$CACHE_DIR/buildah/agent-$key.complete"
}

agent_image_now() {
  debian_image "$AGENT_IMAGE" "$(IFS=,; echo "${AGENT_PACKAGES[*]}")" --user 1000:1000
  export_image agent "$AGENT_IMAGE"
}

# debian_image REFERENCE PACKAGES [CONFIG...] : Debian's minimal system with these packages.
debian_image() {
  local reference=$1 packages=$2 root container options=()
  shift 2
  root=$(mktemp -d "$CACHE_DIR/buildah/root.XXXXXX")
  [[ -z $packages ]] || options+=("--include=$packages")
  debootstrap --variant=minbase "${options[@]}" "$DEBIAN_RELEASE" "$root" "$(debian_mirror)"
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}/* "$root"/var/log/*
  container=$(in_store from scratch)
  in_store copy "$container" "$root" /
  in_store config --cmd '["/bin/sh"]' --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@" "$container"
  in_store commit --rm "$container" "$reference"
  rm -rf --one-file-system "$root"
}
