#!/bin/sh
# Checks that a C file uses every function, macro, constant and type of the header:
# every_symbol.sh HEADER FILE
set -eu

header=$1
file=$2

symbols=$(grep -v '^ *//' "$header" | grep -oE '\b(telpher|TELPHER)_[A-Za-z0-9_]+' | sort -u |
    grep -vxE 'TELPHER_H|telpher_type|telpher_sized|telpher_body')
missing=""
for symbol in $symbols; do
    grep -qE "\b$symbol\b" "$file" || missing="$missing $symbol"
done
if [ -n "$missing" ]; then
    echo "$file does not use:$missing"
    echo "0 passed, 1 failed"
    exit 1
fi
echo "$(echo "$symbols" | wc -l) symbols of the header, all of them used"
