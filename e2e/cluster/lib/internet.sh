# The test internet: servers with real certificates from a test authority, a DNS with their
# names, and counters of everything that arrives (internet/hosts has the table).
# shellcheck shell=bash disable=SC2034,SC2154

INTERNET_SOCKET=$RUN_DIR/internet.sock
# The authority that signs the servers' certificates: what the chart is given as a root.
INTERNET_CA=$CLUSTER_DIR/internet-ca.crt

internet_addresses() {
  awk '/^[0-9]/ { print $1 ($1 ~ /^169/ ? "/32" : "/24") }' "$here/internet/hosts"
}

start_internet() {
  mkdir -p "$RUN_DIR/log"
  write_corefile "" >"$RUN_DIR/internet.corefile"
  in_netns "$INTERNET_NETNS" nft -f "$here/internet/counters.nft"
  # A copy, so that a later build does not disturb what runs.
  cp --remove-destination "$BINARIES_DIR/internet" "$RUN_DIR/internet"
  keep_in_internet internet "$RUN_DIR/internet" --hosts "$here/internet/hosts" --backends "$here/internet/backends" --authority "$CLUSTER_DIR/internet-ca" --control "$INTERNET_SOCKET"
  keep_in_internet internet-dns coredns -conf "$RUN_DIR/internet.corefile"
  wait_until 20 "test internet" curl -sf --unix-socket "$INTERNET_SOCKET" http://internet/counters
  wait_until 20 "DNS of the test internet" internet_runs
}

# keep_in_internet NAME CMD... : a process in the test internet's namespace, its id in a file.
keep_in_internet() {
  local name=$1
  shift
  setsid nsenter --net="/run/netns/$INTERNET_NETNS" -- "$@" >>"$RUN_DIR/log/$name.log" 2>&1 </dev/null &
  echo $! >"$RUN_DIR/$name.pid"
}

internet_process_lives() { process_is "$RUN_DIR/$1.pid" "$RUN_DIR/internet"; }

internet_runs() { internet_process_lives internet && internet_process_lives internet-dns; }

stop_internet() {
  local name
  for name in internet internet-dns; do
    internet_process_lives "$name" || continue
    kill -KILL "$(<"$RUN_DIR/$name.pid")" 2>/dev/null || true
    rm -f "$RUN_DIR/$name.pid"
  done
  rm -f "$INTERNET_SOCKET"
  in_netns "$INTERNET_NETNS" nft delete table ip arrivals 2>/dev/null || true
}

# One server block for each wildcard, and the plain names in the root block. With an address,
# other names are asked there.
#   write_corefile ADDRESS|""
write_corefile() {
  local address names name parent pattern other=$1
  while read -r address names; do
    for name in $names; do
      [[ $name == \** ]] || continue
      parent=${name#\*.}
      pattern=${parent//./\\.}
      cat <<COREFILE
$parent:53 {
    template IN A {
        match ^(.+\\.)?$pattern\\.\$
        answer "{{ .Name }} 5 IN A $address"
    }
    template IN ANY {
        rcode NOERROR
    }
}
COREFILE
    done
  done < <(grep '^[0-9]' "$here/internet/hosts")
  echo ".:53 {"
  echo "    hosts {"
  awk '/^[0-9]/ { line = $1; for (i = 2; i <= NF; i++) if ($i !~ /^\*/) line = line " " $i; print "        " line }' "$here/internet/hosts"
  echo "        ttl 5"
  [[ -z $other ]] || echo "        fallthrough"
  echo "    }"
  [[ -z $other ]] || echo "    forward . $other"
  echo "}"
}

counters() {
  local format=table reset=
  while (($#)); do
    case $1 in
      --reset) reset=1 ;;
      -o) format=$2; shift ;;
      *) die "counters: unknown argument $1" ;;
    esac
    shift
  done
  [[ -S $INTERNET_SOCKET ]] || die "the test internet is down" "Start it with: cluster up"
  local arrived
  arrived=$(ask_counters GET)
  [[ -z $reset ]] || ask_counters DELETE
  show_counters "$format" "$arrived"
}

ask_counters() { curl -sS --fail-with-body -X "$1" --unix-socket "$INTERNET_SOCKET" http://internet/counters; }

# show_counters table|json ROWS
show_counters() {
  case $1 in
    json) printf '%s\n' "$2" ;;
    table)
      jq -r '["ADDRESS", "PROTOCOL", "PORT", "PACKETS", "BYTES", "PAYLOAD"], (.[] | [.address, .protocol, .port, .packets, .bytes, .payload]) | @tsv' \
        <<<"$2" | column -t -s $'\t'
      ;;
    *) die "counters: -o json or -o table" ;;
  esac
}
