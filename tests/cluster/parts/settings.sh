# What all parts agree on: versions, places, addresses, words for people.
# shellcheck shell=bash disable=SC2034

kubernetes_version=1.35.4 # as in kubernetes/go.mod
coredns_version=1.14.7
helm_version=4.3.1

cache="${XDG_CACHE_HOME:-$HOME/.cache}/vanta/cluster"
# Everything of the running cluster, whose folder is fixed: so whatever a crash leaves is found again.
state="$cache/running"
# Our control group, and so the mark of every process that belongs to the cluster.
group=vanta-cluster

node=node0
# An address of the namespace's own: nothing outside sees it, so it clashes with nobody's network.
node_address=192.168.250.1
pods_network=10.244.0.0/16
services_network=10.96.0.0/16
kubernetes_address=10.96.0.1
dns_address=10.96.0.10

# Exit codes, after sysexits.h: 64 usage, 69 it cannot run here, 75 one is running already.
say() { printf 'cluster: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
usage_error() { say "$*"; exit 64; }
unavailable() { say "$*"; exit 69; }

have() { type -P "$1" >/dev/null; }

# Seconds and tenths since `began`, a number of nanoseconds.
since() { printf '%d.%d s' $((($(date +%s%N) - $1) / 1000000000)) $((($(date +%s%N) - $1) / 100000000 % 10)); }
