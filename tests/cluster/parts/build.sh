# Builds what the cluster is made of into the cache, once for each recipe.
#
# The folder is named by a hash of the recipe and is moved to its place when it is whole, so there
# is never half a one, and two work trees that need different ones do not undo each other.
# shellcheck shell=bash disable=SC2154

# What decides what is built: sources, versions, and the functions below without their comments.
recipe() {
  cat "$here"/kubernetes/{main.go,go.mod,go.sum} "$here"/images/{Dockerfile,pause.c}
  echo "$kubernetes_version $coredns_version $helm_version"
  declare -f build_programs build_kubernetes install_go go_alone build_images image
}

# The folder of this recipe: bin/ has the programs, images/ what every pod here may use.
built() { echo "$cache/$(recipe | sha256sum | cut -c1-16)"; }

build() {
  local folder building
  folder=$(built)
  [ ! -d "$folder" ] || return 0
  have go || unavailable "its programs are not built: that takes Go 1.25 or later (https://go.dev/dl)"
  mkdir -p "$cache"
  exec 8>"$cache/build.lock"
  flock -n 8 || { say "waiting for another build"; flock 8; }
  [ ! -d "$folder" ] || return 0

  rm -rf "$cache"/.building.*
  building=$(mktemp -d "$cache/.building.XXXXXX")
  # shellcheck disable=SC2064 # this folder, now
  trap "rm -rf '$building'" EXIT
  mkdir "$building/bin" "$building/images"
  build_programs "$building/bin"
  build_images "$building"
  mv "$building" "$folder"
  trap - EXIT
  flock -u 8
  # Those of other recipes, each some 300 MB, unless some work tree still uses them.
  find "$cache" -maxdepth 1 -type d -name '????????????????' -mtime +30 -exec rm -rf {} +
  say "built into $folder"
}

build_programs() {
  local bin=$1 name
  step "Kubernetes $kubernetes_version (some ten minutes on two cores)" build_kubernetes "$bin"
  step "CoreDNS $coredns_version (some two minutes)" \
    install_go "$bin" "github.com/coredns/coredns@v$coredns_version"
  step "Helm $helm_version" install_go "$bin" "helm.sh/helm/v4/cmd/helm@v$helm_version"
  for name in etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do
    ln -s kubernetes "$bin/$name"
  done
}

# Says what is built, and how long it took; what it printed only where it fails.
step() {
  local what=$1 began log; shift
  began=$(date +%s%N)
  say "building $what"
  log=$(mktemp "$building/log.XXXXXX")
  "$@" >"$log" 2>&1 || { tail -n 20 "$log" >&2; fail "$what could not be built: see above"; }
  rm "$log"
  say "  $(since "$began")"
}

# The caller's own settings for Go are not for programs that all should get alike.
go_alone() { env GOFLAGS= GOWORK=off CGO_ENABLED=0 go "$@"; }

build_kubernetes() {
  local bin=$1 package=k8s.io/component-base/version major minor
  IFS=. read -r major minor _ <<<"$kubernetes_version"
  (cd "$here/kubernetes" && go_alone build -mod=readonly -buildvcs=false -trimpath \
    -tags providerless,dockerless -o "$bin/kubernetes" \
    -ldflags "-s -w -X $package.gitVersion=v$kubernetes_version -X $package.gitMajor=$major -X $package.gitMinor=$minor" .)
}

install_go() { GOBIN=$1 go_alone install -trimpath -ldflags '-s -w' "$2"; }

# The image that holds a pod's namespaces, and a shell for tests. No registry is asked for either.
build_images() {
  local building=$1 context name
  context=$(mktemp -d "$building/context.XXXXXX")
  have musl-gcc || unavailable 'images of the cluster itself are built with musl-gcc (scripts/setup cluster)'
  have buildah || unavailable 'images are made with buildah (scripts/setup cluster)'
  musl-gcc -static -Os -s -Wall -o "$context/pause" "$here/images/pause.c"
  cp "$(busybox_static)" "$context/busybox"
  for name in pause busybox; do
    step "the image $name" image "$name:1" "$here/images/Dockerfile" "$name" "$context" "$building/images"
  done
  rm -r "$context"
}

busybox_static() {
  local program
  for program in /usr/bin/busybox /bin/busybox; do
    # A dynamic one would find no libraries in an image from scratch.
    [ -x "$program" ] && ! readelf -l "$program" | grep -q INTERP && { echo "$program"; return; }
  done
  fail "a static busybox is needed (scripts/setup cluster)"
}

# Makes the image localhost/NAME:TAG from a stage of a Dockerfile that takes its files from FOLDER,
# and puts it into an archive in the folder OUTPUT. In a subshell, for the sake of its trap.
image() (
  name=$1 dockerfile=$2 stage=$3 folder=$4 output=$5
  store=$(mktemp -d "${TMPDIR:-/tmp}/vanta-images.XXXXXX")
  trap 'rm -rf "$store"' EXIT
  # vfs and chroot: neither needs an overlay file system or namespaces, which a container may not have.
  buildah=(buildah --root "$store/root" --runroot "$store/run" --storage-driver vfs)
  "${buildah[@]}" build --isolation chroot --build-context "binaries=$folder" --target "$stage" \
    --file "$dockerfile" --tag "localhost/$name" "$(dirname "$dockerfile")" &&
    "${buildah[@]}" push "localhost/$name" "docker-archive:$output/.$stage.tar:localhost/$name" &&
    mv "$output/.$stage.tar" "$output/$stage.tar"
)
