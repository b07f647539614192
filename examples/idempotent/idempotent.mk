# The idempotent consumers: `make idempotent` builds them and kills them. Included by the Makefile.
#
# Those in C and Rust need SQLite's header (.ci/tools installs it where it can); without it they are
# left out, and that is said.

IDEMPOTENT_DIR := $(CURDIR)/examples/idempotent
IDEMPOTENT_BUILD := $(CURDIR)/build/idempotent
IDEMPOTENT_HAS_SQLITE = $(shell printf '#include <sqlite3.h>' | \
	$(CC) -x c -fsyntax-only - 2>/dev/null && echo yes)
IDEMPOTENT_LANGUAGES = python node $(if $(IDEMPOTENT_HAS_SQLITE),c rust)

.PHONY: idempotent idempotent-build idempotent-c idempotent-rust idempotent-check

idempotent: idempotent-build
	@IDEMPOTENT_BUILD=$(IDEMPOTENT_BUILD) IDEMPOTENT_LANGUAGES='$(IDEMPOTENT_LANGUAGES)' \
	    $(VENV_PYTHON) -m pytest -q -p no:cacheprovider --timeout 60 $(IDEMPOTENT_DIR)/tests

idempotent-build: python-build node-build $(IDEMPOTENT_DIR)/node_modules/.stamp
idempotent-build: $(if $(IDEMPOTENT_HAS_SQLITE),idempotent-c idempotent-rust)
	@$(if $(IDEMPOTENT_HAS_SQLITE),,echo 'idempotent: without sqlite3.h: C and Rust are skipped')

idempotent-c: c-lib
	@mkdir -p $(IDEMPOTENT_BUILD)
	@$(CC) $(C_FLAGS) -O2 $(IDEMPOTENT_DIR)/consumer.c -o $(IDEMPOTENT_BUILD)/consumer \
	    $(call C_LINK,$(C_LIB_DIR)) -lsqlite3

idempotent-rust:
	@mkdir -p $(IDEMPOTENT_BUILD)
	@cargo build --quiet --release --locked --manifest-path $(IDEMPOTENT_DIR)/rust/Cargo.toml
	@install -m 755 $(CARGO_TARGET_DIR)/release/idempotent $(IDEMPOTENT_BUILD)/idempotent

$(IDEMPOTENT_DIR)/node_modules/.stamp: $(IDEMPOTENT_DIR)/package.json
	@cd $(IDEMPOTENT_DIR) && npm install --no-package-lock --no-fund --no-audit --loglevel=error
	@touch $@

idempotent-check: python-build $(NODE_DIR)/node_modules/.stamp
	@$(VENV)/bin/ruff format --quiet --check $(IDEMPOTENT_DIR)
	@$(VENV)/bin/ruff check --quiet $(IDEMPOTENT_DIR)
	@cd $(IDEMPOTENT_DIR) && $(VENV)/bin/mypy --strict --no-error-summary *.py tests/*.py
	@$(NODE_BIN)/prettier --config $(NODE_DIR)/package.json --check $(IDEMPOTENT_DIR)/*.mjs
	@cargo fmt --check --manifest-path $(IDEMPOTENT_DIR)/rust/Cargo.toml
