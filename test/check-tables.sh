#!/bin/sh
# A kind (layer, optimizer, source, method, policy, emitter) is one file and one row X(NAME) in one
# table: every file of a kind has its row, and ref runs every layer. (A row without its file does
# not link.) check-tables.sh [ROOT]: exit 1 and one line per file or row that is missing.
cd "${1:-$(dirname "$0")/..}" || exit 1
[ -d lib/base ] || { echo "no lib/base in $PWD"; exit 1; }
n_bad=0
n=0

bad()
{
    echo "$*"
    n_bad=$((n_bad + 1))
}

# table_rows TABLE: the NAMEs of its rows X(NAME).
table_rows() { grep -oE '\bX\([a-z0-9_]+\)' "$1" 2>/dev/null | sed 's/X(//; s/)//' | grep -v '^name$'; }

# files TABLE PREFIX: every file PREFIX_NAME.c has a row.
files()
{
    for f in "$2"_*.c; do
        [ -e "$f" ] || continue
        n=$((n + 1))
        word=${f#"$2"_}
        table_rows "$1" | grep -qx "${word%.c}" || bad "$f: no row X(${word%.c}) in $1"
    done
}

files lib/net/layers.c lib/net/layer
files lib/net/optim.c lib/net/optim
for word in $(table_rows lib/net/layers.c); do
    n=$((n + 1))
    table_rows lib/engine/ref/ref.c | grep -qx "$word" ||
        bad "lib/engine/ref/ref.c: no row X($word), which lib/net/layers.c has"
done
[ "$n" -gt 0 ] || bad "no tables found"
[ "$n_bad" -eq 0 ] || { echo "check-tables: $n_bad missing"; exit 1; }
echo "check-tables: ok ($n)"
