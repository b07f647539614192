# Four ways: `make four-ways`, and its tests. Included by the Makefile at the top.

FOUR_WAYS_DIR := $(CURDIR)/examples/four-ways

.PHONY: four-ways four-ways-test four-ways-check

four-ways: python-build
	@$(VENV_PYTHON) $(FOUR_WAYS_DIR)/run.py

four-ways-test: python-build
	@$(VENV_PYTHON) -m pytest -q -p no:cacheprovider --timeout 120 \
	    -o pythonpath=$(FOUR_WAYS_DIR) $(FOUR_WAYS_DIR)/tests

four-ways-check: python-build
	@$(VENV)/bin/ruff format --quiet --check $(FOUR_WAYS_DIR)
	@$(VENV)/bin/ruff check --quiet $(FOUR_WAYS_DIR)
	@cd $(FOUR_WAYS_DIR) && $(VENV)/bin/mypy --strict --no-error-summary *.py tests/*.py
