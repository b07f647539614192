# The flights pipeline: `make demo`, and its tests. Included by the Makefile at the top.
#
#     make demo                   all flights of the file
#     FLIGHTS=20000 make demo     only so many, evenly taken
#     WORKERS=5 make demo         so many workers

FLIGHTS ?=
WORKERS ?= 3
FLIGHTS_DIR := $(CURDIR)/examples/flights
FLIGHTS_BUILD := $(CURDIR)/build/flights
FLIGHTS_SCORER := $(FLIGHTS_BUILD)/scorer
FLIGHTS_FILE := $(FLIGHTS_DIR)/node_modules/vega-datasets/data/flights-200k.json
FLIGHTS_RUN = $(VENV_PYTHON) $(FLIGHTS_DIR)/run.py --scorer $(FLIGHTS_SCORER) --file $(FLIGHTS_FILE)
FLIGHTS_RUFF := $(VENV)/bin/ruff

FLIGHTS_LOG := $(FLIGHTS_BUILD)/build.log
FLIGHTS_PARTS := c-lib python-build node-build flights-build

.PHONY: demo flights-setup flights-build flights-test flights-check

demo: flights-setup
	@cd $(FLIGHTS_BUILD) && \
	    $(FLIGHTS_RUN) --workers '$(WORKERS)' $(if $(FLIGHTS),--count '$(FLIGHTS)')

# What the build says is of interest only if it fails.
flights-setup: prerequisites
	@mkdir -p $(FLIGHTS_BUILD)
	@echo 'demo      │ building the libraries: minutes the first time, seconds after that'
	@: > $(FLIGHTS_LOG); for part in $(FLIGHTS_PARTS); do \
	    echo "demo      │ make $$part"; \
	    $(MAKE) --no-print-directory "$$part" >> $(FLIGHTS_LOG) 2>&1 \
	        || { cat $(FLIGHTS_LOG); exit 1; }; \
	done

flights-build: c-lib python-build node-build $(VENV)/.flights-stamp
flights-build: $(FLIGHTS_DIR)/node_modules/.stamp
	@mkdir -p $(FLIGHTS_BUILD)
	@$(CC) $(C_FLAGS) -O2 $(FLIGHTS_DIR)/scorer.c -o $(FLIGHTS_SCORER) $(call C_LINK,$(C_LIB_DIR))

$(VENV)/.flights-stamp: $(FLIGHTS_DIR)/requirements.txt $(VENV)/.stamp
	@$(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(FLIGHTS_DIR)/node_modules/.stamp: $(FLIGHTS_DIR)/package.json
	@cd $(FLIGHTS_DIR) && npm install --no-package-lock --no-fund --no-audit --loglevel=error
	@touch $@

flights-test: flights-build
	@FLIGHTS_SCORER=$(FLIGHTS_SCORER) FLIGHTS_FILE=$(FLIGHTS_FILE) \
	    $(VENV_PYTHON) -m pytest -q -p no:cacheprovider --timeout 200 $(FLIGHTS_DIR)/tests

flights-check: python-build $(VENV)/.flights-stamp $(NODE_DIR)/node_modules/.stamp
	@$(FLIGHTS_RUFF) format --quiet --check $(FLIGHTS_DIR)
	@$(FLIGHTS_RUFF) check --quiet $(FLIGHTS_DIR)
	@cd $(FLIGHTS_DIR) && $(VENV)/bin/mypy --strict --no-error-summary *.py
	@$(NODE_BIN)/prettier --config $(NODE_DIR)/package.json --check $(FLIGHTS_DIR)/*.mjs
