# What a person sees: steps with their elapsed time, and errors that say what to do.
# shellcheck shell=bash

STARTED=$(date +%s.%N)

elapsed() { awk -v from="$STARTED" -v to="$(date +%s.%N)" 'BEGIN { printf "%.1f", to - from }'; }
say() { printf '[%6ss] %s\n' "$(elapsed)" "$*" >&2; }
step() { say "$* ..."; }
step_done() { say "$*"; }

die() {
  printf 'error: %s\n' "$1" >&2
  shift
  (($# == 0)) || printf '       %s\n' "$@" >&2
  exit 1
}

need_root_on_linux() {
  [[ $(uname -s) == Linux ]] || die "the test cluster needs Linux, this is $(uname -s)" \
    "Set KUBECONFIG to a cluster that you have, and use make demo or make test with it."
  [[ $(id -u) == 0 ]] || die "the test cluster needs root: it makes network namespaces and mounts of its own" \
    "Run it with sudo, or set KUBECONFIG to a cluster that you have."
}

# Runs a command with its output in a file, and tells every ten seconds what it does and how
# far it is. On failure shows the end of the output.
#   with_progress TITLE LOG CMD...
with_progress() {
  local title=$1 log=$2 begun now pid
  shift 2
  mkdir -p "$(dirname "$log")"
  begun=$(date +%s)
  step "$title"
  "$@" >"$log" 2>&1 &
  pid=$!
  local ticks=0
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    ticks=$((ticks + 1))
    if ((ticks % 50 == 0)); then
      now=$(date +%s)
      say "  $title, $((now - begun)) s: $(tail -n 1 "$log" 2>/dev/null | tr -d '\r\0' | cut -c 1-90)"
    fi
  done
  if ! wait "$pid"; then
    tail -n 40 "$log" >&2
    die "$title failed" "The whole output is in $log"
  fi
}

# Waits until a command succeeds: wait_until SECONDS WHAT CMD...
wait_until() {
  local deadline=$1 what=$2
  shift 2
  local end
  end=$(($(date +%s) + deadline))
  until "$@" >/dev/null 2>&1; do
    (($(date +%s) < end)) || die "$what: not after $deadline s" "Logs: $RUN_DIR/log"
    sleep 0.1
  done
}

# process_is PID_FILE TEXT: whether the process whose id is in the file lives and is the one
# that we started: TEXT is part of its command line.
process_is() {
  local pid line
  pid=$(cat "$1" 2>/dev/null) || return 1
  line=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") || return 1
  [[ $line == *"$2"* ]]
}
