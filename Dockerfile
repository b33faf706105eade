# The images of VANTA's programs: each one static program, from scratch, as a user of its own.
#
#   docker build --target vanta-vault --tag vanta-vault --build-arg VERSION=… .
#
# The targets are vanta-vault, vanta-vault-sops, vanta-injector, vanta-agent and vanta-cli. Where the
# programs are built already, their folder takes the place of the stage `binaries`, and nothing is
# fetched or compiled:  --build-context binaries=FOLDER
ARG RUST_VERSION=1.95
# Of the stage with sops alone.
ARG GO_VERSION=1.26
ARG ALPINE_VERSION=3.22

# Alpine's own libc is musl, so its Rust links static programs for whichever platform this runs on.
FROM docker.io/library/rust:${RUST_VERSION}-alpine AS build
# A C compiler and the headers of musl: for ring, SQLite and mimalloc.
RUN apk add --no-cache gcc musl-dev
WORKDIR /source
COPY . .
# The agent is built alone: features unify, and it has to stay small.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked --bin vanta-vault --bin vanta-injector --bin vanta-cli && \
    cargo build --release --locked --no-default-features --features agent --bin vanta-agent && \
    mkdir /binaries && \
    cp target/release/vanta-vault target/release/vanta-injector target/release/vanta-cli \
       target/release/vanta-agent /binaries/

FROM scratch AS binaries
COPY --from=build /binaries/ /

# What all images share. The programs write to mounted volumes alone, so there is neither a /tmp nor
# a home; the user is a number, since Kubernetes cannot tell from a name that it is not root.
FROM scratch AS program
ARG VERSION=development
LABEL org.opencontainers.image.source="https://github.com/vanta-dev/vanta" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.vendor="VANTA" \
      org.opencontainers.image.version="${VERSION}"
USER 65532:65532

FROM program AS vanta-vault
LABEL org.opencontainers.image.title="vanta-vault" \
      org.opencontainers.image.description="The vault: gives out SOPS-encrypted secrets, to those that may have them"
COPY --from=binaries /vanta-vault /vanta-vault
ENTRYPOINT ["/vanta-vault"]

# The vault with sops and GnuPG, for master keys that are not age's (docs/keys.md). What they need is
# not in an image from scratch.
FROM docker.io/library/golang:${GO_VERSION}-alpine AS sops
ARG SOPS_VERSION=3.13.3
RUN CGO_ENABLED=0 go install -trimpath -ldflags '-s -w' \
    "github.com/getsops/sops/v3/cmd/sops@v${SOPS_VERSION}"

FROM docker.io/library/alpine:${ALPINE_VERSION} AS vanta-vault-sops
ARG VERSION=development
LABEL org.opencontainers.image.source="https://github.com/vanta-dev/vanta" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.vendor="VANTA" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.title="vanta-vault-sops" \
      org.opencontainers.image.description="The vault, with sops and GnuPG for master keys that are not age's"
RUN apk add --no-cache ca-certificates gnupg
COPY --from=sops /go/bin/sops /usr/local/bin/sops
COPY --from=binaries /vanta-vault /vanta-vault
USER 65532:65532
ENTRYPOINT ["/vanta-vault"]

FROM program AS vanta-injector
LABEL org.opencontainers.image.title="vanta-injector" \
      org.opencontainers.image.description="The admission webhook: gives the agent to pods that ask for secrets"
COPY --from=binaries /vanta-injector /vanta-injector
ENTRYPOINT ["/vanta-injector"]

FROM program AS vanta-agent
LABEL org.opencontainers.image.title="vanta-agent" \
      org.opencontainers.image.description="The agent in a pod: fetches its secrets and keeps their file fresh"
COPY --from=binaries /vanta-agent /vanta-agent
ENTRYPOINT ["/vanta-agent"]

FROM program AS vanta-cli
LABEL org.opencontainers.image.title="vanta-cli" \
      org.opencontainers.image.description="The command line client"
COPY --from=binaries /vanta-cli /vanta-cli
ENTRYPOINT ["/vanta-cli"]
