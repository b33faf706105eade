# Every command of the project; `make help` lists them.

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/vanta
export PATH := $(CACHE)/bin:$(HOME)/.cargo/bin:$(PATH)
# Where tests find what they compare with: node_modules/, python/ and schemathesis/.
export VANTA_ORACLES := $(CACHE)/oracles

.DEFAULT_GOAL := help
# Which targets are fuzzed, each for how many seconds, and how many at once.
FUZZ_SECONDS ?= 600
FUZZ_JOBS ?= $(shell nproc)
FUZZ_TARGETS ?= $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))

.PHONY: help demo build release test test-fast test-cluster lint deny bench setup manifests cluster-up demo-cluster cluster-down fuzz mutants soak

help: ## list the commands
	@printf 'VANTA: make COMMAND\n\n'
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

demo: ## see it work: a vault on this machine, a token, a read, a program with secrets, a refusal, the audit
	@scripts/setup build
	@scripts/demo

build: ## build vanta-vault, vanta-injector and vanta-cli for development; the agent is a build of its own
	@scripts/setup build
	cargo build --bins

release: ## build them optimised
	@scripts/setup build
	cargo build --release --locked --bins

test: test-fast test-cluster ## everything that must pass: lint, all tests, and what is tested on a real cluster

test-fast: lint ## the same without the cluster: lint, then documentation, units, integration
	@scripts/setup test
	cargo build --bins
	for feature in vault injector cli agent; do \
	  cargo check --no-default-features --features $$feature --bins || exit 1; \
	done
	cargo test --doc -- --quiet
	cargo build --examples
	cargo test --features agent --lib -- --quiet
	cargo test --features agent --test it -- --quiet

test-cluster: ## what is promised on a real Kubernetes, on one of its own (Linux, root); says so where it cannot
	@scripts/setup test cluster
	scripts/cluster-tests

lint: deny ## formatting, clippy without warnings, and what `deny` checks
	@scripts/setup lint
	cargo fmt --check
	cargo clippy --all-targets --features agent -- -D warnings

# The advisories are left out: their database is fetched from a repository, and this has to work
# where only the package registry is reached.
deny: ## licences, sources and bans of the dependencies (installs cargo-deny once)
	@scripts/setup deny
	cargo deny --log-level error check bans licenses sources

bench: ## measure a read, whole and in its parts; the numbers are of this machine
	@scripts/setup build
	cargo bench --bench '*'

fuzz: ## look for inputs that break a parser, FUZZ_SECONDS (600) for each of FUZZ_TARGETS (all; nightly Rust)
	@scripts/setup fuzz
	scripts/fuzz --build
	printf '%s\n' $(FUZZ_TARGETS) | xargs -P $(FUZZ_JOBS) -I TARGET scripts/fuzz TARGET $(FUZZ_SECONDS)

mutants: ## change the policy and the tokens' validation line by line, and see which change no test notices (hours)
	@scripts/setup mutants
	scripts/mutants $(MUTANTS)

soak: export FUZZ_SECONDS := $(FUZZ_SECONDS)
soak: export FUZZ_JOBS := $(FUZZ_JOBS)
soak: export FUZZ_TARGETS := $(FUZZ_TARGETS)
soak: ## the long runs, or SOAK_RUNS of them, each a section of docs/soak.md; hours (nightly Rust; Linux, root)
	@scripts/setup test cluster fuzz
	scripts/soak $(CURDIR)/docs/soak.md $(SOAK_RUNS)

cluster-up: ## start a throwaway Kubernetes on this machine (Linux, root); the first time takes some ten minutes
	@scripts/setup cluster
	@tests/cluster/cluster up

demo-cluster: ## see an annotated pod read its secret, on such a Kubernetes, and play with it
	@scripts/setup build cluster
	@scripts/demo-cluster

cluster-down: ## end it, or what is left of it
	@tests/cluster/cluster down

manifests: ## write what is generated: crds/, the chart's copies of them, manifests/, docs/openapi.json
	cargo run --quiet --bin generate
	scripts/manifests

setup: ## install what all the commands need, as far as that can be done
	@scripts/setup lint deny test cluster
