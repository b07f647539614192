# Fan-in: `make fan-in`, and its test. Included by the Makefile at the top.

FAN_IN_DIR := $(CURDIR)/examples/fan-in
FAN_IN_BUILD := $(CURDIR)/build/fan-in
FAN_IN_OFFERS := $(FAN_IN_BUILD)/offers

.PHONY: fan-in fan-in-build fan-in-test fan-in-check

fan-in: fan-in-build
	@$(VENV_PYTHON) $(FAN_IN_DIR)/run.py --offers $(FAN_IN_OFFERS)

fan-in-build: c-lib python-build node-build $(FAN_IN_DIR)/node_modules/.stamp
	@mkdir -p $(FAN_IN_BUILD)
	@$(CC) $(C_FLAGS) -O2 $(FAN_IN_DIR)/offers.c -o $(FAN_IN_OFFERS) $(call C_LINK,$(C_LIB_DIR))

$(FAN_IN_DIR)/node_modules/.stamp: $(FAN_IN_DIR)/package.json
	@cd $(FAN_IN_DIR) && npm install --no-package-lock --no-fund --no-audit --loglevel=error
	@touch $@

fan-in-test: fan-in-build
	@FAN_IN_OFFERS=$(FAN_IN_OFFERS) \
	    $(VENV_PYTHON) -m pytest -q -p no:cacheprovider $(FAN_IN_DIR)/tests

fan-in-check: python-build $(NODE_DIR)/node_modules/.stamp
	@$(VENV)/bin/ruff format --quiet --check $(FAN_IN_DIR)
	@$(VENV)/bin/ruff check --quiet $(FAN_IN_DIR)
	@cd $(FAN_IN_DIR) && $(VENV)/bin/mypy --strict --no-error-summary *.py
	@$(NODE_BIN)/prettier --config $(NODE_DIR)/package.json --check $(FAN_IN_DIR)/*.mjs
