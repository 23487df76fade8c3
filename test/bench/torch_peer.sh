#!/bin/sh
# hop against PyTorch, in alternation: one JSON line per run, then a summary per case: medians over the
# rounds, and the median of the paired ratios hop / best PyTorch variant of the round. Cases: one
# process with all cores, and as many processes of one thread as there are cores (images/s summed).
# Skipped without a python3 that has torch, or without jq. Wants an idle machine.
# BENCH_PEER_PYTHON, BENCH_ROUNDS (5), BENCH_NETS, BENCH_BATCHES (32 128), BENCH_REPEATS (3),
# BENCH_STEPS (8).
cd "$(dirname "$0")/../.." || exit 1
for python in ${BENCH_PEER_PYTHON:-python3 /usr/bin/python3} ''; do
    [ -z "$python" ] || ! "$python" -c 'import torch' 2>/dev/null || break
done
if [ -z "$python" ] || ! command -v jq >/dev/null; then
    echo "torch_peer.sh: skipped: needs jq, and a python3 with torch (BENCH_PEER_PYTHON)" >&2
    exit 0
fi
cores=$(getconf _NPROCESSORS_ONLN)
lines=$(mktemp) part=$(mktemp -d) || exit 1
trap 'rm -rf "$lines" "$part"' EXIT

# one WHO NET BATCH THREADS: a JSON line of one process
one() {
    if [ "$1" = hop ]; then
        "${HOP_BUILD:-build}/bench/bench_train" "share/nets/$2.json" "$2" cpu "$3" "$4" \
            "${BENCH_REPEATS:-3}" "${BENCH_STEPS:-8}"
    else
        OMP_NUM_THREADS=$4 "$python" test/bench/torch_peer.py "$2" "$3" "$4" "$1" \
            "${BENCH_REPEATS:-3}" "${BENCH_STEPS:-8}"
    fi
}

# together ROUND WHO NET BATCH PROCESSES THREADS: as many at once, summed
together() {
    rm -f "$part"/*
    i=0
    while [ "$i" -lt "$5" ]; do
        one "$2" "$3" "$4" "$6" >"$part/$i" &
        i=$((i + 1))
    done
    wait
    cat "$part"/* | jq -cs --argjson round "$1" --arg who "$2" --arg net "$3" --argjson batch "$4" \
        --argjson processes "$5" --argjson threads "$6" \
        'if length != $processes then error("a process failed") else {hop:"bench/1",bench:"peer",
         round:$round,net:$net,batch:$batch,processes:$processes,threads:$threads,who:$who,
         images_per_s:(map(.images_per_s)|add)} end' | tee -a "$lines"
}

for round in $(seq "${BENCH_ROUNDS:-5}"); do
    for net in ${BENCH_NETS:-cifar10-cnn1 cifar10-cnn2}; do
        for batch in ${BENCH_BATCHES:-32 128}; do
            for who in hop nchw channels_last mkldnn; do
                together "$round" "$who" "$net" "$batch" 1 "$cores"
                together "$round" "$who" "$net" "$batch" "$cores" 1
            done
        done
    done
done
jq -cs 'def median: sort | .[length / 2 | floor];
    group_by([.net, .batch, .processes])[] | . as $all | $all[0] as $case |
    ([$all[] | {who, images_per_s}] | group_by(.who) |
        map({(.[0].who): (map(.images_per_s) | median)}) | add) as $medians |
    ($all | group_by(.round) | map(
        (map(select(.who == "hop").images_per_s)[0]) / (map(select(.who != "hop").images_per_s) | max))
        | median) as $ratio |
    {hop:"bench/1",bench:"peer-summary",net:$case.net,batch:$case.batch,processes:$case.processes,
     threads:$case.threads,medians:$medians,ratio:($ratio * 1000 | round / 1000)}' "$lines"
