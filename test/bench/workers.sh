#!/bin/sh
# Two workers against one, one thread each, on 2 cores: 4 configs of net A (cifar10-cnn1, batch 32) over 2
# shards of drawn pictures, one iteration, device cpu, everything from the script's start to its end. Rounds
# alternate; one JSON line with medians and the median of the paired ratios. BENCH_REPEATS (5) rounds,
# BENCH_EXAMPLES (2048) pictures.
cd "$(dirname "$0")/../.." || exit 1
build=$(cd "${HOP_BUILD:-build}" && pwd) || exit 1
PATH=$build/bin:$PATH HOP_SHARE=$PWD/share
dir=$(mktemp -d) || exit 1
XDG_RUNTIME_DIR=$dir/locks
export PATH HOP_SHARE XDG_RUNTIME_DIR
trap 'rm -rf "$dir"' EXIT
mkdir -m 700 "$dir/locks" && cd "$dir" || exit 1
"$build/examples/shapes" -o pics -n $((${BENCH_EXAMPLES:-2048} / 10)) --size 32 >shapes.out &&
    hop-shard -q -n 2 -o data pics/train >shards || exit 1
for id in a b c d; do
    echo '{"hop":"config/1","id":"'$id'","model":"cifar10-cnn1","optimizer":"sgd","lr":0.01,"momentum":0.9,"batch_size":32}'
done >configs
go() # WORKERS: ns
{
    rm -rf run
    hop-schedule -q --data data --workers "$1" --run run --device cpu --eval-every 0 --as sh <configs >script &&
        HOP_PROGRESS=0 sh -c 'begin=$(date +%s%N); sh script >&2 && echo $(($(date +%s%N) - begin))'
}
for _ in $(seq "${BENCH_REPEATS:-5}"); do
    one=$(go 1) && two=$(go 2) || exit 1
    echo "$one $two"
done | awk '
    function median(v, n,    i, j, t) {
        for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j] < v[j - 1]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
        return v[int((n + 1) / 2)]
    }
    { one[NR] = $1 / 1e9; two[NR] = $2 / 1e9; ratio[NR] = $1 / $2 }
    END {
        printf "{\"hop\":\"bench/1\",\"bench\":\"workers\",\"net\":\"cifar10-cnn1\",\"batch\":32,\"configs\":4,\"shards\":2," \
            "\"one_s\":%.2f,\"two_s\":%.2f,\"times\":%.3f,\"repeats\":%d}\n", median(one, NR), median(two, NR),
            median(ratio, NR), NR
    }'
