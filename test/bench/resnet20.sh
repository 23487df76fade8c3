#!/bin/sh
# ResNet-20 on CIFAR-10: accuracy on val after each iteration of hop, and after each epoch of PyTorch
# with the same net, pictures, optimizer and batch: a JSON line per run, one of hop's last model of the
# first seed evaluated by PyTorch (the same net?), and a summary over the seeds: mean, standard deviation,
# min and max after each iteration, and the differences of the means. Half an hour on 2 idle cores, one
# for each side, so only with HOP_SLOW=1. Skipped without the pictures, jq, or a python3 that has torch.
# BENCH_PEER_PYTHON, BENCH_SEEDS (1 2 3), BENCH_ITERATIONS (5), BENCH_LR (0.05), BENCH_SCHEDULE (constant;
# or cosine, with which the last accuracies scatter less), BENCH_WORK: a folder to work in, which is
# kept, and where the same command goes on after a stop.
cd "$(dirname "$0")/../.." || exit 1
pictures=$(cd "${HOP_REAL_DATA:-../shared/data}" 2>/dev/null && pwd)/cifar10-jpeg.tar.xz
for python in ${BENCH_PEER_PYTHON:-python3 /usr/bin/python3} ''; do
    [ -z "$python" ] || ! "$python" -c 'import torch' 2>/dev/null || break
done
if [ -z "${HOP_SLOW:-}" ]; then
    echo "resnet20.sh: skipped: long: set HOP_SLOW=1" >&2
    exit 0
elif [ -z "$python" ] || [ ! -r "$pictures" ] || ! command -v jq >/dev/null; then
    echo "resnet20.sh: skipped: needs $pictures, jq, and a python3 with torch (BENCH_PEER_PYTHON)" >&2
    exit 0
fi
root=$PWD
PATH=$(cd "${HOP_BUILD:-build}/bin" && pwd):$PATH || exit 1
[ -n "${BENCH_WORK:-}" ] || trap 'rm -rf "$work"' EXIT
work=${BENCH_WORK:-$(mktemp -d)}
mkdir -p "$work" && cd "$work" || exit 1
HOP_SHARE=$root/share XDG_RUNTIME_DIR=$PWD # locks of devices of our own
# One thread; and memory that PyTorch frees stays its own, which is faster.
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=8000000000
export PATH HOP_SHARE XDG_RUNTIME_DIR OMP_NUM_THREADS OPENBLAS_NUM_THREADS MALLOC_MMAP_THRESHOLD_ \
    MALLOC_TRIM_THRESHOLD_
seeds=${BENCH_SEEDS:-1 2 3} iterations=${BENCH_ITERATIONS:-5} lr=${BENCH_LR:-0.05}
schedule=${BENCH_SCHEDULE:-constant} shards=8

# peer NAME ARGS...: a line of PyTorch into the file NAME, unless it is there
peer() {
    name=$1
    shift
    [ -s "$name" ] || { "$python" "$root/test/bench/resnet20_torch.py" data "$root/share/nets/resnet20.json" \
        "$@" >"$name.part" && mv "$name.part" "$name"; }
}

if [ ! -s data/manifest.json ]; then
    hop-shard -q -n "$shards" -o data --val "$pictures#test" "$pictures#train" >/dev/null || exit 1
fi
# Every visit ends with a batch of what is left.
steps=$(jq "[.splits.train.shards[].examples / 128 | ceil] | add * $iterations" data/manifest.json) || exit 1
echo "$seeds" | jq -cR --argjson lr "$lr" --arg schedule "$schedule" --argjson steps "$steps" \
    '{model:"resnet20",optimizer:"sgd",lr:$lr,momentum:0.9,batch_size:128,seed:(split(" ") | map(tonumber))} +
    if $schedule == "cosine" then {schedule:$schedule,decay_steps:$steps} else {} end' >space.json
for seed in $seeds; do
    peer "torch-$seed.json" "$iterations" "$seed" "$lr" "$schedule" 0.9 128 || exit 1
done &
hop-run -q -o run --data data --workers 1 -d cpu grid --iterations "$iterations" space.json >/dev/null ||
    { wait; exit 1; }
wait $! || exit 1
peer torch-of-hop.json run/models/c0001.safetensors || exit 1

{
    jq -cs --slurpfile configs run/configs.jsonl 'def r4: . * 10000 | round / 10000; . as $log |
        $configs | unique_by(.id)[] | . as $c | [$log[] | select(.id == $c.id)] as $mine |
        [$mine[] | select(.hop == "train/1")] as $train |
        [$mine[] | select(.hop == "eval/1" and (has("shard") | not))] as $val |
        {hop:"bench/1",bench:"resnet20",who:"hop",seed:$c.seed,train:($train | map(select(.iteration == 1).examples)
         | add),val:$val[0].examples,accuracy:($val | map(.accuracy | r4)),loss:($val | map(.loss | r4)),
         train_accuracy:[$train | group_by(.iteration)[] |
         (map(.accuracy * .examples) | add) / (map(.examples) | add) | r4],
         wall_s:($train + $val | map(.wall_s) | add | round),fingerprint:$train[0].fingerprint}' run/log.jsonl
    for seed in $seeds; do
        cat "torch-$seed.json"
    done
    jq -cs --slurpfile peer torch-of-hop.json 'map(select(.hop == "eval/1" and .id == "c0001" and
        (has("shard") | not))) | $peer[0] + {hop_accuracy:last.accuracy,hop_loss:last.loss}' run/log.jsonl
} >lines || exit 1
cat lines
jq -es --argjson n "$iterations" 'map(select(.who == "hop" or .who == "torch")) |
    all((.accuracy | length) == $n and (.train_accuracy | length) == $n)' lines >/dev/null ||
    { echo "resnet20.sh: a run has not one evaluation per iteration" >&2; exit 1; }
# within: the difference is no more than the wider of the two ranges
jq -cs 'def r4: . * 10000 | round / 10000;
    def spread: transpose | map((add / length) as $mean | {mean:($mean | r4),sd:(if length < 2 then null else
        (map(. - $mean | . * .) | add / (length - 1) | sqrt | r4) end),min:min,max:max});
    def table(f): {hop:(map(select(.who == "hop") | f) | spread),torch:(map(select(.who == "torch") | f) | spread)} |
        . + {difference:([.hop, .torch] | transpose | map(.[0].mean - .[1].mean | r4))};
    . as $all | {hop:"bench/1",bench:"resnet20-summary",seeds:(map(select(.who == "hop")) | length),
    accuracy:table(.accuracy),train_accuracy:table(.train_accuracy)} | .accuracy as $a |
    . + {last:{hop:$a.hop[-1],torch:$a.torch[-1],difference:$a.difference[-1],
    within:(([$a.difference[-1], -$a.difference[-1]] | max) <=
        ([$a.hop[-1], $a.torch[-1]] | map(.max - .min) | max))}}' lines
