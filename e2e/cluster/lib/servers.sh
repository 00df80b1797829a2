# The real servers of the clients' cases (images/servers), in the namespace of the test internet:
# the file system of their image, entered, with processes and mounts that end as a whole.
# shellcheck shell=bash disable=SC2154

SERVERS_IMAGE=localhost/exeat-servers:dev
SERVERS_CONTAINER=exeat-servers

servers_process_lives() { process_is "$RUN_DIR/servers.pid" "$RUN_DIR/servers"; }

# Harmless when they run already, unless their image has changed.
start_servers() {
  local root image
  cluster_runs && internet_runs || die "the cluster is down" "Start it with: cluster up"
  image=$(in_store images -q --no-trunc "$SERVERS_IMAGE" 2>/dev/null) ||
    die "there is no image $SERVERS_IMAGE" "Build it with: e2e/images/build --clients"
  ! servers_process_lives || [[ $(<"$RUN_DIR/servers.image") != "$image" ]] || return 0
  stop_servers
  step "the real servers of the test internet"
  in_store from --name "$SERVERS_CONTAINER" "$SERVERS_IMAGE" >/dev/null
  root=$(in_store mount "$SERVERS_CONTAINER")
  cp "$CLUSTER_DIR/internet-ca.crt" "$root/run/authority.crt"
  cp "$CLUSTER_DIR/internet-ca.key" "$root/run/authority.key"
  # shellcheck disable=SC2016
  setsid nsenter --net="/run/netns/$INTERNET_NETNS" -- \
    unshare --mount --pid --fork --kill-child=KILL sh -euc '
      mount -t proc proc "$1/proc"
      mount --rbind /dev "$1/dev"
      mount -t tmpfs tmpfs "$1/tmp"
      exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$1" /servers/serve /run/authority
    ' "$RUN_DIR/servers" "$root" >"$RUN_DIR/log/servers.log" 2>&1 </dev/null &
  echo $! >"$RUN_DIR/servers.pid"
  echo "$image" >"$RUN_DIR/servers.image"
  ln -sfn "$root/var/log/servers" "$RUN_DIR/log/servers"
  wait_until 60 "the real servers" test -e "$root/run/servers.ready"
  step_done "the real servers are up"
}

stop_servers() {
  ! servers_process_lives || kill -KILL "$(<"$RUN_DIR/servers.pid")" 2>/dev/null || true
  rm -f "$RUN_DIR/servers.pid"
  [[ -d $CACHE_DIR/buildah/store ]] || return 0
  in_store rm "$SERVERS_CONTAINER" >/dev/null 2>&1 || true
}
