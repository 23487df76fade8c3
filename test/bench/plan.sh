#!/bin/sh
# What plans take and how good they are: configs of five nets of the zoo on simulated workers, one shard
# each, one iteration; from exec to the last line. JSON lines: seconds, processor seconds, greatest
# memory, and the makespan over its lower bound. The last size needs 1 GB (BENCH_LARGE=0 leaves it out).
cd "$(dirname "$0")/../.." || exit 1
build=$(cd "${HOP_BUILD:-build}" && pwd) || exit 1
PATH=$build/bin:$PATH HOP_SHARE=$PWD/share
export PATH HOP_SHARE
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1

# plan CONFIGS WORKERS ORDER POLICY FORM
plan() {
    awk -v n="$1" 'BEGIN {
        split("lenet5 cifar10-cnn1 cifar10-cnn2 resnet9 mlp", net, " ")
        for (i = 0; i < n; i++)
            printf "{\"hop\":\"config/1\",\"id\":\"c%05d\",\"model\":\"%s\",\"optimizer\":\"sgd\",\"lr\":0.01,\"batch_size\":32,\"until\":1}\n", i, net[i % 5 + 1]
    }' >configs.jsonl
    "$build/bench/bench_run" hop-schedule -q --simulate --workers "$2" --order "$3" --policy "$4" \
        --as "$5" <configs.jsonl >out 2>took || { cat took >&2; exit 1; }
    { head -n 1 out; cat took; } | awk -v n="$1" -v w="$2" -v order="$3" -v policy="$4" -v form="$5" '
        function value(key) {
            match($0, "\"" key "\":[-0-9.e+]*")
            return substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 3)
        }
        NR == 1 { visits = value("visits"); ratio = value("makespan_s") / value("lower_bound_s") }
        NR == 2 {
            printf "{\"hop\":\"bench/1\",\"bench\":\"plan\",\"configs\":%d,\"workers\":%d,\"visits\":%d,\"order\":\"%s\"," \
                "\"policy\":\"%s\",\"as\":\"%s\",\"wall_s\":%s,\"cpu_s\":%s,\"rss_mb\":%d,\"makespan_over_bound\":%.4f}\n",
                n, w, visits, order, policy, form, value("wall_s"), value("cpu_s"), value("rss_mb"), ratio
        }'
}
for order in cyclic free; do
    for size in "100 16" "1000 64" "1000 256" "3000 500" "10000 1000"; do
        [ "$size" != "10000 1000" ] || [ "${BENCH_LARGE:-1}" != 0 ] || continue
        # shellcheck disable=SC2086 # two words
        plan $size $order auto plan
    done
    plan 1000 256 $order auto json
    [ "${BENCH_LARGE:-1}" = 0 ] || plan 10000 1000 $order auto json
done
for policy in round-robin random longest-first; do
    plan 1000 256 free $policy plan
done
