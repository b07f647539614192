# The Python binding: built into .venv, tested, checked.

PYTHON ?= python3
PYTHON_DIR := bindings/python
VENV := $(CURDIR)/.venv
VENV_PYTHON := $(VENV)/bin/python
PYTHON_TARGET_DIR = $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),$(CURDIR)/target)/maturin
PYTHON_CHECKED := . ../../tests/polyglot/python ../../tests/crash ../../tests/differential

.PHONY: python-build python-test python-check

$(VENV)/.stamp: $(PYTHON_DIR)/requirements-dev.txt
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
	$(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

# With a target directory of its own: cargo and maturin would rebuild half of it at each turn.
python-build: $(VENV)/.stamp
	VIRTUAL_ENV=$(VENV) $(VENV)/bin/maturin develop --quiet --release \
	    -m $(PYTHON_DIR)/Cargo.toml --target-dir $(PYTHON_TARGET_DIR)

python-test: python-build
	$(VENV_PYTHON) -m pytest -q $(PYTHON_DIR)

python-check: python-build
	cd $(PYTHON_DIR) && $(VENV)/bin/ruff format --quiet --check $(PYTHON_CHECKED)
	cd $(PYTHON_DIR) && $(VENV)/bin/ruff check --quiet $(PYTHON_CHECKED)
	$(VENV_PYTHON) $(PYTHON_DIR)/errors_stub.py | diff -u $(PYTHON_DIR)/python/telpher/errors.pyi -
	cd $(PYTHON_DIR) && $(VENV)/bin/mypy --no-error-summary -p telpher
	cd $(PYTHON_DIR) && $(VENV_PYTHON) -m mypy.stubtest telpher --ignore-disjoint-bases \
	    --mypy-config-file pyproject.toml --allowlist stubtest-allowlist.txt
