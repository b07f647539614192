#!/bin/sh
# Installs the library somewhere else, and builds and runs a program of nothing but what is
# installed, with pkg-config, against the shared and against the static library.
set -eu

if ! command -v pkg-config >/dev/null; then
    echo "skipped: without pkg-config nothing can be built against what is installed"
    exit 0
fi

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
make --no-print-directory -s -f ffi/ffi.mk c-install DESTDIR="$place/stage" PREFIX=/opt/telpher
cp tests/c/installed/main.c "$place/"
cd "$place"

export PKG_CONFIG_PATH="$place/stage/opt/telpher/lib/pkgconfig"
export PKG_CONFIG_SYSROOT_DIR="$place/stage"
flags=$(pkg-config --cflags telpher)
shared=$(pkg-config --libs telpher)
static=$(pkg-config --static --libs telpher | sed 's/-ltelpher/-l:libtelpher.a/')
cc=${CC:-cc}

$cc -std=c11 -Wall -Wextra -Wpedantic -Werror $flags main.c -o shared $shared
LD_LIBRARY_PATH="$place/stage/opt/telpher/lib" ./shared
readelf -d shared | grep -q 'libtelpher.so.0' || { echo "not linked to the soname"; exit 1; }

$cc -std=c11 -Wall -Wextra -Wpedantic -Werror $flags main.c -o static $static
if readelf -d static | grep -q libtelpher; then echo "linked to the shared library"; exit 1; fi
./static

cd "$OLDPWD"
make --no-print-directory -s -f ffi/ffi.mk c-uninstall DESTDIR="$place/stage" PREFIX=/opt/telpher
if find "$place/stage" -type f -o -type l | grep .; then echo "left behind"; exit 1; fi
echo "2 passed, 0 failed"
