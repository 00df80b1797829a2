# Two network namespaces and the links between them:
#   this machine -- veth -- the node -- veth -- the test internet (203.0.113.0/24)
# The machine reaches the node, never the test internet.
# shellcheck shell=bash

make_namespaces() {
  ip netns add "$NODE_NETNS"
  ip link add "$NODE_LINK" type veth peer name host0 netns "$NODE_NETNS"
  ip addr add "$HOST_ADDRESS/30" dev "$NODE_LINK"
  ip link set "$NODE_LINK" up

  ip -n "$NODE_NETNS" link set lo up
  ip -n "$NODE_NETNS" addr add "$NODE_ADDRESS/30" dev host0
  ip -n "$NODE_NETNS" link set host0 up
  # A client on the node needs some route to the service range before kube-proxy rewrites it.
  ip -n "$NODE_NETNS" route add "$SERVICE_RANGE" dev host0

  in_netns "$NODE_NETNS" sysctl -qw net.ipv4.ip_forward=1
  in_netns "$NODE_NETNS" sysctl -qw net.bridge.bridge-nf-call-iptables=1 2>/dev/null ||
    { modprobe br_netfilter 2>/dev/null && in_netns "$NODE_NETNS" sysctl -qw net.bridge.bridge-nf-call-iptables=1; } ||
    say "no br_netfilter: services reached from their own pod may not answer"
}

make_internet() {
  ip netns add "$INTERNET_NETNS"
  ip -n "$NODE_NETNS" link add internet0 type veth peer name node0 netns "$INTERNET_NETNS"
  ip -n "$NODE_NETNS" addr add "$INTERNET_GATEWAY/24" dev internet0
  ip -n "$NODE_NETNS" link set internet0 up
  ip -n "$INTERNET_NETNS" link set lo up
  ip -n "$INTERNET_NETNS" link set node0 up
  local last
  for last in $(internet_addresses); do
    ip -n "$INTERNET_NETNS" addr add "$last" dev node0
  done
  ip -n "$INTERNET_NETNS" route add default via "$INTERNET_GATEWAY"
  ip -n "$NODE_NETNS" route add "$METADATA_ADDRESS/32" via "$INTERNET_DNS"
}

remove_namespaces() {
  ip link del "$NODE_LINK" 2>/dev/null || true
  local namespace
  for namespace in "$NODE_NETNS" "$INTERNET_NETNS"; do
    [[ ! -e /run/netns/$namespace ]] || ip netns del "$namespace"
  done
  return 0
}

# `ip netns exec` would hide the cgroup mounts, nsenter does not.
in_netns() {
  local namespace=$1
  shift
  nsenter --net="/run/netns/$namespace" -- "$@"
}

enter_node() {
  need_root_on_linux
  cluster_runs || die "the cluster is down" "Start it with: cluster up"
  KUBECONFIG=$KUBECONFIG_FILE in_netns "$NODE_NETNS" "$@"
}
