#!/bin/sh
# Makes the libraries that are installed, of the one that cargo builds:
# link.sh STATIC_LIBRARY OUTPUT_DIRECTORY
#
# cargo's own shared library has neither our soname nor our symbol versions, and the linker takes no
# second version script; so it is linked once more, from libtelpher.a. With STRIP set to nothing
# both keep what a debugger needs.
set -eu

cargo=$1
output=$2
here=$(dirname "$0")
: "${STRIP=--strip-debug}"

mkdir -p "$output"
static=$output/libtelpher.a
shared=$output/libtelpher.so.0

# Words only if it fails. An LLVM plugin older than rustc, where one is installed, complains of
# every object with rustc's bitcode in it, here and wherever a program is linked; so that goes, too.
quietly() {
    "$@" >"$output/log" 2>&1 || { cat "$output/log" >&2; exit 1; }
}

# Debug information that rustc has set aside is no object code, and no linker wants it.
cp "$cargo" "$static.tmp"
aside=$(ar t "$static.tmp" | grep '\.dwo$' || true)
if [ -n "$aside" ]; then
    quietly ar d "$static.tmp" $aside
fi
quietly objcopy $STRIP --remove-section .llvmbc --remove-section .llvmcmd "$static.tmp"

${CC:-cc} -shared -o "$shared.tmp" \
    -Wl,--whole-archive "$static.tmp" -Wl,--no-whole-archive \
    -Wl,--version-script="$here/telpher.map" \
    -Wl,-soname,libtelpher.so.0 \
    -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now -Wl,--gc-sections ${STRIP:+-Wl,$STRIP} \
    -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc

mv "$static.tmp" "$static"
mv "$shared.tmp" "$shared"
ln -sf libtelpher.so.0 "$output/libtelpher.so"
rm -f "$output/log"
