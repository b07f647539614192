# The flights pipeline, the stream of flights, and their tests. Included by the Makefile at the top.
#
#     make demo                   all flights of the file
#     FLIGHTS=20000 make demo     only so many, evenly taken
#     WORKERS=5 make demo         so many workers
#     make flights-stream         three months of flights in a stream, and its readers
#     PACE=30 make flights-stream that many days of them in a second

FLIGHTS ?=
WORKERS ?= 3
PACE ?= 6
FLIGHTS_DIR := $(CURDIR)/examples/flights
FLIGHTS_BUILD := $(CURDIR)/build/flights
FLIGHTS_SCORER := $(FLIGHTS_BUILD)/scorer
FLIGHTS_FILE := $(FLIGHTS_DIR)/node_modules/vega-datasets/data/flights-200k.json
FLIGHTS_RUN = $(VENV_PYTHON) $(FLIGHTS_DIR)/run.py --scorer $(FLIGHTS_SCORER) --file $(FLIGHTS_FILE)
FLIGHTS_REPLAY := $(FLIGHTS_BUILD)/replay
FLIGHTS_SEASON := $(FLIGHTS_DIR)/node_modules/vega-datasets/data/flights-20k.json
FLIGHTS_RUFF := $(VENV)/bin/ruff

FLIGHTS_LOG := $(FLIGHTS_BUILD)/build.log
FLIGHTS_PARTS := c-lib python-build node-build flights-build

.PHONY: demo flights-stream flights-setup flights-build flights-test flights-check

demo: flights-setup
	@cd $(FLIGHTS_BUILD) && \
	    $(FLIGHTS_RUN) --workers '$(WORKERS)' $(if $(FLIGHTS),--count '$(FLIGHTS)')

# Begins with an empty hub, and leaves it to be looked into.
flights-stream: flights-setup
	@cd $(FLIGHTS_BUILD) && rm -rf season && $(VENV_PYTHON) $(FLIGHTS_DIR)/stream/run.py \
	    --replay $(FLIGHTS_REPLAY) --file $(FLIGHTS_SEASON) --url ./season --days-per-second '$(PACE)'

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
	@$(CC) $(C_FLAGS) -O2 $(FLIGHTS_DIR)/stream/replay.c -o $(FLIGHTS_REPLAY) \
	    $(call C_LINK,$(C_LIB_DIR))

$(VENV)/.flights-stamp: $(FLIGHTS_DIR)/requirements.txt $(VENV)/.stamp
	@$(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(FLIGHTS_DIR)/node_modules/.stamp: $(FLIGHTS_DIR)/package.json
	@cd $(FLIGHTS_DIR) && npm install --no-package-lock --no-fund --no-audit --loglevel=error
	@touch $@

flights-test: flights-build
	@FLIGHTS_SCORER=$(FLIGHTS_SCORER) FLIGHTS_FILE=$(FLIGHTS_FILE) \
	    FLIGHTS_REPLAY=$(FLIGHTS_REPLAY) FLIGHTS_SEASON=$(FLIGHTS_SEASON) \
	    $(VENV_PYTHON) -m pytest -q -p no:cacheprovider --timeout 200 $(FLIGHTS_DIR)/tests

flights-check: python-build $(VENV)/.flights-stamp $(NODE_DIR)/node_modules/.stamp
	@$(FLIGHTS_RUFF) format --quiet --check $(FLIGHTS_DIR)
	@$(FLIGHTS_RUFF) check --quiet $(FLIGHTS_DIR)
	@cd $(FLIGHTS_DIR) && $(VENV)/bin/mypy --strict --no-error-summary *.py
	@cd $(FLIGHTS_DIR)/stream && MYPYPATH=.. $(VENV)/bin/mypy --strict --no-error-summary *.py
	@$(NODE_BIN)/prettier --config $(NODE_DIR)/package.json --check $(FLIGHTS_DIR)/*.mjs \
	    $(FLIGHTS_DIR)/stream/*.mjs
