# Four ways: `make four-ways`, and its tests. Included by the Makefile at the top.

FOUR_WAYS_DIR := $(CURDIR)/examples/four-ways
FOUR_WAYS_LOG := $(CURDIR)/build/four-ways/build.log

.PHONY: four-ways four-ways-setup four-ways-test four-ways-check

four-ways: four-ways-setup
	@$(VENV_PYTHON) $(FOUR_WAYS_DIR)/run.py

# What the build says is of interest only if it fails.
four-ways-setup: prerequisites
	@mkdir -p $(dir $(FOUR_WAYS_LOG))
	@echo 'building the Python library: minutes the first time, seconds after that'
	@$(MAKE) --no-print-directory python-build > $(FOUR_WAYS_LOG) 2>&1 \
	    || { cat $(FOUR_WAYS_LOG); exit 1; }
	@echo

four-ways-test: python-build
	@$(VENV_PYTHON) -m pytest -q -p no:cacheprovider --timeout 120 \
	    -o pythonpath=$(FOUR_WAYS_DIR) $(FOUR_WAYS_DIR)/tests

four-ways-check: python-build
	@$(VENV)/bin/ruff format --quiet --check $(FOUR_WAYS_DIR)
	@$(VENV)/bin/ruff check --quiet $(FOUR_WAYS_DIR)
	@cd $(FOUR_WAYS_DIR) && $(VENV)/bin/mypy --strict --no-error-summary *.py tests/*.py
