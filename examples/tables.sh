#!/bin/sh
# tables.sh RUN TITLE MAXGAP - what a run has shown: tables into RUN, the two that say most to stdout,
# and pictures where there is a gnuplot.
set -eu
run=$1
title=$2
gap=$3
here=$(cd "$(dirname "$0")" && pwd)

# table FILE OPTIONS...: of the last states, as they are compared in the talk
table()
{
    file=$run/$1
    shift
    hop-search select -q --table "$@" <"$run/log.jsonl" >"$file.new"
    mv "$file.new" "$file"
}

table all.txt
table top10.txt --top 10
table no-overfit.txt --top 10 --max-gap "$gap"
table by-model.txt --by model
table pareto.txt --pareto
table importance.txt --importance
printf '\n%s, the ten best:\n' "$title"
cat "$run/top10.txt"
printf '\n%s, the ten best whose accuracy on train is at most %s above that on val:\n' "$title" "$gap"
cat "$run/no-overfit.txt"

if ! command -v gnuplot >/dev/null; then
    echo "tables.sh: no gnuplot here, so no pictures" >&2
    exit 0
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for split in train val; do
    awk -v part=$split -v nets="$tmp/nets" -f "$here/points.awk" "$run/log.jsonl" >"$tmp/$split"
done
awk -v want_last=1 -f "$here/points.awk" "$run/log.jsonl" >"$tmp/last"
gnuplot -e "train='$tmp/train'; val='$tmp/val'; nets='$tmp/nets'" \
    -e "title_text='$title'; out='$tmp/curves.png'" "$here/curves.gp"
gnuplot -e "last='$tmp/last'; nets='$tmp/nets'; gap=$gap" \
    -e "title_text='$title'; out='$tmp/overfit.png'" "$here/overfit.gp"
mv "$tmp/curves.png" "$tmp/overfit.png" "$run"
