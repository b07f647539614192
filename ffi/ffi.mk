# The C library: building, installing and testing it. Included by the Makefile; the targets are run
# from the root of the repository.

CC ?= cc
CXX ?= c++
PREFIX ?= /usr/local
DESTDIR ?=
CARGO_TARGET_DIR ?= $(CURDIR)/target
export CARGO_TARGET_DIR

# Where a build's libtelpher.so, libtelpher.so.0 and libtelpher.a are: C_LIB_DIR for use, and the
# unoptimised one, with its symbols, for the tests.
C_LIB_DIR := $(CARGO_TARGET_DIR)/c/release
C_DEBUG_DIR := $(CARGO_TARGET_DIR)/c/debug

C_WARNINGS := -Wall -Wextra -Wpedantic -Werror
C_FLAGS := -std=c11 $(C_WARNINGS) -D_GNU_SOURCE -g -O1 -Iinclude
CXX_FLAGS := -std=c++17 $(C_WARNINGS) -g -O1 -Iinclude
C_LINK = -L$(1) -ltelpher -Wl,-rpath,$(1) -pthread
C_TEST_SOURCES := $(addprefix tests/c/, main.c check.c support.c symbols.c calls.c queues.c \
	attempts.c batches.c topics.c waiting_topics.c bindings.c gathers.c instance_names.c streams.c \
	groups.c compaction.c directory.c drivers.c bad_input.c bad_options.c bad_streams.c lifecycle.c peers.c)
C_VALGRIND := valgrind --quiet --error-exitcode=1 --leak-check=full --show-leak-kinds=definite \
	--errors-for-leak-kinds=definite --fair-sched=yes

.PHONY: c-lib c-debug c-header c-header-check c-symbols c-install c-uninstall
.PHONY: c-peer c-test c-valgrind c-test-build c-installed-test
.PHONY: cpp-test cpp-test-build cpp-valgrind

c-lib:
	cargo build --quiet --release -p telpher-ffi
	@$(MAKE) --no-print-directory -f ffi/ffi.mk '$(C_LIB_DIR)/libtelpher.so.0'

c-debug:
	cargo build --quiet -p telpher-ffi
	@STRIP= $(MAKE) --no-print-directory -f ffi/ffi.mk '$(C_DEBUG_DIR)/libtelpher.so.0'

$(CARGO_TARGET_DIR)/c/%/libtelpher.so.0: $(CARGO_TARGET_DIR)/%/libtelpher.a \
		ffi/link.sh ffi/telpher.map
	CC='$(CC)' ffi/link.sh '$<' '$(@D)'

c-header:
	cargo run --quiet -p telpher-header -- write

c-header-check:
	cargo run --quiet -p telpher-header -- check

c-symbols: c-debug
	@ffi/symbols.sh '$(C_DEBUG_DIR)/libtelpher.so.0' include/telpher.h

c-install: c-lib
	install -d '$(DESTDIR)$(PREFIX)/include' '$(DESTDIR)$(PREFIX)/lib/pkgconfig'
	install -m 644 include/telpher.h '$(DESTDIR)$(PREFIX)/include/telpher.h'
	install -m 644 '$(C_LIB_DIR)/libtelpher.a' '$(DESTDIR)$(PREFIX)/lib/libtelpher.a'
	install -m 755 '$(C_LIB_DIR)/libtelpher.so.0' '$(DESTDIR)$(PREFIX)/lib/libtelpher.so.0'
	ln -sf libtelpher.so.0 '$(DESTDIR)$(PREFIX)/lib/libtelpher.so'
	version=$$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1); \
	sed -e 's|@PREFIX@|$(PREFIX)|' -e "s|@VERSION@|$$version|" ffi/telpher.pc.in \
		> '$(DESTDIR)$(PREFIX)/lib/pkgconfig/telpher.pc'

c-uninstall:
	rm -f '$(DESTDIR)$(PREFIX)/include/telpher.h' '$(DESTDIR)$(PREFIX)/lib/libtelpher.a' \
		'$(DESTDIR)$(PREFIX)/lib/libtelpher.so.0' '$(DESTDIR)$(PREFIX)/lib/libtelpher.so' \
		'$(DESTDIR)$(PREFIX)/lib/pkgconfig/telpher.pc'

c-peer: c-lib
	$(CC) $(C_FLAGS) -O2 tests/polyglot/c/peer.c -o '$(C_LIB_DIR)/telpher-c-peer' \
		$(call C_LINK,$(C_LIB_DIR))

# The tests' directories go with the tests.
C_SCRATCH = scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && TMPDIR=$$scratch

c-test-build: c-debug
	$(CC) $(C_FLAGS) $(C_TEST_SOURCES) -o '$(C_DEBUG_DIR)/c-test' $(call C_LINK,$(C_DEBUG_DIR))

c-test: c-test-build
	@tests/c/every_symbol.sh include/telpher.h tests/c/symbols.c
	$(C_SCRATCH) '$(C_DEBUG_DIR)/c-test'
	@$(MAKE) --no-print-directory -f ffi/ffi.mk c-installed-test

c-valgrind: c-test-build
	$(C_SCRATCH) TELPHER_TEST_SLOW=1 $(C_VALGRIND) '$(C_DEBUG_DIR)/c-test'

cpp-test-build: c-debug
	$(CXX) $(CXX_FLAGS) tests/c/cpp.cc -o '$(C_DEBUG_DIR)/cpp-test' $(call C_LINK,$(C_DEBUG_DIR))

cpp-test: cpp-test-build
	$(C_SCRATCH) '$(C_DEBUG_DIR)/cpp-test'

cpp-valgrind: cpp-test-build
	$(C_SCRATCH) TELPHER_TEST_SLOW=1 $(C_VALGRIND) '$(C_DEBUG_DIR)/cpp-test'

c-installed-test:
	@tests/c/installed.sh
