#!/bin/sh
# hop against PyTorch, in alternation: one JSON line per measurement, then a summary per case: medians
# over the rounds, and the median of the paired ratios hop / best PyTorch variant of the round.
# Cases: one process with all cores, and as many processes of one thread as there are cores (images/s
# summed); float32 and, where the CPU has it, bfloat16. PyTorch gets what makes it fast here: threads
# set by hand, malloc that keeps large blocks, OpenBLAS (Debian: libopenblas0-pthread; its
# reference BLAS would halve net 1). The first round tries every variant, the others those within a
# tenth of the best.
# Skipped without a python3 that has torch, or without jq. Wants an idle machine.
# BENCH_PEER_PYTHON, BENCH_ROUNDS (5), BENCH_NETS, BENCH_BATCHES (32 128 256), BENCH_PRECISIONS (fp32
# bf16), BENCH_REPEATS (2), BENCH_IMAGES (768 per repeat).
cd "$(dirname "$0")/../.." || exit 1
for python in ${BENCH_PEER_PYTHON:-python3 /usr/bin/python3} ''; do
    [ -z "$python" ] || ! "$python" -c 'import torch' 2>/dev/null || break
done
if [ -z "$python" ] || ! command -v jq >/dev/null; then
    echo "torch_peer.sh: skipped: needs jq, and a python3 with torch (BENCH_PEER_PYTHON)" >&2
    exit 0
fi
build=${HOP_BUILD:-build}
cores=$(getconf _NPROCESSORS_ONLN)
lines=$(mktemp) part=$(mktemp -d) || exit 1
trap 'rm -rf "$lines" "$part"' EXIT
export MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=8000000000 GOMP_SPINCOUNT=1000000

compile=
"$python" -c 'import torch; torch.compile' 2>/dev/null && compile=channels_last-compile
# variants PRECISION
variants() {
    case $1 in
    bf16) echo "nchw-bf16 channels_last-bf16${compile:+ $compile-bf16}" ;;
    *) echo "nchw channels_last mkldnn $compile" ;;
    esac
}
precisions=
for p in ${BENCH_PRECISIONS:-fp32 bf16}; do
    if "$build/bench/bench_train" share/nets/mlp.json mlp cpu 8 1 1 1 "$p" >/dev/null 2>&1; then
        precisions="$precisions $p"
    else
        echo "torch_peer.sh: no $p here" >&2
    fi
done

# one WHO PRECISION NET BATCH THREADS: a JSON line of one process
one() {
    steps=$((${BENCH_IMAGES:-768} / $4))
    [ "$steps" -gt 0 ] || steps=1
    if [ "$1" = hop ]; then
        "$build/bench/bench_train" "share/nets/$3.json" "$3" cpu "$4" "$5" \
            "${BENCH_REPEATS:-2}" "$steps" "$2"
    else
        OPENBLAS_NUM_THREADS=$5 OMP_NUM_THREADS=$5 "$python" test/bench/torch_peer.py "$3" "$4" \
            "$5" "$1" "${BENCH_REPEATS:-2}" "$steps"
    fi
}

# together ROUND WHO PRECISION NET BATCH PROCESSES THREADS: as many at once, summed
together() {
    rm -f "$part"/*
    i=0
    while [ "$i" -lt "$6" ]; do
        one "$2" "$3" "$4" "$5" "$7" >"$part/$i" &
        i=$((i + 1))
    done
    wait
    cat "$part"/* | jq -cs --argjson round "$1" --arg who "$2" --arg precision "$3" --arg net "$4" \
        --argjson batch "$5" --argjson processes "$6" --argjson threads "$7" \
        'if length != $processes then error("a process failed") else {hop:"bench/1",bench:"peer",
         round:$round,net:$net,precision:$precision,batch:$batch,processes:$processes,
         threads:$threads,who:$who,images_per_s:(map(.images_per_s)|add),
         rss_mb:(map(.rss_mb)|max)} end' | tee -a "$lines"
}

# worth WHO CASE...: is that variant near the best of the first round?
worth() {
    jq -es --arg who "$1" --arg precision "$2" --arg net "$3" --argjson batch "$4" \
        --argjson processes "$5" 'map(select(.round == 1 and .precision == $precision and
        .net == $net and .batch == $batch and .processes == $processes and .who != "hop")) |
        (map(.images_per_s) | max) as $best |
        any(.who == $who and .images_per_s >= 0.9 * $best)' "$lines" >/dev/null
}

for round in $(seq "${BENCH_ROUNDS:-5}"); do
    for net in ${BENCH_NETS:-cifar10-cnn1 cifar10-cnn2}; do
        for batch in ${BENCH_BATCHES:-32 128 256}; do
            for precision in $precisions; do
                for how in "1 $cores" "$cores 1"; do
                    for who in hop $(variants "$precision"); do
                        [ "$round" = 1 ] || [ "$who" = hop ] ||
                            worth "$who" "$precision" "$net" "$batch" "${how% *}" || continue
                        together "$round" "$who" "$precision" "$net" "$batch" "${how% *}" "${how#* }"
                    done
                done
            done
        done
    done
done
jq -cs 'def median: sort | .[length / 2 | floor];
    group_by([.net, .precision, .batch, .processes])[] | . as $all | $all[0] as $case |
    ($all | group_by(.who) | map({(.[0].who): (map(.images_per_s) | median)}) | add) as $medians |
    ($all | group_by(.who) | map({(.[0].who): (map(.rss_mb) | median)}) | add) as $rss |
    ($all | group_by(.round) | map(
        (map(select(.who == "hop").images_per_s)[0]) / (map(select(.who != "hop").images_per_s) | max))
        | median) as $ratio |
    {hop:"bench/1",bench:"peer-summary",net:$case.net,precision:$case.precision,batch:$case.batch,
     processes:$case.processes,threads:$case.threads,rounds:($all | map(.round) | max),
     medians:$medians,ratio:($ratio * 1000 | round / 1000),rss_mb:$rss}' "$lines"
