# The project's own images, made from its Dockerfile with programs that are built here.
# shellcheck shell=bash disable=SC2154

# images [--profile PROFILE] [--agent-profile PROFILE] [FOLDER]: prints the folder of the archives.
# With FOLDER the programs are taken from there and nothing is compiled. The agent is the one that is
# released, since its memory is limited; it is small, and compiled soon.
images() {
  local profile=cluster agent_profile=agent folder='' output program
  while [ $# -gt 0 ]; do
    case $1 in
      --profile) profile=${2:?}; shift 2 ;;
      --agent-profile) agent_profile=${2:?}; shift 2 ;;
      -*) usage_error "images takes no $1" ;;
      *) folder=$1; shift ;;
    esac
  done
  have buildah || unavailable 'images are made with buildah (scripts/setup cluster)'
  output=$(target_folder)/images
  mkdir -p "$output"
  [ -n "$folder" ] || { folder=$output/programs && compile "$profile" "$agent_profile" "$folder"; }
  for program in vanta-vault vanta-injector vanta-agent vanta-cli; do
    image_unless_fresh "$program" "$folder" "$output" ||
      fail "the image $program could not be made: $(tail -n 1 "$output/image.log")"
  done
  echo "$output"
}

image_unless_fresh() {
  local program=$1 folder=$2 output=$3 dockerfile=$root/Dockerfile
  [ "$output/$program.tar" -nt "$folder/$program" ] && [ "$output/$program.tar" -nt "$dockerfile" ] && return
  image "$program:dev" "$dockerfile" "$program" "$folder" "$output" >"$output/image.log" 2>&1
}

# Static programs, since their images hold nothing else. Two calls: features unify, and the agent's
# must not grow by the others'.
compile() {
  local profile=$1 agent_profile=$2 folder=$3 platform program
  platform=$(uname -m)-unknown-linux-musl
  have musl-gcc || unavailable 'static programs are linked with musl-gcc (scripts/setup cluster)'
  static_cargo "$platform" --profile "$profile" --bin vanta-vault --bin vanta-injector --bin vanta-cli
  static_cargo "$platform" --profile "$agent_profile" --no-default-features --features agent --bin vanta-agent
  mkdir -p "$folder"
  for program in vanta-vault vanta-injector vanta-cli; do
    ln -f "$(target_folder)/$platform/$profile/$program" "$folder/"
  done
  ln -f "$(target_folder)/$platform/$agent_profile/vanta-agent" "$folder/"
}

# C is compiled against musl's headers: ring, SQLite and mimalloc.
static_cargo() {
  local platform=$1; shift
  say "cargo build $*"
  (cd "$root" && env "CC_${platform//-/_}=musl-gcc" cargo build --quiet --locked --target "$platform" "$@") >&2
}

target_folder() {
  (cd "$root" && cargo metadata --format-version 1 --no-deps --offline) |
    sed -nE 's/.*"target_directory":"([^"]*)".*/\1/p'
}
