# A real Prometheus in the node's network namespace: reaches pods directly, and is gone with
# the cluster. Its rules are those of the PrometheusRule objects in the cluster.
# shellcheck shell=bash disable=SC2154

PROMETHEUS_DIR=$CLUSTER_DIR/prometheus
PROMETHEUS_URL=http://127.0.0.1:9090

prometheus_command() {
  case ${1:-} in
    up) prometheus_up ;;
    down) stop_prometheus ;;
    alerts) prometheus_get /api/v1/alerts | jq '.data.alerts' ;;
    targets) prometheus_get '/api/v1/targets?state=active' | jq -r '.data.activeTargets[] | [.labels.job, .scrapeUrl, .health, .lastError] | @tsv' ;;
    rules) prometheus_get /api/v1/rules | jq -r '.data.groups[].rules[] | [.name, .health, .state // ""] | @tsv' ;;
    query) prometheus_get "/api/v1/query?query=$(jq -rn --arg text "${2:?an expression}" '$text | @uri')" | jq '.data.result' ;;
    *) die "cluster prometheus up|alerts|targets|rules|query EXPR|down" ;;
  esac
}

prometheus_runs() { process_is "$PROMETHEUS_DIR/pid" "$PROMETHEUS_DIR/"; }

prometheus_get() {
  prometheus_runs || die "prometheus is down" "Start it with: cluster prometheus up"
  in_netns "$NODE_NETNS" curl -sf "$PROMETHEUS_URL$1"
}

prometheus_up() {
  need_root_on_linux
  cluster_runs || die "the cluster is down" "Start it with: cluster up"
  stop_prometheus
  mkdir -p "$PROMETHEUS_DIR/data"
  write_prometheus_rules
  sed -e "s#@PROMETHEUS_DIR@#$PROMETHEUS_DIR#g" \
    "$here/addons/prometheus.yaml" >"$PROMETHEUS_DIR/prometheus.yaml"
  echo '[]' >"$PROMETHEUS_DIR/targets.json"
  promtool check config "$PROMETHEUS_DIR/prometheus.yaml" >"$RUN_DIR/log/promtool.log" 2>&1 ||
    { cat "$RUN_DIR/log/promtool.log" >&2; die "Prometheus does not accept the rules of the cluster"; }
  setsid "$here/addons/prometheus-targets" "$KUBECONFIG_FILE" "$PROMETHEUS_DIR/targets.json" \
    >>"$RUN_DIR/log/prometheus-targets.log" 2>&1 </dev/null &
  setsid nsenter --net="/run/netns/$NODE_NETNS" -- prometheus \
    --config.file="$PROMETHEUS_DIR/prometheus.yaml" --storage.tsdb.path="$PROMETHEUS_DIR/data" \
    --web.listen-address="${PROMETHEUS_URL#http://}" >>"$RUN_DIR/log/prometheus.log" 2>&1 </dev/null &
  echo $! >"$PROMETHEUS_DIR/pid"
  wait_until 20 "Prometheus" in_netns "$NODE_NETNS" curl -sf "$PROMETHEUS_URL/-/ready"
  say "prometheus is up, with $(jq '[.groups[].rules[]] | length' "$PROMETHEUS_DIR/rules.json") rules of the cluster"
}

# A PrometheusRule's spec is a rule file of Prometheus; JSON is YAML.
write_prometheus_rules() {
  local objects='{"items":[]}'
  if kubectl get crd prometheusrules.monitoring.coreos.com >/dev/null 2>&1; then
    objects=$(kubectl get prometheusrules.monitoring.coreos.com -A -o json)
  fi
  jq '{groups: [.items[].spec.groups[]]}' <<<"$objects" >"$PROMETHEUS_DIR/rules.json"
  [[ $(jq '.groups | length' "$PROMETHEUS_DIR/rules.json") != 0 ]] ||
    die "the cluster has no PrometheusRule" "Install the chart with its rules on first: e2e/install"
}

stop_prometheus() {
  if prometheus_runs; then
    local pid
    pid=$(<"$PROMETHEUS_DIR/pid")
    kill -KILL "$pid" 2>/dev/null || true
  fi
  rm -rf "$PROMETHEUS_DIR"
}
