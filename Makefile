# Every command of the project; `make help` lists them.

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/vanta
export PATH := $(CACHE)/bin:$(HOME)/.cargo/bin:$(PATH)
# Where tests find the other readers of dotenv that they compare with: node_modules/ and python/.
export VANTA_ORACLES := $(CACHE)/oracles

.DEFAULT_GOAL := help
.PHONY: help demo build release test lint deny bench setup cluster-up cluster-down

help: ## list the commands
	@printf 'VANTA: make COMMAND\n\n'
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

demo: ## see it work: a vault on this machine, a token, a read, a program with secrets, a refusal, the audit
	@scripts/setup build
	@scripts/demo

build: ## build vanta-vault and vanta-cli for development
	@scripts/setup build
	cargo build --bins

release: ## build them optimised
	@scripts/setup build
	cargo build --release --locked --bins

test: lint ## everything that must pass: lint, then all tests (documentation, units, integration)
	@scripts/setup test
	cargo build --bins
	cargo check --no-default-features --features vault --bins
	cargo check --no-default-features --features cli --bins
	cargo test --doc -- --quiet
	cargo build --examples
	cargo test --lib -- --quiet
	cargo test --test '*' -- --quiet

lint: deny ## formatting, clippy without warnings, and what `deny` checks
	@scripts/setup lint
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings

# The advisories are left out: their database is fetched from a repository, and this has to work
# where only the package registry is reached.
deny: ## licences, sources and bans of the dependencies (installs cargo-deny once)
	@scripts/setup deny
	cargo deny --log-level error check bans licenses sources

bench: ## measure a read, whole and in its parts; the numbers are of this machine
	@scripts/setup build
	cargo bench --bench '*'

cluster-up: ## start a throwaway Kubernetes on this machine (Linux, root); the first time takes some ten minutes
	@scripts/setup cluster
	@tests/cluster/cluster up

cluster-down: ## end it, or what is left of it
	@tests/cluster/cluster down

setup: ## install what all the commands need, as far as that can be done
	@scripts/setup lint deny test cluster
