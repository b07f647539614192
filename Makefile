# Everything a developer types. `make` alone says what there is.
#
# Each language keeps its own targets beside its code (the fragments included below); this file
# names the ones that people use, and puts them in order.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
PREFIX ?= /usr/local
DESTDIR ?=
SEEDS ?= 2000
SEED ?=
CARGO_TARGET_DIR ?= $(CURDIR)/target
export CARGO_TARGET_DIR PYTHON

-include ffi/ffi.mk
-include bindings/python/python.mk
-include bindings/node/node.mk
-include tests/crash/crash.mk
-include tests/storage/storage.mk
-include tests/differential/differential.mk
-include bench/bench.mk
-include examples/flights/flights.mk
-include examples/idempotent/idempotent.mk
-include examples/fan-in/fan-in.mk
-include examples/four-ways/four-ways.mk

.PHONY: help build demo test check install simulate crash bench bench-full clean
.PHONY: prerequisites tools command-build rust-test simulate-test polyglot readme-test
.PHONY: format-check lint tidy

help: ## Say what there is
	@echo 'make TARGET, where TARGET is one of:'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile

build: prerequisites command-build c-lib python-build node-build ## Build the libraries and the command

demo: prerequisites ## Run the flights pipeline: three languages, one hub, real data

flights-stream: prerequisites ## Follow a stream of flights: a live table, daily sums, a replay

idempotent: prerequisites ## Kill consumers that pay exactly once into SQLite, in four languages

fan-in: prerequisites ## Run the fan-in example: one question, answers of three languages

four-ways: prerequisites ## Run one job in four ways through the same faults, and print what came of it

test: prerequisites tools ## Build what is needed and run every test
	@$(PYTHON) tests/all.py

check: prerequisites format-check lint tidy c-header-check c-symbols python-check node-check flights-check idempotent-check fan-in-check four-ways-check ## Check format, lints, floors, style, header, symbols and types
	@echo 'check: all is well'

install: command-build c-install ## Install the command, the C library and its header (PREFIX=, DESTDIR=)
	install -d '$(DESTDIR)$(PREFIX)/bin'
	install -m 755 '$(CARGO_TARGET_DIR)/release/telpher' '$(DESTDIR)$(PREFIX)/bin/telpher'

simulate: prerequisites ## Run the simulator (SEEDS= how many, or SEED= one of them)
	cargo run --quiet --release -p telpher-sim -- $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

crash: prerequisites ## Kill programs that share a hub (CYCLES= how often, SEED= the same again)

storage: prerequisites ## Damage, faults, power cuts and full disks on real files (SEED= the same again)

differential: prerequisites ## The same histories against Redis Streams (SEED= the same again)

soak: prerequisites ## Every bit and every operation of that, and an hour on real files

bench: prerequisites ## Measure against other systems and print the table

bench-full: prerequisites ## The same with a backlog of 1 GiB and more of everything

clean: ## Remove everything that was built or installed for building
	cargo clean
	rm -rf build .venv bindings/node/node_modules bindings/node/*.node examples/flights/node_modules \
		examples/idempotent/node_modules examples/fan-in/node_modules

# --- parts of the above; each may also be run alone -----------------------------------------------

prerequisites:
	@.ci/prerequisites

tools:
	@.ci/tools

command-build:
	cargo build --quiet --release -p telpher-command

rust-test:
	@if cargo nextest --version >/dev/null 2>&1; then \
		cargo nextest run --workspace --no-fail-fast $(RUST_TEST_OPTIONS); \
		cargo test --quiet --workspace --doc $(RUST_TEST_OPTIONS); \
	else \
		cargo test --workspace --no-fail-fast $(RUST_TEST_OPTIONS); \
	fi

simulate-test:
	cargo run --quiet --release -p telpher-sim -- --seeds $(SEEDS) --counts

polyglot: command-build c-lib c-peer python-build node-build
	cargo build --quiet --release -p telpher-peer
	$(PYTHON) tests/polyglot/run.py

readme-test: c-lib python-build node-build
	$(PYTHON) tests/readme/run.py

format-check:
	cargo fmt --all --check

lint:
	cargo clippy --quiet --workspace --all-targets -- -D warnings

tidy:
	cargo test --quiet -p telpher-tidy
