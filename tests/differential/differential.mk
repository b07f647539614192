# The same history against Telpher and against Redis Streams: see run.py. Included by the Makefile.

DIFFERENTIAL_SECONDS ?= 20

.PHONY: differential

differential: command-build python-build
	$(VENV_PYTHON) tests/differential/run.py --seconds $(DIFFERENTIAL_SECONDS) $(if $(SEED),--seed $(SEED))
