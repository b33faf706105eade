# Whether a cluster can run on this machine: one reason why not, or silence.
# shellcheck shell=bash disable=SC2154

check() {
  local reason
  reason=$(obstacle) || true
  [ -z "$reason" ] || unavailable "cannot run here: $reason"
}

# Prints the first thing that stands in the way. What has to be tried is tried, since rights in a
# container cannot be told from a list of capabilities.
obstacle() {
  [ "$(uname -s)" = Linux ] || { echo "it needs Linux, and this is $(uname -s)"; return; }
  [ "$(id -u)" = 0 ] || { echo "it needs root, to make namespaces and control groups"; return; }
  # The path of a unix socket has at most 107 bytes, and the kubelet's is the longest of ours.
  [ ${#state} -le 60 ] || { echo "the path $state is too long for its sockets: set XDG_CACHE_HOME"; return; }
  awk '/^MemAvailable/ { exit $2 < 1500000 }' /proc/meminfo || { echo "it needs 1.5 GB of free memory"; return; }
  local program missing=''
  for program in unshare nsenter ip nft conntrack openssl flock containerd ctr runc; do
    have "$program" || missing="$missing $program"
  done
  [ -n "$(cni_plugins)" ] || missing="$missing CNI-plugins"
  [ -z "$missing" ] || { echo "missing:$missing (scripts/setup cluster)"; return; }
  cgroup_obstacle && return
  unshare --net --mount true 2>/dev/null || { echo "network and mount namespaces may not be made"; return; }
  unshare --net --mount sh -c 'mount -t tmpfs none /run' 2>/dev/null ||
    { echo "file systems may not be mounted"; return; }
  unshare --net sh -c 'ip link add name node type bridge && ip link add name pod type veth peer name host' 2>/dev/null ||
    { echo "the kernel makes no bridge or no pair of virtual network devices"; return; }
  unshare --net sh -c 'nft add table ip probe && nft add chain ip probe nat "{ type nat hook output priority 0; }" &&
    nft add rule ip probe nat numgen random mod 2 vmap "{ 0 : accept, 1 : accept }"' 2>/dev/null ||
    { echo "the kernel has no nftables with address translation, which kube-proxy works by"; return; }
  [ -x "$(built)/bin/kubernetes" ] || echo "its programs are not built yet (scripts/setup cluster)"
}

# Where the distribution keeps the plugins of containernetworking-plugins.
cni_plugins() {
  local folder
  for folder in /usr/lib/cni /opt/cni/bin /usr/libexec/cni; do
    [ -x "$folder/ptp" ] && [ -x "$folder/host-local" ] && { echo "$folder"; return; }
  done
}
