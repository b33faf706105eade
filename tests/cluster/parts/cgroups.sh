# The cluster's control group: made before the kubelet starts, and the list of what has to end.
#
# Pods get theirs below it from the kubelet, and the components theirs from `join_group`. A process
# cannot leave it, and its name is no number that the kernel gives to somebody else, so ending all
# that is in it ends the cluster and nothing but the cluster, however its processes came to be there.
# shellcheck shell=bash disable=SC2154

# 2 where the one hierarchy has the controllers, else 1, also where version 2 stands beside it.
cgroup_version() { if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo 2; else echo 1; fi; }

# Where the hierarchies are mounted: one with version 2, one a controller with version 1.
hierarchies() {
  if [ "$(cgroup_version)" = 2 ]; then
    echo /sys/fs/cgroup
  else
    awk '{ for (i = 7; $i != "-"; i++); if ($(i + 1) == "cgroup") print $5 }' /proc/self/mountinfo
  fi
}

# The cluster's group in each hierarchy that has it. Found by name: runc also uses a version 2 that
# stands beside version 1.
groups_made() {
  local folder
  for folder in "/sys/fs/cgroup/$group" /sys/fs/cgroup/*/"$group"; do
    [ -d "$folder" ] && echo "$folder"
  done
  return 0
}

# The file by which a process becomes one of the cluster. With version 1 the freezer's is taken, for
# it can hold them all while they are ended, and counts nothing.
components_group() {
  if [ "$(cgroup_version)" = 2 ]; then
    echo "/sys/fs/cgroup/$group/components"
  else
    echo "/sys/fs/cgroup/freezer/$group/components"
  fi
}

# Prints what stands in the way, if anything does.
cgroup_obstacle() {
  local folder controllers needed=''
  if [ "$(cgroup_version)" = 2 ]; then
    controllers=" $(cat /sys/fs/cgroup/cgroup.controllers) "
  else
    controllers=" $(hierarchies | sed 's|.*/||; s/,/ /g' | tr '\n' ' ') "
    [[ $controllers = *' freezer '* ]] || needed="$needed freezer"
  fi
  for folder in cpu cpuset memory pids; do
    [[ $controllers = *" $folder "* ]] || needed="$needed $folder"
  done
  [ -z "$needed" ] || { echo "no control groups for$needed"; return; }
  for folder in $(hierarchies); do
    mkdir "$folder/$group-probe" 2>/dev/null && rmdir "$folder/$group-probe" ||
      { echo "control groups cannot be made in $folder"; return; }
  done
  # Where this is a container's view of version 2, its own processes may stand in the way. (Otherwise
  # this is what systemd has done already, and changes nothing for anybody.)
  if [ "$(cgroup_version)" = 2 ] && ! delegate /sys/fs/cgroup cpu cpuset memory pids; then
    echo "control groups in /sys/fs/cgroup cannot be limited (it has processes of its own)"
    return
  fi
  return 1
}

# Lets the groups below FOLDER use these controllers of version 2.
delegate() {
  local folder=$1 controller; shift
  for controller in "$@"; do
    grep -qw "$controller" "$folder/cgroup.subtree_control" ||
      echo "+$controller" 2>/dev/null >"$folder/cgroup.subtree_control" || return 1
  done
}

make_groups() {
  local folder controller file
  for folder in $(hierarchies); do
    mkdir -p "$folder/$group"
    if [ "$(cgroup_version)" = 2 ]; then
      # The kubelet wants its group to have every controller that there is.
      for controller in $(cat "$folder/cgroup.controllers"); do
        delegate "$folder" "$controller" && delegate "$folder/$group" "$controller" || true
      done
    fi
    # A set of processors starts empty, and takes no process until it has its parent's.
    for file in cpuset.cpus cpuset.mems; do
      [ "$(cgroup_version)" = 1 ] && [ -e "$folder/$file" ] && cat "$folder/$file" >"$folder/$group/$file"
    done
  done
  mkdir "$(components_group)"
}

# Makes the calling (sub)shell one of the cluster's processes, and so all that it starts.
join_group() { echo "$BASHPID" >"$(components_group)/cgroup.procs"; }

members() {
  local folder
  for folder in $(groups_made); do
    find "$folder" -name cgroup.procs -exec cat {} + 2>/dev/null
  done | grep -v "^0\$" | sort -u
}

# Ends every process of the cluster. They are stopped first where that is possible, since one that
# runs could start another between being listed and being ended.
end_members() {
  local tries freezer="/sys/fs/cgroup/freezer/$group/freezer.state"
  for ((tries = 0; tries < 100; tries++)); do
    [ -n "$(members)" ] || return 0
    [ ! -e "$freezer" ] || echo FROZEN >"$freezer"
    if [ -e "/sys/fs/cgroup/$group/cgroup.kill" ]; then
      echo 1 >"/sys/fs/cgroup/$group/cgroup.kill"
    else
      # shellcheck disable=SC2046 # one word each
      kill -KILL $(members) 2>/dev/null || true
    fi
    [ ! -e "$freezer" ] || echo THAWED >"$freezer"
    sleep 0.05
  done
  say "these processes do not end: $(members | tr '\n' ' ')"
  return 1
}

remove_groups() {
  local folder tries
  for ((tries = 0; tries < 100; tries++)); do
    for folder in $(groups_made); do
      find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done
    [ -n "$(groups_made)" ] || return 0
    sleep 0.05
  done
  say "these control groups cannot be removed: $(groups_made | tr '\n' ' ')"
  return 1
}
