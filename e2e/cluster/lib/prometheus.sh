# A real Prometheus beside a cluster: in the node's network namespace of the test cluster, where
# it reaches pods directly and is gone with the cluster; for any other cluster on this machine,
# where it reaches pods through the API server.
# shellcheck shell=bash disable=SC2034,SC2154

PROMETHEUS_DIR=$CLUSTER_DIR/prometheus
PROMETHEUS_URL=http://127.0.0.1:9090

# Of a cluster that is not ours.
prometheus_elsewhere() {
  PROMETHEUS_DIR=$CLUSTER_DIR/prometheus-elsewhere
  PROMETHEUS_URL=http://127.0.0.1:19090
}

prometheus_runs() { process_is "$PROMETHEUS_DIR/pid" "$PROMETHEUS_DIR/"; }

stop_prometheus() {
  ! prometheus_runs || kill -KILL "$(<"$PROMETHEUS_DIR/pid")" 2>/dev/null || true
  # kubectl's proxy to the API server, for a cluster that is not ours.
  ! process_is "$PROMETHEUS_DIR/proxy.pid" " proxy --port=0 " || kill -KILL "$(<"$PROMETHEUS_DIR/proxy.pid")" 2>/dev/null || true
  rm -rf "$PROMETHEUS_DIR"
}
