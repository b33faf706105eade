# The components: how each is started, and how it is seen to be ready.
# shellcheck shell=bash disable=SC2154

# Starts a component in the namespaces. None of the caller's variables gets in: a proxy, say, would
# be asked for the way to a webhook.
start() {
  local name=$1; shift
  launch "$name" nsenter --target "$(cat "$state/holder.pid")" --net --mount -- \
    env -i -C "$state" PATH="$(built)/bin:$PATH" HOME="$state/home" "$@"
}

# Starts a process of the cluster, to outlive this one. Its log and its number are named as it is.
launch() {
  local name=$1; shift
  (
    join_group
    exec setsid "$@"
  ) >"$state/logs/$name.log" 2>&1 </dev/null 9>&- &
  echo $! >"$state/$name.pid"
  disown
}

# Waits until COMMAND succeeds, but not after COMPONENT has ended, nor longer than SECONDS.
wait_for() {
  local component=$1 seconds=$2 what=$3 end; shift 3
  end=$(($(date +%s) + seconds))
  until "$@" >/dev/null 2>&1; do
    kill -0 "$(cat "$state/$component.pid")" 2>/dev/null || failed "$component" "$component has ended, and no $what"
    [ "$(date +%s)" -lt "$end" ] || failed "$component" "no $what after $seconds seconds"
    sleep 0.1
  done
}

failed() {
  say "$2; the end of $1's log:"
  tail -n 15 "$state/logs/$1.log" >&2
  exit 1
}

start_holder() {
  launch holder unshare --net --mount --propagation private -- \
    "$here/parts/holder" "$state" "$node_address" "$dns_address"
  wait_for holder 10 'namespaces' test -e "$state/holder.ready"
}

start_etcd() {
  # Nothing of it outlives the machine, so it need not wait for the disk.
  start etcd etcd --data-dir "$state/etcd" --unsafe-no-fsync --logger zap --log-level warn \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
    --initial-cluster default=http://127.0.0.1:2380
}

start_apiserver() {
  # Webhooks and the kubelet are called by addresses: here both are reached as from any node, since
  # kube-proxy serves this namespace too.
  start kube-apiserver kube-apiserver --etcd-servers http://127.0.0.1:2379 \
    --bind-address 0.0.0.0 --advertise-address "$node_address" --secure-port 6443 \
    --tls-cert-file "$state/pki/server.crt" --tls-private-key-file "$state/pki/server.key" \
    --kubelet-client-certificate "$state/pki/client.crt" --kubelet-client-key "$state/pki/client.key" \
    --kubelet-preferred-address-types InternalIP \
    --token-auth-file "$state/pki/tokens.csv" --authorization-mode Node,RBAC \
    --enable-admission-plugins NodeRestriction --allow-privileged \
    --service-cluster-ip-range "$services_network" \
    --service-account-issuer https://kubernetes.default.svc.cluster.local \
    --service-account-key-file "$state/pki/accounts.pub" \
    --service-account-signing-key-file "$state/pki/accounts.key" \
    --enable-priority-and-fairness=false --profiling=false
}

start_controllers() {
  # The controllers are started one after another and ask for their accounts: at the usual rate of
  # requests that takes longer than everything else.
  start kube-controller-manager kube-controller-manager \
    --kubeconfig "$state/kubeconfigs/kube-controller-manager" --use-service-account-credentials \
    --service-account-private-key-file "$state/pki/accounts.key" --root-ca-file "$state/pki/authority.crt" \
    --kube-api-qps 500 --kube-api-burst 1000 \
    --allocate-node-cidrs --cluster-cidr "$pods_network" --leader-elect=false \
    --bind-address 127.0.0.1 --profiling=false
  start kube-scheduler kube-scheduler --kubeconfig "$state/kubeconfigs/kube-scheduler" \
    --leader-elect=false --bind-address 127.0.0.1 --profiling=false
}

start_containerd() {
  start containerd containerd --config "$state/config/containerd.toml"
  wait_for containerd 20 'answer of containerd' run ctr --namespace k8s.io version
  load "$(built)"/images/*.tar
}

start_node() {
  # Only now: a kubelet without a runtime ends.
  start kubelet kubelet --config "$state/config/kubelet.yaml" --kubeconfig "$state/kubeconfigs/kubelet" \
    --root-dir "$state/kubelet" --cert-dir "$state/kubelet/pki" \
    --hostname-override "$node" --node-ip "$node_address"
  start kube-proxy kube-proxy --config "$state/config/kube-proxy.yaml"
}

start_dns() {
  kubectl apply --filename "$state/config/system.yaml" >/dev/null
  start coredns coredns -conf "$state/config/Corefile"
}

# A pod needs all of these, and nothing else says when they are there.
wait_until_usable() {
  wait_for kubelet 60 'ready node' kubectl wait --for condition=Ready --timeout 5s "node/$node"
  wait_for kube-controller-manager 30 'service account for pods' kubectl wait --for create --timeout 5s serviceaccount/default
  wait_for coredns 30 'names of services' run getent hosts kubernetes.default.svc.cluster.local
}
