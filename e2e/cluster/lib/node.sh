# The node: everything that is Kubernetes, in a process namespace that dies as a whole.
# shellcheck shell=bash disable=SC2154

# kubelet changes these for the whole machine; `down` puts them back.
SYSCTLS=(vm.overcommit_memory kernel.panic kernel.panic_on_oops kernel.keys.root_maxkeys kernel.keys.root_maxbytes)

kubectl() { command kubectl --kubeconfig "$KUBECONFIG_FILE" "$@"; }

remember_sysctls() {
  [[ -e $SYSCTL_FILE ]] || sysctl "${SYSCTLS[@]}" 2>/dev/null >"$SYSCTL_FILE" || true
}

restore_sysctls() {
  [[ -e $SYSCTL_FILE ]] || return 0
  sysctl -q -p "$SYSCTL_FILE" >/dev/null 2>&1 || true
  rm -f "$SYSCTL_FILE"
}

write_node_configuration() {
  local template
  mkdir -p "$RUN_DIR/cni.d"
  for template in containerd.toml kubelet.yaml kube-proxy.yaml resolv.conf cni.d/10-exeat.conflist; do
    fill_in "$here/node/$template" >"$RUN_DIR/$template"
  done
}

# Replaces @NAME@ by the setting NAME.
fill_in() {
  local text name
  text=$(<"$1")
  for name in RUN_DIR IDENTITY_DIR DEBIAN_DIR NODE_NAME NODE_ADDRESS POD_RANGE NODE_POD_RANGE DNS_SERVICE_ADDRESS INTERNET_DNS; do
    text=${text//@$name@/${!name}}
  done
  printf '%s\n' "$text"
}

start_node() {
  export RUN_DIR IDENTITY_DIR DEBIAN_DIR IMAGES_DIR NODE_NAME NODE_ADDRESS POD_RANGE SERVICE_RANGE KUBECONFIG_FILE
  setsid nsenter --net="/run/netns/$NODE_NETNS" -- \
    unshare --mount --pid --fork --mount-proc --kill-child=KILL \
    bash "$here/node/init" >"$RUN_DIR/log/init.log" 2>&1 </dev/null &
  echo $! >"$RUN_DIR/node.pid"
}

wait_for_node() {
  wait_until 60 "API server" test -e "$RUN_DIR/apiserver.ready"
  say "API server ready"
  wait_until 60 "service account" kubectl get serviceaccount default
  wait_until 60 "node" node_is_ready
  say "node ready"
}

node_is_ready() {
  [[ $(kubectl get node "$NODE_NAME" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}') == True ]]
}

node_process_lives() { process_is "$RUN_DIR/node.pid" "$here/node/init"; }

cluster_runs() {
  node_process_lives && [[ -e $RUN_DIR/apiserver.ready ]] && kubectl get --raw /readyz >/dev/null 2>&1
}

# Ends the first process of the private process namespace: the kernel ends the rest.
stop_node() {
  node_process_lives || return 0
  local outer inner
  outer=$(<"$RUN_DIR/node.pid")
  inner=$(tr -d ' ' <"/proc/$outer/task/$outer/children" 2>/dev/null || true)
  [[ -z $inner ]] || kill -KILL "$inner" 2>/dev/null || true
  local tries
  for tries in $(seq 100); do
    node_process_lives || return 0
    ((tries < 50)) || kill -KILL "$outer" 2>/dev/null || true
    sleep 0.1
  done
  die "process $outer of the node does not end"
}

remove_cgroups() {
  local try root
  for try in 1 2 3 4 5 6 7 8 9 10; do
    for root in /sys/fs/cgroup/*/kubepods /sys/fs/cgroup/kubepods; do
      [[ -d $root ]] && find "$root" -depth -type d -exec rmdir {} + 2>/dev/null
    done
    compgen -G '/sys/fs/cgroup/*/kubepods' >/dev/null || [[ -d /sys/fs/cgroup/kubepods ]] || return 0
    sleep 0.2
  done
  say "some control groups of pods are left under /sys/fs/cgroup (after $try tries)"
}

# The node's, and those that buildah leaves in its store.
remove_mounts() {
  local mount
  while read -r mount; do
    umount -l "$mount" 2>/dev/null || true
  done < <(awk -v run="$RUN_DIR/" -v store="$CACHE_DIR/buildah/" \
    'index($2, run) == 1 || index($2, store) == 1 { print $2 }' /proc/self/mounts | sort -r)
}

load_image() {
  [[ -r $1 ]] || die "cannot read $1"
  [[ -S $RUN_DIR/containerd.sock ]] || die "the cluster is down" "Start it with: cluster up"
  local tar
  tar=$(readlink -f "$1")
  # Inside the node's mount namespace, where the snapshots are.
  local outer inner
  outer=$(<"$RUN_DIR/node.pid")
  inner=$(tr -d ' ' <"/proc/$outer/task/$outer/children")
  nsenter --target "$inner" --mount --pid -- \
    ctr --address "$RUN_DIR/containerd.sock" --namespace k8s.io images import --no-unpack=false "$tar" >&2
}
