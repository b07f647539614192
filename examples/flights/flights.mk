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

.PHONY: demo flights-say flights-build flights-test flights-check

demo: flights-say flights-build
	@cd $(FLIGHTS_BUILD) && \
	    $(FLIGHTS_RUN) --workers $(WORKERS) $(if $(FLIGHTS),--count '$(FLIGHTS)')

flights-say:
	@echo 'demo: building the C, Python and Node libraries; minutes the first time, then seconds'

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
	    $(VENV_PYTHON) -m pytest -q -p no:cacheprovider $(FLIGHTS_DIR)/tests

flights-check: $(VENV)/.stamp $(NODE_DIR)/node_modules/.stamp
	@$(FLIGHTS_RUFF) format --quiet --check --config $(PYTHON_DIR)/pyproject.toml $(FLIGHTS_DIR)
	@$(FLIGHTS_RUFF) check --quiet --config $(PYTHON_DIR)/pyproject.toml $(FLIGHTS_DIR)
	@$(NODE_BIN)/prettier --config $(NODE_DIR)/package.json --check $(FLIGHTS_DIR)/*.mjs
