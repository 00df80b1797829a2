# Keys and certificates of the cluster's parts, made once.
# shellcheck shell=bash

make_identities() {
  if [[ ! -e $IDENTITY_DIR/.complete ]]; then
    rm -rf "$IDENTITY_DIR"
    mkdir -p "$IDENTITY_DIR"
    chmod 0700 "$IDENTITY_DIR"
    make_authority
    local server="extendedKeyUsage=serverAuth" client="extendedKeyUsage=clientAuth"
    local names="DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
    issue apiserver /CN=kube-apiserver "$server" "$names,IP:127.0.0.1,IP:$API_SERVICE_ADDRESS,IP:$NODE_ADDRESS"
    issue kubelet-server "/CN=$NODE_NAME" "$server" "DNS:$NODE_NAME,IP:127.0.0.1,IP:$NODE_ADDRESS"
    issue admin /O=system:masters/CN=admin "$client"
    issue apiserver-kubelet /O=system:masters/CN=kube-apiserver-kubelet-client "$client"
    issue controller-manager /CN=system:kube-controller-manager "$client"
    issue scheduler /CN=system:kube-scheduler "$client"
    issue kube-proxy /CN=system:kube-proxy "$client"
    issue kubelet "/O=system:nodes/CN=system:node:$NODE_NAME" "$client"
    issue front-proxy /CN=front-proxy "$client"
    openssl genrsa -out "$IDENTITY_DIR/service-account.key" 2048 2>/dev/null
    openssl rsa -in "$IDENTITY_DIR/service-account.key" -pubout -out "$IDENTITY_DIR/service-account.pub" 2>/dev/null
    touch "$IDENTITY_DIR/.complete"
  fi
  local user
  for user in controller-manager scheduler kube-proxy kubelet; do
    write_kubeconfig "$user" "$RUN_DIR/$user.kubeconfig"
  done
  write_kubeconfig admin "$KUBECONFIG_FILE"
  chmod 0600 "$KUBECONFIG_FILE"
}

make_authority() {
  openssl ecparam -name prime256v1 -genkey -noout -out "$IDENTITY_DIR/ca.key"
  openssl req -x509 -new -key "$IDENTITY_DIR/ca.key" -days 3650 -subj /CN=exeat-test-cluster -out "$IDENTITY_DIR/ca.crt"
}

# issue NAME SUBJECT KEY_USAGE [ALTERNATIVE_NAMES]
issue() {
  local name=$IDENTITY_DIR/$1 extensions=$3
  [[ -z ${4:-} ]] || extensions+=$'\n'"subjectAltName=$4"
  openssl ecparam -name prime256v1 -genkey -noout -out "$name.key"
  openssl req -new -key "$name.key" -subj "$2" |
    openssl x509 -req -CA "$IDENTITY_DIR/ca.crt" -CAkey "$IDENTITY_DIR/ca.key" -CAcreateserial -days 3650 \
      -extfile <(printf '%s\n' "$extensions") -out "$name.crt" 2>/dev/null
}

# Certificates are inlined, so that the file can be handed on.
write_kubeconfig() {
  local user=$1 file=$2
  cat >"$file" <<YAML
apiVersion: v1
kind: Config
current-context: exeat-test
contexts: [{name: exeat-test, context: {cluster: exeat-test, user: $user}}]
clusters:
  - name: exeat-test
    cluster:
      server: https://$NODE_ADDRESS:6443
      certificate-authority-data: $(base64 -w0 "$IDENTITY_DIR/ca.crt")
users:
  - name: $user
    user:
      client-certificate-data: $(base64 -w0 "$IDENTITY_DIR/$user.crt")
      client-key-data: $(base64 -w0 "$IDENTITY_DIR/$user.key")
YAML
}
