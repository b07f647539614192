# `make bench`: what other systems need is installed, all sides are built, and all are measured.
# `make bench-full`: the same with a larger backlog, more takeovers and more connections.
#
# BENCH_OPTIONS are handed to bench/run.py, e.g. BENCH_OPTIONS='--only queue'.

BENCH_BUILD := build/bench
BENCH_C_FLAGS := -std=gnu11 -O2 -Wall -Wextra -Wpedantic -Werror
BENCH_C := $(addprefix $(BENCH_BUILD)/,limit_call limit_relay limit_disk limit_stream nats jetstream \
    redis redis_stream jetstream_stream)
BENCH_TELPHER := $(addprefix $(BENCH_BUILD)/,telpher durable streams)
BENCH_OPTIONS ?=

.PHONY: bench-full bench-peers bench-libraries bench-telpher

bench: bench-peers $(BENCH_C) bench-libraries bench-telpher command-build python-build node-build
	$(PYTHON) bench/run.py $(BENCH_OPTIONS)

bench-full:
	$(MAKE) --no-print-directory bench BENCH_OPTIONS='--full $(BENCH_OPTIONS)'

bench-peers:
	cd bench && $(PYTHON) -m harness.peers

$(BENCH_C): $(BENCH_BUILD)/%: bench/c/%.c bench/c/common.h bench/c/nats.h bench/c/jetstream.h
	@mkdir -p $(BENCH_BUILD)
	$(CC) $(BENCH_C_FLAGS) $< -o $@

# Without a library its rows are left out, which the run says.
bench-libraries: bench-peers
	@if [ -f /usr/include/zmq.h ]; then $(MAKE) --no-print-directory $(BENCH_BUILD)/zmq; fi
	@if [ -f /usr/include/nats/nats.h ]; then \
	    $(MAKE) --no-print-directory $(BENCH_BUILD)/nats_client; fi
	@if [ -f /usr/include/amqp.h ]; then $(MAKE) --no-print-directory $(BENCH_BUILD)/rabbitmq; fi

$(BENCH_BUILD)/zmq: BENCH_LIBRARY := -lzmq
$(BENCH_BUILD)/rabbitmq: BENCH_LIBRARY := -lrabbitmq
$(BENCH_BUILD)/nats_client: BENCH_LIBRARY := -lnats
$(addprefix $(BENCH_BUILD)/,zmq rabbitmq nats_client): $(BENCH_BUILD)/%: bench/c/%.c bench/c/common.h
	@mkdir -p $(BENCH_BUILD)
	$(CC) $(BENCH_C_FLAGS) $< $(BENCH_LIBRARY) -o $@

bench-telpher: c-lib
	@$(MAKE) --no-print-directory $(BENCH_TELPHER)

$(BENCH_TELPHER): $(BENCH_BUILD)/%: bench/c/%.c bench/c/common.h bench/c/handle.h include/telpher.h
	@mkdir -p $(BENCH_BUILD)
	$(CC) $(BENCH_C_FLAGS) -Iinclude $< -o $@ $(call C_LINK,$(C_LIB_DIR))
