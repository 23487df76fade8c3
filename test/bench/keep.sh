#!/bin/sh
# What hop-train --keep saves: from exec until training starts (ready) and until the end, of a process
# of its own (cold) and of one that a worker does (warm), for the nets 1 and 2, ResNet-20 and a tiny one
# with 32 pictures of one shard, one step each, device cpu; then the worker's memory after 100 and after
# BENCH_VISITS (10000) visits of the tiny one. JSON lines. BENCH_REPEATS (51).
cd "$(dirname "$0")/../.." || exit 1
build=$(cd "${HOP_BUILD:-build}" && pwd) || exit 1
PATH=$build/bin:$PATH HOP_SHARE=$PWD/share
dir=$(mktemp -d) || exit 1
XDG_RUNTIME_DIR=$dir/run
export PATH HOP_SHARE XDG_RUNTIME_DIR
trap 'hop-train --stop; rm -rf "$dir"' EXIT
mkdir -m 700 "$dir/run" && cd "$dir" || exit 1
"$build/examples/shapes" -o pics -n 64 --size 32 >shapes.out &&
    hop-shard -q -n 20 -o data pics/train >shard.out || exit 1
shard=data/train-000.safetensors
cat >tiny.json <<'JSON'
{"class_name": "Sequential", "config": {"name": "tiny", "layers": [
  {"class_name": "InputLayer", "config": {"batch_input_shape": [null, 32, 32, 3]}},
  {"class_name": "Conv2D", "config": {"filters": 8, "kernel_size": 3, "strides": 2, "activation": "relu"}},
  {"class_name": "Flatten", "config": {}},
  {"class_name": "Dense", "config": {"units": 10, "activation": "softmax"}}]}}
JSON
for net in cifar10-cnn1 cifar10-cnn2 resnet20 tiny; do
    name=$net
    [ $net != tiny ] || name=$dir/tiny.json
    echo '{"hop":"config/1","id":"a","model":"'"$name"'","optimizer":"sgd","lr":0.01,"momentum":0.9,"batch_size":32}' |
        hop-train --init -q >model || exit 1
    for who in cold warm; do
        keep=
        [ $who = cold ] || keep="--keep 60s"
        # shellcheck disable=SC2086 # two words
        "$build/bench/bench_keep" "${BENCH_REPEATS:-51}" model next "$build/bin/hop-train" -vv -d cpu $keep -s $shard |
            sed "s/^{/{\"hop\":\"bench\/1\",\"bench\":\"keep\",\"net\":\"$net\",\"who\":\"$who\",/" || exit 1
    done
done
worker=$(pgrep -f "$build/bin/hop-train -vv -d cpu --keep" | head -n 1)
n=0
for until in 100 "${BENCH_VISITS:-10000}"; do
    begin=$(date +%s%N) from=$n
    while [ $n -lt "$until" ]; do
        hop-train -vv -d cpu --keep 60s -s $shard <model >next 2>/dev/null || exit 1
        n=$((n + 1))
    done
    echo "$n $from $(($(date +%s%N) - begin)) $(awk '/^VmRSS/ { print $2 }' "/proc/$worker/status")" |
        awk '{ printf "{\"hop\":\"bench/1\",\"bench\":\"keep-memory\",\"visits\":%d,\"rss_kb\":%d,\"visits_per_s\":%.0f}\n",
            $1, $4, ($1 - $2) / ($3 / 1e9) }'
done
