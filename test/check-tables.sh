#!/bin/sh
# A kind (layer, optimizer, source, policy, emitter, method, importer) is one file and one row in one table:
# every file of a kind has its row, and ref runs every layer. (A row without its file does not
# link.) check-tables.sh [ROOT]: exit 1 and one line per file or row that is missing.
cd "${1:-$(dirname "$0")/..}" || exit 1
[ -d lib/base ] || { echo "no lib/base in $PWD"; exit 1; }
n_bad=0
n=0

bad()
{
    echo "$*"
    n_bad=$((n_bad + 1))
}

# has_row TABLE NAME: a row X(NAME) or &hop_KIND_NAME.
has_row() { grep -qE "(\bX\($2\)|&hop_[a-z]+_$2\b)" "$1" 2>/dev/null; }

# files TABLE PREFIX: every file PREFIX_NAME.c has a row.
files()
{
    for f in "$2"_*.c; do
        [ -e "$f" ] || continue
        n=$((n + 1))
        name=${f#"$2"_}
        has_row "$1" "${name%.c}" || bad "$f: no row for ${name%.c} in $1"
    done
}

files lib/net/layers.c lib/net/layer
files lib/net/optim.c lib/net/optim
files lib/format/source.c lib/format/source
files lib/schedule/policies.c lib/schedule/policy
files lib/schedule/emitters.c lib/schedule/emit
files lib/search/methods.c lib/search/method
files lib/search/import.c lib/search/import
# Several kinds of layer may be one operation ("op", the third field of a kind): devices run that.
for f in lib/net/layer_*.c; do
    [ -e "$f" ] || continue
    op=$(tr '\n' ' ' <"$f" |
        sed -n 's/.* hop_layer_[a-z0-9_]* = {[^,]*,[^,]*, *"\([A-Za-z0-9]*\)".*/\1/p')
    n=$((n + 1))
    grep -qE "op_[a-z0-9_]+\)? *= *\{\"$op\"" lib/engine/ref/ref_*.c ||
        grep -qzE "op_[a-z0-9_]+\)? *= *\{[[:space:]]*\"$op\"" lib/engine/ref/ref_*.c ||
        bad "lib/engine/ref: no operation \"$op\" of $f"
done
# A loss: a rule in loss.h, a row in loss.c, its value and its slope in ref_loss.c.
for rule in $(sed -n '/^enum hop_loss_rule/,/};/s/^ *\(HOP_LOSS_[A-Z]*\).*/\1/p' lib/net/loss.h); do
    n=$((n + 1))
    grep -q "^    {.*$rule\b" lib/net/loss.c || bad "lib/net/loss.c: no row for $rule"
    [ "$(grep -c "case $rule:" lib/engine/ref/ref_loss.c)" -eq 2 ] ||
        bad "lib/engine/ref/ref_loss.c: not two cases of $rule"
done
[ "$n" -gt 0 ] || bad "no tables found"
[ "$n_bad" -eq 0 ] || { echo "check-tables: $n_bad missing"; exit 1; }
echo "check-tables: ok ($n)"
