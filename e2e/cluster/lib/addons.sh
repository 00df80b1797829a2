# What runs inside the cluster before any test: CoreDNS.
# shellcheck shell=bash disable=SC2154

build_addon_images() {
  if [[ ! -e $IMAGES_DIR/pause.tar ]]; then
    with_progress "image localhost/exeat-pause:1" "$CLUSTER_DIR/log/image-pause.log" \
      scratch_image pause localhost/exeat-pause:1 '["/catatonit", "-P"]' "$DEBIAN_DIR/root/usr/bin/catatonit:/catatonit"
  fi
  if [[ ! -e $IMAGES_DIR/coredns-$COREDNS_VERSION.tar ]]; then
    with_progress "image localhost/coredns:$COREDNS_VERSION" "$CLUSTER_DIR/log/image-coredns.log" \
      scratch_image "coredns-$COREDNS_VERSION" "localhost/coredns:$COREDNS_VERSION" '["/coredns"]' \
      "$TOOLS_DIR/coredns-$COREDNS_VERSION/coredns:/coredns"
  fi
}

install_addons() {
  sed -e "s/@COREDNS_VERSION@/$COREDNS_VERSION/; s/@DNS_SERVICE_ADDRESS@/$DNS_SERVICE_ADDRESS/; s/@INTERNET_DNS@/$INTERNET_DNS/" \
    "$here/addons/coredns.yaml" | kubectl apply --server-side -f - >/dev/null
  wait_until 60 "images" test -e "$RUN_DIR/images.imported"
  wait_until 60 "CoreDNS" dns_is_ready
  say "CoreDNS ready"
}

dns_is_ready() {
  [[ $(kubectl -n kube-system get deployment coredns -o 'jsonpath={.status.readyReplicas}') == 1 ]]
}
