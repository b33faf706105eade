# Up and down. All that `down` needs is found by fixed names, so it works after any crash.
# shellcheck shell=bash disable=SC2154

up() {
  check
  one_at_a_time
  if running; then
    say "one is running already, in $(held_folder): 'make cluster-down' ends it"
    exit 75
  fi
  [ -z "$(remains)" ] || { say 'clearing away what another one has left'; clear_away; }

  local began
  began=$(date +%s%N)
  trap 'say "it did not come up"; clear_away' EXIT
  trap 'exit 130' INT TERM HUP
  touch "$(built)" # in use, so kept
  make_state
  make_groups
  start_holder
  write_run
  start_etcd
  start_apiserver
  start_containerd
  wait_for kube-apiserver 60 'answer of the API server' kubectl get --raw /readyz
  start_controllers
  start_node
  start_dns
  wait_until_usable
  rm "$state/starting"
  trap - EXIT INT TERM HUP
  say "up in $(since "$began")"
  echo "$state"
}

down() {
  ! grep -q "/$group" /proc/self/cgroup || fail 'it cannot be ended from the inside'
  one_at_a_time
  [ -n "$(remains)" ] || { say 'none is running'; return 0; }
  local began folder
  folder=$(held_folder)
  [ "${folder:-$state}" = "$state" ] || fail "the cluster that runs is another cache's, in $folder"
  began=$(date +%s%N)
  clear_away
  say "down in $(since "$began")"
}

# Held until this process ends; the components are started without it. Where this process is killed,
# what it just ran holds it for a little longer.
one_at_a_time() {
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  # Zero said, since in a trap a bare `return` gives what failed before it.
  flock --nonblock 9 && return 0
  say 'waiting for another up or down'
  flock --timeout 60 9 || { say 'another up or down is under way'; exit 75; }
}

# Whether somebody may be using a cluster: one is held, and its start is not known to have been killed
# (this holds the lock of its own cache, so no start is under way there). In doubt it runs: what `up`
# clears away by itself must be nobody's.
running() {
  local folder
  folder=$(held_folder)
  [ -n "$folder" ] && { [ "$folder" != "$state" ] || [ ! -e "$state/starting" ]; }
}

# The folder of the cluster whose namespaces are held, which may be one of another user or cache.
held_folder() {
  local process
  for process in $(members); do
    tr '\0' '\n' 2>/dev/null <"/proc/$process/cmdline" | sed -n '1s/^vanta-cluster-holder://p'
  done
}

# What there is of a cluster, whether it runs or not.
remains() {
  groups_made
  [ ! -d "$state" ] || echo "$state"
}

clear_away() {
  local folder
  trap '' INT TERM HUP
  end_members
  # The namespaces end with the last process in them, and with them mounts, devices and rules.
  remove_groups
  while read -r folder; do
    rmdir "$folder" 2>/dev/null || true
  done < <(tac "$state/made-folders" 2>/dev/null)
  rm -rf "$state"
}

# The state's folder holds keys and tokens, so it is the owner's alone.
make_state() {
  local folder file
  (umask 077 && mkdir "$state")
  touch "$state/starting"
  mkdir "$state"/{logs,pod-logs,home}
  # The holder mounts something over these; where one was missing, `clear_away` removes it.
  for folder in /var/lib/cni /var/lib/kubelet /var/log/containers; do
    [ -d "$folder" ] || { mkdir "$folder" && echo "$folder" >>"$state/made-folders"; }
  done
  cp -r "$here/config" "$state/config"
  for file in "$state"/config/* "$state"/config/cni/*; do
    [ ! -f "$file" ] || fill_in "$file"
  done
  make_credentials
}

fill_in() {
  sed -i "s|@STATE@|$state|g; s|@GROUP@|$group|g; s|@NODE@|$node|g; s|@NODE_ADDRESS@|$node_address|g
    s|@KUBERNETES_ADDRESS@|$kubernetes_address|g; s|@DNS_ADDRESS@|$dns_address|g
    s|@PODS_NETWORK@|$pods_network|g; s|@CNI_PLUGINS@|$(cni_plugins)|g" "$1"
}
