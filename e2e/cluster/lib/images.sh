# Images without a registry: built by buildah in a store of our own, kept as docker-archives
# in $IMAGES_DIR, imported into the node when it starts.
# shellcheck shell=bash

export BUILDAH_ISOLATION=chroot

in_store() {
  buildah --root "$CACHE_DIR/buildah/store" --runroot "$CACHE_DIR/buildah/run" "$@"
}

# scratch_image NAME REFERENCE ENTRYPOINT_JSON FILE:PLACE... : an image of these files alone.
scratch_image() {
  local name=$1 reference=$2 entrypoint=$3 file container
  shift 3
  container=$(in_store from scratch)
  for file in "$@"; do
    in_store copy "$container" "${file%%:*}" "${file#*:}"
  done
  in_store config --entrypoint "$entrypoint" "$container"
  in_store commit --rm "$container" "$reference"
  export_image "$name" "$reference"
}

# Writes the archive beside its place and moves it there, so that a half one is never imported.
export_image() {
  local name=$1 reference=$2
  mkdir -p "$IMAGES_DIR"
  rm -f "$IMAGES_DIR/$name.new"
  in_store push "$reference" "docker-archive:$IMAGES_DIR/$name.new:$reference"
  mv "$IMAGES_DIR/$name.new" "$IMAGES_DIR/$name.tar"
}
