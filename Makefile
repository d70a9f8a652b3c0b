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
export STREAMFLOW_REDIS ?= $(STREAMFLOW_CACHE)/redis/bin/redis-server
export STREAMFLOW_PREFECT ?= $(STREAMFLOW_CACHE)/prefect/bin/prefect
export STREAMFLOW_MOTO ?= $(STREAMFLOW_CACHE)/moto/bin/moto_server
export PATH := $(STREAMFLOW_CACHE)/check/bin:$(PATH)
# A build from nothing takes less without what the next one could use; who edits sets it to 1.
export CARGO_INCREMENTAL ?= 0

.PHONY: demo build release sbom test check lint docs nextest stack tools cluster wheel wheel-test interop bench clean console console-checks browser

# The engine for a cluster compiles longer than all the rest, so it has a target of its own; so has the module for Python,
# which needs the libraries of one.
WORKSPACE := --workspace --exclude streamflow-cluster --exclude streamflow-python
# Both at once, or their libraries would be compiled twice with other features.
CLUSTER := -p streamflow -p streamflow-cluster --features streamflow/cluster --locked

## demo: build the binary and run the whole loop on sample data; Ctrl-C stops
demo: build
	$(CARGO_TARGET_DIR)/quick/streamflow demo

## build: the web console, then the binary that holds it, for $(CARGO_TARGET_DIR)/quick
build: console | cargo-there
	cargo build --profile quick --locked -p streamflow

## release: the same with every part optimised, for $(CARGO_TARGET_DIR)/release
release: console | cargo-there
	cargo build --release --locked -p streamflow

## sbom: what the binary and the console in it are made of, as CycloneDX beside the release
sbom: | cargo-there node-there
	cargo install --quiet --locked --root $(STREAMFLOW_CACHE)/sbom cargo-cyclonedx@0.5.9
	PATH=$(STREAMFLOW_CACHE)/sbom/bin:$$PATH tools/sbom.sh rust $(CARGO_TARGET_DIR)/release
	tools/sbom.sh console $(CARGO_TARGET_DIR)/release

## test: everything: format, lints, docs, licences, tests, the deployment files against the real tools, the browser
test: tools console lint docs nextest stack console-checks browser
	@echo "make test: all passed"

CONSOLE_SOURCES := $(shell find console -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -path '*/test-artifacts/*')

## console: the web console's files, which the binary embeds
console: console/dist/index.html

console/dist/index.html: console/node_modules/.installed $(CONSOLE_SOURCES)
	cd console && npm run --silent build

console/node_modules/.installed: console/package-lock.json | node-there
	cd console && npm ci --silent --no-audit --no-fund
	touch $@

console-checks: console
	cd console && npm run --silent lint && npm run --silent test && npm run --silent size

## browser: the journeys of a user in a real Chromium, against the binary that the tests were run with
browser: console
	cargo build $(WORKSPACE) --tests --locked --quiet
	cd console && STREAMFLOW_BIN=$(CARGO_TARGET_DIR)/debug/streamflow npm run --silent browser

lint:
	cargo fmt --all --check
	cargo clippy $(WORKSPACE) --all-targets --locked -- -D warnings
	tools/deny.sh

docs:
	python3 tools/promises.py
	RUSTDOCFLAGS="-D warnings" cargo doc $(WORKSPACE) --no-deps --locked --quiet
	cargo test $(WORKSPACE) --doc --locked --quiet

nextest:
	cargo nextest run $(WORKSPACE) --locked --no-fail-fast

stack:
	tools/check-stack.sh

## tools: what the tests need beside Rust, into $(STREAMFLOW_CACHE)
tools: | cargo-there
	tools/install.sh

## cluster: the engine for a cluster: its lints, docs and tests, and the binary that has it
cluster: console | cargo-there
	cargo clippy $(CLUSTER) --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc -p streamflow-cluster --no-deps --locked --quiet
	cargo nextest run $(CLUSTER) --lib --test cli --test equal --test limit --test queries --no-fail-fast \
		-E 'package(streamflow-cluster) or test(/^engines::/)'
	cargo build --profile quick $(CLUSTER) --bins --examples --target-dir $(CARGO_TARGET_DIR)/cluster

WHEEL := $(STREAMFLOW_CACHE)/wheel
WHEELS := $(CARGO_TARGET_DIR)/wheels
# What the wheel says it runs on: this machine, or a tag such as manylinux_2_28 in the image of that name.
WHEEL_COMPATIBILITY ?= linux

## wheel: the module for Python and the command streamflow-ml in one file, for $(CARGO_TARGET_DIR)/wheels
wheel: build
	tools/venv-wheel.sh $(WHEEL)
	cargo clippy -p streamflow-python --locked -- -D warnings
	rm -rf $(WHEELS)
	cd python && $(WHEEL)/bin/maturin build --quiet --profile quick --locked --compatibility $(WHEEL_COMPATIBILITY) --out $(WHEELS)
	python3 tools/wheel_command.py $(WHEELS)/*.whl $(CARGO_TARGET_DIR)/quick/streamflow

## wheel-test: the wheel in an empty environment, and its tests beside pandas, polars, pyarrow, DuckDB and SciPy
wheel-test: wheel
	tools/wheel-test.sh $(WHEELS)/*.whl $(WHEEL)

## interop: real products that take minutes to install, and the long tests; docs/interop.md holds what it printed
interop: build cluster wheel-test
	STREAMFLOW_CLUSTER=$(CARGO_TARGET_DIR)/cluster/quick STREAMFLOW_BIN=$(CARGO_TARGET_DIR)/quick/streamflow tools/interop.sh

## bench: criterion benches of the hot paths and the console in a browser; bench/ holds the comparisons with peers
bench: release
	cargo bench $(WORKSPACE) --locked
	cd console && STREAMFLOW_BIN=$(CARGO_TARGET_DIR)/release/streamflow npm run --silent bench

.PHONY: cargo-there
cargo-there:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust from https://rustup.rs" >&2; exit 1; }

.PHONY: node-there
node-there:
	@node --version 2>/dev/null | grep -qE '^v(2[0-9]|[3-9][0-9])\.' || { echo "Node 20 or newer is missing: install it from https://nodejs.org" >&2; exit 1; }

clean:
	cargo clean
	rm -rf console/dist console/node_modules console/test-artifacts
