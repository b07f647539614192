# Tests of what disks do to a hub's directory: see run.py.

STORAGE_SECONDS ?= 100

.PHONY: storage soak

storage:
	cargo build --quiet --release -p telpher-storage-worker
	$(PYTHON) tests/storage/run.py --seconds $(STORAGE_SECONDS) $(if $(SEED),--seed $(SEED))

# Every bit and every operation in the pure core, and an hour on the real system.
soak:
	TELPHER_SOAK=1 cargo test --quiet --release -p telpher-proto --test damage --test faults
	cargo build --quiet --release -p telpher-storage-worker
	$(PYTHON) tests/storage/run.py --seconds 3600 $(if $(SEED),--seed $(SEED))
