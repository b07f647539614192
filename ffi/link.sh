#!/bin/sh
# Makes the shared library of the static one: link.sh STATIC_LIBRARY OUTPUT_DIRECTORY
#
# cargo's own shared library has neither our soname nor our symbol versions, and the linker takes no
# second version script; so it is linked once more, from libtelpher.a.
set -eu

static=$1
output=$2
here=$(dirname "$0")

mkdir -p "$output"
cp "$static" "$output/libtelpher.a.tmp"
strip --strip-debug "$output/libtelpher.a.tmp"
mv "$output/libtelpher.a.tmp" "$output/libtelpher.a"

${CC:-cc} -shared -o "$output/libtelpher.so.0.tmp" \
    -Wl,--whole-archive "$static" -Wl,--no-whole-archive \
    -Wl,--version-script="$here/telpher.map" \
    -Wl,-soname,libtelpher.so.0 \
    -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now -Wl,--gc-sections ${STRIP--Wl,--strip-debug} \
    -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc
mv "$output/libtelpher.so.0.tmp" "$output/libtelpher.so.0"
ln -sf libtelpher.so.0 "$output/libtelpher.so"
