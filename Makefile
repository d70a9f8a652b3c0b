# The two commands of the README are `make demo` and `make test`; the other targets are their parts.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

export CARGO_TARGET_DIR ?= $(CURDIR)/target
export STREAMFLOW_CACHE ?= $(CARGO_TARGET_DIR)/tools
# Third-party test data that is not part of the project; tests say loudly when it is missing.
export STREAMFLOW_SHARED ?= $(abspath $(CURDIR)/../shared)
export STREAMFLOW_PROMETHEUS ?= $(STREAMFLOW_CACHE)/prometheus/usr/bin/prometheus
export STREAMFLOW_ALERTMANAGER ?= $(STREAMFLOW_CACHE)/alertmanager/usr/bin/prometheus-alertmanager
export STREAMFLOW_PREFECT ?= $(STREAMFLOW_CACHE)/prefect/bin/prefect
export PATH := $(STREAMFLOW_CACHE)/check/bin:$(PATH)

.PHONY: demo build test check lint docs nextest stack tools bench torture clean

## demo: build the binary and run the whole loop on sample data; Ctrl-C stops
demo: build
	$(CARGO_TARGET_DIR)/release/streamflow demo

## build: the release binary
build: | cargo-there
	cargo build --release --locked -p streamflow

## test: everything: format, lints, docs, licences, tests, the deployment files against the real tools
test: tools lint docs nextest stack
	@echo "make test: all passed"

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	tools/deny.sh

docs:
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet
	cargo test --workspace --doc --locked --quiet

nextest:
	cargo nextest run --workspace --locked --no-fail-fast

stack:
	tools/check-stack.sh

## tools: what the tests need beside Rust, into $(STREAMFLOW_CACHE)
tools: | cargo-there
	tools/install.sh

## bench: criterion benches of the hot paths; bench/ holds the comparisons with peers
bench:
	cargo bench --workspace --locked

.PHONY: cargo-there
cargo-there:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust from https://rustup.rs" >&2; exit 1; }

## torture: kill the sample store's process a hundred times while it appends
torture:
	STREAMFLOW_TORTURE=100 cargo test -p streamflow-tsdb --locked --test torture

clean:
	cargo clean
