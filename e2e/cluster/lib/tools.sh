# The parts that Debian does not have, compiled from pinned Go modules (tools/*/go.mod) and
# kept by version. A directory without `.complete` is one whose build was cut short.
# shellcheck shell=bash disable=SC2154

build_tools() {
  local kubernetes=k8s.io/component-base/version
  build_tool kubernetes "$KUBERNETES_VERSION" tool \
    "-X $kubernetes.gitVersion=v$KUBERNETES_VERSION -X $kubernetes.gitMajor=1 -X $kubernetes.gitMinor=36 -X $kubernetes.gitTreeState=clean"
  build_tool kube-router "$KUBE_ROUTER_VERSION" tool ""
  build_tool coredns "$COREDNS_VERSION" . ""
  build_tool helm "$HELM_VERSION" tool "-X helm.sh/helm/v4/internal/version.version=v$HELM_VERSION"
}

# build_tool MODULE VERSION PACKAGE LINKER_FLAGS
build_tool() {
  local module=$1 version=$2 package=$3 flags=$4 output
  output=$TOOLS_DIR/$module-$version
  [[ -e $output/.complete ]] && return
  need_go
  mkdir -p "$output"
  # The version that is built is the one of the module file, the directory says what we expect.
  grep -q "v$version\|v0${version#1}" "$here/tools/$module/go.mod" ||
    die "tools/$module/go.mod does not name version $version"
  with_progress "compiling $module $version" "$CLUSTER_DIR/log/build-$module.log" \
    env -C "$here/tools/$module" CGO_ENABLED=0 go build -v -trimpath -ldflags "-s -w $flags" -o "$output/" "$package"
  touch "$output/.complete"
}

need_go() {
  command -v go >/dev/null || die "Go is needed to compile Kubernetes (1.21 or newer; it fetches the version it needs)" \
    "Install Go, or set KUBECONFIG to a cluster that you have."
}
