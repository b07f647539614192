# The crash tests: their C programs, and running them. Included by the Makefile.

CYCLES ?= 300
CRASH_OPTIONS = --cycles $(CYCLES) $(if $(SEED),--seed $(SEED))

.PHONY: crash crash-workers

crash: c-lib crash-workers python-build node-build
	$(VENV_PYTHON) tests/crash/run.py $(CRASH_OPTIONS)

crash-workers: c-lib
	$(CC) $(C_FLAGS) -O2 $(addprefix tests/crash/workers/,worker.c streams.c keyed.c) \
		-o '$(C_LIB_DIR)/telpher-crash-worker' $(call C_LINK,$(C_LIB_DIR))
	$(CC) $(C_FLAGS) -O2 tests/crash/workers/witness.c \
		-o '$(C_LIB_DIR)/telpher-crash-witness' $(call C_LINK,$(C_LIB_DIR))
