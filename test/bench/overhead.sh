#!/bin/sh
# What a visit costs besides training: BENCH_VISITS (1000) visits of a tiny net with 2 local workers, the
# script of hop-schedule run by GNU parallel, device ref. overhead_ms is the wall time of a worker's slot
# per visit, over what hop-train says it trained. The split, per visit: engine (GNU parallel and the script,
# and starting hop-visit), begin (lock, the old model), train_process (starting hop-train, reading and
# writing the model, the shard), check (the result read and digested), commit (fsync, rename), log (append,
# fdatasync). cpu_ms: processor time per visit of all of it, training included, which tells even on a busy
# machine. With --keep hop-train's process stays. One JSON line each.
cd "$(dirname "$0")/../.." || exit 1
build=$(cd "${HOP_BUILD:-build}" && pwd) || exit 1
PATH=$build/bin:$PATH HOP_SHARE=$PWD/share
dir=$(mktemp -d "${BENCH_DIR:-/tmp}/hop-bench.XXXXXX") || exit 1
XDG_RUNTIME_DIR=$dir/locks
export PATH HOP_SHARE XDG_RUNTIME_DIR
trap 'hop-train --stop; rm -rf "$dir"' EXIT
mkdir -m 700 "$dir/locks" && cd "$dir" || exit 1
awk 'BEGIN { print "a,b,label"; for (i = 0; i < 200; i++) print (i * 7) % 13 "," (i * 5) % 11 "," i % 2 }' >t.csv
hop-shard -q -n 2 --label label -o data t.csv >shards || exit 1
echo '{"class_name":"Sequential","config":{"name":"tiny","layers":[
{"class_name":"InputLayer","config":{"batch_input_shape":[null,2]}},
{"class_name":"Dense","config":{"units":2,"activation":"softmax"}}]}}' | tr -d '\n' >net.json
visits=${BENCH_VISITS:-1000}
for keep in '' '--keep 60s'; do
    rm -rf run
    # 4 configs, 2 shards: visits / 8 iterations
    for id in a b c d; do
        echo '{"hop":"config/1","id":"'$id'","model":"./net.json","optimizer":"sgd","lr":0.01,"batch_size":50,"until":'$((visits / 8))'}'
    done >configs
    # shellcheck disable=SC2086 # two words
    hop-schedule -q --data data --workers 2 --run run --device ref --eval-every 0 $keep --as sh <configs |
        sed 's/hop-visit --run run --id \([a-d]\) --visit \([1-9]\)/hop-visit -vv --run run --id \1 --visit \2/' >script || exit 1
    begin=$(date +%s%N)
    HOP_PROGRESS=0 sh -c 'sh script 2>said && times >times' || { tail -n 3 said; exit 1; }
    ns=$(($(date +%s%N) - begin))
    # the second line of times is that of children: 0m1.234s 0m0.567s
    cpu_s=$(sed -n 2p times | tr 'ms' '  ' | awk '{ print $1 * 60 + $2 + $3 * 60 + $4 }')
    sed -n 's/.*"hop":"train\/1".*"wall_s":\([0-9.e-]*\).*/train \1/p' run/log.jsonl | cat - said | awk -v ns="$ns" -v keep="$keep" -v cpu_s="$cpu_s" '
        $1 == "train" { train += 1000 * $2; n++ }
        / ms: begin / {
            gsub(",", "")
            for (i = 1; i < NF; i++) ms[$i] += $(i + 1)
            m++
        }
        END {
            slot = 2 * ns / 1e6 / n
            inside = (ms["begin"] + ms["filter"] + ms["check"] + ms["commit"] + ms["log"]) / m
            printf "{\"hop\":\"bench/1\",\"bench\":\"overhead\",\"keep\":%s,\"visits\":%d,\"workers\":2,\"wall_s\":%.2f," \
                "\"train_ms\":%.3f,\"overhead_ms\":%.2f,\"engine_ms\":%.2f,\"begin_ms\":%.2f,\"train_process_ms\":%.2f," \
                "\"check_ms\":%.2f,\"commit_ms\":%.2f,\"log_ms\":%.2f,\"cpu_ms\":%.2f}\n", keep == "" ? "false" : "true", n, ns / 1e9,
                train / n, slot - train / n, slot - inside, ms["begin"] / m, ms["filter"] / m - train / n,
                ms["check"] / m, ms["commit"] / m, ms["log"] / m,
                1000 * cpu_s / n
        }'
done
