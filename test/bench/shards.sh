#!/bin/sh
# Does the cost of an iteration grow with the number of shards? The same pictures in 1, 4, 16 and 64
# shards: one config visits all of them, one process per visit (cold), then handed to a worker process
# that stays (warm: hop-train --keep), so start, reading and writing the model are in it, but not a rename
# over the model before, at which ext4 writes to disk (9 ms). Two JSON lines per count: examples per second
# over the whole, the greatest memory of a cold visit, and cost against one shard, cold. Real pictures (CIFAR-10),
# skipped unless ../shared/data or HOP_REAL_DATA has them. BENCH_NET (cifar10-cnn1), BENCH_SHARDS (1 4 16 64).
cd "$(dirname "$0")/../.." || exit 1
build=$(cd "${HOP_BUILD:-build}" && pwd) || exit 1
real=${HOP_REAL_DATA:-$PWD/../shared/data}/cifar10-jpeg.tar.xz
export HOP_SHARE="$PWD/share"
[ -r "$real" ] || { echo "shards.sh: skipped: no $real" >&2; exit 0; }
command -v jq >/dev/null || { echo "shards.sh: skipped: needs jq" >&2; exit 0; }
dir=$(mktemp -d) || exit 1
mkdir -m 700 "$dir/run" || exit 1
export XDG_RUNTIME_DIR="$dir/run"
trap '"$build/bin/hop-train" --stop; rm -rf "$dir"' EXIT
cd "$dir" || exit 1
echo '{"hop":"config/1","id":"a","model":"'"${BENCH_NET:-cifar10-cnn1}"'","optimizer":"sgd","lr":0.01,"momentum":0.9,"batch_size":128,"seed":1}' >config
first=

# report: the line of what was run last.
report()
{
    mv model.$i model
    set -- data/train-*.safetensors
    # the greatest memory of one more visit, the map of the shard included
    "$build/bench/bench_run" "$build/bin/hop-train" -q -d cpu -s "$1" <model 2>rss >next || exit 1
    examples=$(jq '.splits.train.examples' data/manifest.json)
    [ -n "$first" ] || first=$ns
    jq -cn --argjson n "$n" --argjson ns "$ns" --argjson first "$first" --argjson examples "$examples" \
        --arg who $who --argjson rss "$(jq .rss_mb rss)" '{hop:"bench/1",bench:"shards",shards:$n,who:$who,
        examples:$examples,wall_s:($ns / 1e6 | round / 1000),examples_per_s:($examples / $ns * 1e9 | round),
        cost:($ns / $first * 1000 | round / 1000),rss_mb:$rss}'
}

for n in ${BENCH_SHARDS:-1 4 16 64}; do
    rm -rf data
    "$build/bin/hop-shard" -q -n "$n" -o data "$real#train" >made || exit 1
    for who in cold warm; do
        keep=
        [ $who = cold ] || keep="--keep 60s"
        rm -f model.*
        "$build/bin/hop-train" --init -q <config >model.0 || exit 1
        i=0
        begin=$(date +%s%N)
        for shard in data/train-*.safetensors; do
            # shellcheck disable=SC2086 # two words
            "$build/bin/hop-train" -q -d cpu $keep -s "$shard" <model.$i >model.$((i + 1)) || exit 1
            i=$((i + 1))
        done
        ns=$(($(date +%s%N) - begin))
        "$build/bin/hop-train" --stop
        report
    done
done
