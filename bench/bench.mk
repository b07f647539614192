# `make bench`: what other systems need is installed, all sides are built, and all are measured.
#
# BENCH_OPTIONS are handed to bench/run.py, e.g. BENCH_OPTIONS='--only queue'.

BENCH_BUILD := build/bench
BENCH_C_FLAGS := -std=gnu11 -O2 -Wall -Wextra -Wpedantic -Werror
BENCH_C := $(addprefix $(BENCH_BUILD)/,limit_call limit_relay nats redis)
BENCH_OPTIONS ?=

.PHONY: bench-peers bench-zmq bench-telpher

bench: bench-peers $(BENCH_C) bench-zmq bench-telpher command-build python-build node-build
	$(PYTHON) bench/run.py $(BENCH_OPTIONS)

bench-peers:
	cd bench && $(PYTHON) -m harness.peers

$(BENCH_C): $(BENCH_BUILD)/%: bench/c/%.c bench/c/common.h
	@mkdir -p $(BENCH_BUILD)
	$(CC) $(BENCH_C_FLAGS) $< -o $@

# Without libzmq its rows are left out, which the run says.
bench-zmq: bench-peers
	@if [ -f /usr/include/zmq.h ]; then $(MAKE) --no-print-directory $(BENCH_BUILD)/zmq; fi

$(BENCH_BUILD)/zmq: bench/c/zmq.c bench/c/common.h
	@mkdir -p $(BENCH_BUILD)
	$(CC) $(BENCH_C_FLAGS) $< -lzmq -o $@

bench-telpher: c-lib
	@mkdir -p $(BENCH_BUILD)
	$(CC) $(BENCH_C_FLAGS) -Iinclude bench/c/telpher.c -o $(BENCH_BUILD)/telpher \
		$(call C_LINK,$(C_LIB_DIR))
