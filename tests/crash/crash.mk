# The crash tests: their C programs, and running them. Included by the Makefile.

CYCLES ?= 300
CRASH_OPTIONS = --cycles $(CYCLES) $(if $(SEED),--seed $(SEED))

.PHONY: crash crash-workers

crash: c-lib crash-workers python-build node-build
	$(VENV_PYTHON) tests/crash/run.py $(CRASH_OPTIONS)

crash-workers: c-lib
	for each in worker witness; do \
		$(CC) $(C_FLAGS) -O2 tests/crash/workers/$$each.c \
			-o '$(C_LIB_DIR)'/telpher-crash-$$each $(call C_LINK,$(C_LIB_DIR)); \
	done
