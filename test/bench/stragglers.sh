#!/bin/sh
# Stragglers: 40 configs, 8 of them 8 times slower, on 8 workers that sleep instead of training
# (bench_sleep). After an iteration that tells what visits take, the second one by --policy auto and by
# round-robin with its barriers, each through its script and GNU parallel: seconds as planned and as
# measured. JSON lines. BENCH_PASS_S (1): seconds of a fast visit.
cd "$(dirname "$0")/../.." || exit 1
build=$(cd "${HOP_BUILD:-build}" && pwd) || exit 1
PATH=$build/bin:$PATH HOP_SHARE=$PWD/share
BENCH_TRAIN=$build/bin/hop-train BENCH_PASS_S=${BENCH_PASS_S:-1} BENCH_SHARDS=8
export PATH HOP_SHARE BENCH_TRAIN BENCH_PASS_S BENCH_SHARDS
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
awk 'BEGIN { print "a,label"; for (i = 0; i < 160; i++) print i % 7 "," i % 2 }' >table.csv
hop-shard -q -n 8 --val-fraction 0 --label label -o data table.csv >shard.out || exit 1
cat >net.json <<'JSON'
{"class_name": "Sequential", "config": {"name": "tiny", "layers": [
  {"class_name": "InputLayer", "config": {"batch_input_shape": [null, 1]}},
  {"class_name": "Dense", "config": {"units": 2, "activation": "softmax"}}]}}
JSON
for i in $(seq 40); do
    echo '{"hop":"config/1","id":"c'"$i"'","model":"./net.json","optimizer":"sgd","lr":0.01,"batch_size":8,"passes":'$((i % 5 ? 1 : 8))',"until":2}'
done >configs.jsonl
mkdir bin && ln -s "$build/bench/bench_sleep" bin/hop-train || exit 1

# go RUN OPTIONS...: plan, run; "EXPECTED MEASURED BOUND" in seconds
go() {
    run=$1
    shift
    hop-schedule -q --data data --workers 8 --run "$run" --eval-every 0 --as plan "$@" <configs.jsonl >plan &&
        hop-schedule -q --data data --workers 8 --run "$run" --eval-every 0 --as sh "$@" <configs.jsonl >script.sh || exit 1
    begin=$(date +%s%N)
    PATH=$dir/bin:$PATH sh script.sh || exit 1
    echo "$(($(date +%s%N) - begin)) $(cat plan)" | awk '{
        ns = $1
        match($0, /"makespan_s":[0-9.e+-]*/); expected = substr($0, RSTART + 13, RLENGTH - 13)
        match($0, /"lower_bound_s":[0-9.e+-]*/); bound = substr($0, RSTART + 16, RLENGTH - 16)
        print expected, ns / 1e9, bound
    }'
}
go auto --iterations 1 >first || exit 1
cp -R auto round-robin || exit 1
for policy in auto round-robin; do
    go $policy --policy $policy >$policy.s || exit 1
    awk -v policy=$policy '{
        printf "{\"hop\":\"bench/1\",\"bench\":\"stragglers\",\"policy\":\"%s\",\"workers\":8,\"configs\":40,\"visits\":320," \
            "\"expected_s\":%.2f,\"measured_s\":%.2f,\"lower_bound_s\":%.2f,\"measured_over_expected\":%.4f}\n",
            policy, $1, $2, $3, $2 / $1 }' $policy.s
done
cat auto.s round-robin.s | awk '{ s[NR] = $2 }
    END { printf "{\"hop\":\"bench/1\",\"bench\":\"stragglers\",\"round_robin_over_auto\":%.3f}\n", s[2] / s[1] }'
