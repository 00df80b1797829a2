# Names, addresses and places, in one table. Every other part reads them from here.
# shellcheck shell=bash disable=SC2034
here=${here:?sourced by cluster alone}

REPOSITORY=$(cd "$here/../.." && pwd)
CACHE_DIR=${EXEAT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/exeat}

# The state of a running cluster; `down` removes it whole.
CLUSTER_DIR=${EXEAT_CLUSTER_DIR:-$CACHE_DIR/cluster}
RUN_DIR=$CLUSTER_DIR/run
# Keys and certificates stay between runs, so that a kubeconfig stays valid.
IDENTITY_DIR=$CLUSTER_DIR/identity
KUBECONFIG_FILE=$CLUSTER_DIR/kubeconfig
SYSCTL_FILE=$CLUSTER_DIR/sysctl.before

KUBERNETES_VERSION=1.36.4
COREDNS_VERSION=1.15.0
HELM_VERSION=4.3.1
KUBE_ROUTER_VERSION=2.10.0

TOOLS_DIR=$CACHE_DIR/tools
DEBIAN_DIR=$CACHE_DIR/debian
IMAGES_DIR=$CACHE_DIR/images

NODE_NAME=node1
NODE_NETNS=exeat
NODE_LINK=exeat-host
HOST_ADDRESS=10.213.0.1
NODE_ADDRESS=10.213.0.2
POD_RANGE=10.244.0.0/16
NODE_POD_RANGE=10.244.0.0/24
SERVICE_RANGE=10.96.0.0/16
API_SERVICE_ADDRESS=10.96.0.1
DNS_SERVICE_ADDRESS=10.96.0.10

# The test internet. TEST-NET-3 is routed inside the node's namespace alone: the machine's
# own namespace never learns of it.
INTERNET_NETNS=exeat-ext
INTERNET_GATEWAY=203.0.113.1
INTERNET_DNS=203.0.113.53
METADATA_ADDRESS=169.254.169.254

# Whether KUBECONFIG names a cluster other than the test cluster.
different_cluster() { [[ -n ${KUBECONFIG:-} && $KUBECONFIG != "$KUBECONFIG_FILE" ]]; }

# image_reference NAME: where the cluster finds the image exeat-NAME.
image_reference() { printf '%s/exeat-%s:%s\n' "${EXEAT_IMAGE_REPOSITORY:-localhost}" "$1" "${EXEAT_IMAGE_TAG:-dev}"; }

# example FILE: an example, with the agent's image where the cluster finds it.
example() { sed "s#localhost/exeat-agent:dev#$(image_reference agent)#" "$REPOSITORY/examples/$1"; }

PATH=$TOOLS_DIR/kubernetes-$KUBERNETES_VERSION:$TOOLS_DIR/helm-$HELM_VERSION:$TOOLS_DIR/kube-router-$KUBE_ROUTER_VERSION:$TOOLS_DIR/coredns-$COREDNS_VERSION:$DEBIAN_DIR/root/usr/bin:$DEBIAN_DIR/root/usr/sbin:$PATH:/usr/sbin:/sbin
export PATH
