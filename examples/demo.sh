#!/bin/sh
# demo.sh - hop's main job in two minutes: draw pictures, shard them, search a small grid on two
# workers, and ask the best model what is on three pictures it has never seen. `make demo` or
# `sh bootstrap.sh demo` run it; in ./hop-demo or HOP_DEMO_DIR. Run again, it resumes.
set -u
here=$(cd "$(dirname "$0")/.." && pwd) || exit 1
: "${HOP_BUILD:=$here/build}" "${HOP_DEMO_DIR:=hop-demo}"
PATH=$HOP_BUILD/bin:$HOP_BUILD/examples:$PATH
export PATH

bold=
plain=
if [ -t 1 ]; then
    bold=$(tput bold 2>/dev/null) && plain=$(tput sgr0 2>/dev/null)
fi

title() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

# run COMMAND: show it and run it.
run()
{
    printf '%s$ %s%s\n' "$bold" "$1" "$plain"
    sh -c "$1" || {
        status=$?
        echo "demo.sh: that ended with status $status" >&2
        exit 1
    }
}

start=$(date +%s)
mkdir -p "$HOP_DEMO_DIR" && cd "$HOP_DEMO_DIR" || exit 1

title "1. Pictures: ten classes of drawn shapes, a folder per class"
if [ ! -e pictures.done ]; then
    rm -rf pictures
    run "shapes -o pictures -n 600 --level 1" && : >pictures.done
fi
echo "$(find pictures/train -name '*.png' | wc -l) pictures to train on:" \
    "$(cd pictures/train && echo *)"

title "2. Shards: cut once, shuffled and balanced; from here on the data stay where they are"
[ -e data/manifest.json ] ||
    run "hop-shard -n 4 -o data --val pictures/val pictures/train >shards.jsonl"
(cd data && ls -l -- *.safetensors | awk '{ printf "  %-24s %9d bytes\n", $NF, $5 }')

title "3. The search: 2 nets x 2 optimizers, on 2 workers; models hop from shard to shard"
[ -e space.json ] || cp "$here/share/spaces/shapes.json" space.json
cat space.json
run "hop-run -o run --data data --workers 2 grid --iterations 4 space.json"

title "4. The best model, asked about three pictures it has never seen"
best=$(hop-search select --best --top 1 <run/log.jsonl | sed -n 's/.*"id":"\([^"]*\)".*/\1/p')
[ -n "$best" ] || { echo "demo.sh: no best model in run/log.jsonl" >&2; exit 1; }
pictures=
for class in $(cd pictures/val && ls | awk 'NR % 4 == 1'); do
    pictures="$pictures \\
    pictures/val/$class/$(cd "pictures/val/$class" && ls | head -n 1)"
done
run "hop-eval --predict --top 3 --model run/best/$best.safetensors$pictures >predictions.jsonl"
# For people: the file, then three times a class and its probability.
sed 's/[]["{}]//g' predictions.jsonl | awk -F, '{
    for (i = 2; i <= NF; i++)
        sub(/.*:/, "", $i)
    printf "  %-30s %s %.1f %%, %s %.1f %%, %s %.1f %%\n", $2, $3, 100 * $4, $5, 100 * $6, $7, 100 * $8
}'

title "Done in $(($(date +%s) - start)) s. What next?"
cat <<END
  cd $HOP_DEMO_DIR
  export PATH=$HOP_BUILD/bin:\$PATH
  hop-search select --best --table <run/log.jsonl   # the leaderboard again
  hop-run -o run --data data --workers 2 grid --iterations 6 space.json   # train on, from here
  \$EDITOR space.json                                # other nets, rates, batch sizes; then
  hop-run -o run2 --data data --workers 2 grid --iterations 4 space.json  # in a new run folder
  man $here/man/hop-run.1
Your own pictures: a folder with a folder per class, then hop-shard and hop-run as above.
END
