#!/bin/sh
# Compares what the shared library exports with the functions of the header:
# symbols.sh LIBRARY HEADER
set -eu

library=$1
header=$2

exported=$(nm -D --defined-only --format=posix "$library" | cut -d' ' -f1 | sed 's/@.*//' |
    grep -v '^TELPHER_' | sort)
declared=$(sed -n 's/^[a-z].*[ *]\(telpher_[a-z_]*\)(.*/\1/p' "$header" |
    grep -vE '^telpher_(sized|body)$' | sort)
if [ "$exported" != "$declared" ]; then
    echo "exported by $library, but not in $header:"
    echo "$exported" | grep -vxF "$declared" || true
    echo "in $header, but not exported by $library:"
    echo "$declared" | grep -vxF "$exported" || true
    exit 1
fi
dynamic=$(readelf -d "$library")
for needed in 'soname: \[libtelpher.so.0\]' NODELETE; do
    if ! echo "$dynamic" | grep -q "$needed"; then
        echo "$library: not linked with $needed"
        exit 1
    fi
done
echo "$(echo "$exported" | wc -l) functions, all of them in the header"
