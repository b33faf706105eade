# Who the components and the administrator are: fresh keys and random tokens for each cluster.
# shellcheck shell=bash disable=SC2154

# A name, its user, and its groups: each gets a kubeconfig. The roles are Kubernetes' own, except
# CoreDNS's, which is in system.yaml.
identities() {
  cat <<IDENTITIES
admin admin system:masters
kubelet system:node:$node system:nodes
kube-controller-manager system:kube-controller-manager
kube-scheduler system:kube-scheduler
kube-proxy system:kube-proxy
coredns coredns
IDENTITIES
}

make_credentials() {
  local name user groups token
  mkdir "$state/pki" "$state/kubeconfigs"
  while read -r name user groups; do
    token=$(openssl rand -hex 24)
    echo "$token,$user,$user,$groups" >>"$state/pki/tokens.csv"
    kubeconfig "$token" >"$state/kubeconfigs/$name"
  done < <(identities)
  make_certificates >"$state/logs/certificates.log" 2>&1 ||
    fail "certificates could not be made: $(tail -n 1 "$state/logs/certificates.log")"
}

kubeconfig() {
  cat <<KUBECONFIG
apiVersion: v1
kind: Config
clusters: [{name: cluster, cluster: {server: "https://$node_address:6443", certificate-authority: $state/pki/authority.crt}}]
users: [{name: user, user: {token: $1}}]
contexts: [{name: cluster, context: {cluster: cluster, user: user}}]
current-context: cluster
KUBECONFIG
}

make_certificates() {
  local keys=$state/pki curve=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes) settings=$state/config/certificates.cnf
  openssl req -x509 "${curve[@]}" -days 30 -config "$settings" \
    -keyout "$keys/authority.key" -out "$keys/authority.crt" &&
    certificate server /CN=kube-apiserver &&
    # The kubelet lets system:masters do all that it can.
    certificate client /O=system:masters/CN=kube-apiserver &&
    # What signs the tokens of service accounts.
    openssl genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-256 -out "$keys/accounts.key" &&
    openssl pkey -in "$keys/accounts.key" -pubout -out "$keys/accounts.pub"
}

certificate() {
  local name=$keys/$1 section=$1 subject=$2
  openssl req -new "${curve[@]}" -config "$settings" -subj "$subject" -keyout "$name.key" -out "$name.csr" &&
    openssl x509 -req -days 30 -in "$name.csr" -CA "$keys/authority.crt" -CAkey "$keys/authority.key" \
      -CAcreateserial -extfile "$settings" -extensions "$section" -out "$name.crt"
}
