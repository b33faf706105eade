# Commands inside the cluster: in its network and with its mounts, as this user, in this folder.
# shellcheck shell=bash disable=SC2154

# Writes the program `run` for this cluster, with all that it needs to know in it: it is called for
# every command of every test, so it finds out nothing anew and starts no bash.
write_run() {
  local holder network
  holder=$(cat "$state/holder.pid")
  network=$(readlink "/proc/$holder/ns/net")
  cat >"$state/run" <<RUN
#!/bin/sh
# run COMMAND [ARGUMENTS]: runs it inside the cluster, in the folder where it was called. Signals,
# input, output and exit code are the command's own, since nothing stays in between.
[ "\$(readlink /proc/$holder/ns/net)" = '$network' ] || { echo 'cluster: it is not running' >&2; exit 69; }
# What is left running is ended with the cluster.
echo \$\$ >'$(components_group)/cgroup.procs'
# Nothing outside is reachable from here, a proxy neither.
unset HTTP_PROXY HTTPS_PROXY ALL_PROXY http_proxy https_proxy all_proxy
export KUBECONFIG='$state/kubeconfigs/admin' PATH='$(built)/bin':"\$PATH" KUBERC=off KUBECACHEDIR='$state/home/kube'
export HELM_CACHE_HOME='$state/home/helm' HELM_CONFIG_HOME='$state/home/helm' HELM_DATA_HOME='$state/home/helm'
export CONTAINERD_ADDRESS='$state/containerd.sock' CONTAINERD_NAMESPACE=k8s.io VANTA_CLUSTER='$state'
exec nsenter --target $holder --net --mount -- env -C "\$PWD" "\$@"
RUN
  chmod +x "$state/run"
}

run() {
  [ -x "$state/run" ] || unavailable 'it is not running'
  "$state/run" "$@"
}

kubectl() { run kubectl "$@"; }

# Imports archives of images. Each pod then takes them by name, with imagePullPolicy Never.
load() {
  local archive
  for archive in "$@"; do
    run ctr images import --snapshotter native "$archive" >"$state/logs/load.log" 2>&1 ||
      { say "$archive could not be imported: $(tail -n 1 "$state/logs/load.log")"; return 1; }
  done
}
