#!/bin/sh
# What a visit costs when its run has grown: a tiny net, device ref, its process kept, so that little else is
# measured; a log of 100 lines and of 100,000 (of 1,000 other configs, which configs.jsonl and models/ have,
# too, in both). BENCH_VISITS (40) visits each, the two runs taking turns. JSON lines: milliseconds of the
# processor per visit (hop-visit and what it runs), least and median wall time, bytes read per visit.
cd "$(dirname "$0")/../.." || exit 1
build=$(cd "${HOP_BUILD:-build}" && pwd) || exit 1
PATH=${BENCH_BIN:-$build/bin}:$PATH HOP_SHARE=$PWD/share
dir=$(mktemp -d "${BENCH_DIR:-/tmp}/hop-bench.XXXXXX") || exit 1
XDG_RUNTIME_DIR=$dir/locks
export PATH HOP_SHARE XDG_RUNTIME_DIR
trap 'rm -rf "$dir"' EXIT
mkdir -m 700 "$dir/locks" && cd "$dir" || exit 1
awk 'BEGIN { print "a,b,label"; for (i = 0; i < 200; i++) print (i * 7) % 13 "," (i * 5) % 11 "," i % 2 }' >t.csv
hop-shard -q -n 2 --label label -o data t.csv >shards || exit 1
echo '{"class_name":"Sequential","config":{"name":"tiny","layers":[
{"class_name":"InputLayer","config":{"batch_input_shape":[null,2]}},
{"class_name":"Dense","config":{"units":2,"activation":"softmax"}}]}}' | tr -d '\n' >net.json
config() { echo '{"hop":"config/1","id":"'"$1"'","model":"./net.json","optimizer":"sgd","lr":0.01,"batch_size":50,"until":'"$2"'}'; }
for lines in 100 100000; do
    {
        config a 1000
        awk 'BEGIN { for (i = 0; i < 1000; i++) print i }' | while read -r i; do config "c$i" 100; done
    } | hop-visit --run run$lines --add-configs || exit 1
    hop-visit --run run$lines --id a --visit 0 -- hop-train --init || exit 1
    awk -v n=$lines 'BEGIN {
        for (i = 0; i < n; i++)
            printf "{\"hop\":\"train/1\",\"id\":\"c%d\",\"visit\":%d,\"iteration\":%d,\"shard\":\"train-%03d\",\"worker\":\"gpu%d:1\",\"device\":\"cpu\",\"fingerprint\":\"a1b2c3d4e5f60718\",\"loss\":0.123456789,\"accuracy\":0.912345678,\"examples\":15625,\"steps\":65,\"wall_s\":8.1,\"examples_per_s\":1929.25,\"lr\":0.001,\"status\":\"ok\",\"digest\":\"0123456789abcdef0123456789abcdef\"}\n", i % 1000, i / 1000 + 1, i / 1000 + 1, i % 16, i % 8
    }' >>run$lines/log.jsonl
    (cd run$lines/models && awk 'BEGIN { for (i = 0; i < 1000; i++) printf "c%d.safetensors .c%d.lock ", i, i }' | xargs touch) || exit 1
done
k=0
while [ $k -lt "${BENCH_VISITS:-40}" ]; do
    k=$((k + 1))
    shard=train-00$(((k + 1) % 2))
    for lines in 100 100000; do
        "$build/bench/bench_run" hop-visit --run run$lines --id a --shard $shard --visit $k -- \
            hop-train -q --device ref --keep 60s --shard data/$shard.safetensors 2>&1 | sed "s/^/$lines /"
    done
done >took
hop-train --stop
for lines in 100 100000; do
    # how much one more reads, where strace is there to count
    k=$((${BENCH_VISITS:-40} + 1))
    shard=train-00$(((k + 1) % 2))
    bytes=null
    if command -v strace >/dev/null; then
        strace -q -e trace=read,pread64 -o calls hop-visit --run run$lines --id a --shard $shard --visit $k -- \
            hop-train -q --device ref --shard data/$shard.safetensors || exit 1
        bytes=$(sed -n 's/.* = \([0-9]*\)$/\1/p' calls | awk '{ n += $1 } END { print n + 0 }')
    fi
    sed -n "s/^$lines .*\"wall_s\":\([0-9.]*\),\"cpu_s\":\([0-9.]*\).*/\1 \2/p" took | sort -n | awk -v lines=$lines -v bytes="$bytes" '
        { wall[NR] = $1; cpu += $2 }
        END {
            if (!NR) exit 1
            printf "{\"hop\":\"bench/1\",\"bench\":\"growth\",\"log_lines\":%d,\"configs\":1001,\"visits\":%d,\"cpu_ms\":%.2f," \
                "\"least_wall_ms\":%.1f,\"median_wall_ms\":%.1f,\"read_bytes\":%s}\n", lines, NR, 1000 * cpu / NR, 1000 * wall[1],
                1000 * wall[int((NR + 1) / 2)], bytes
        }' || exit 1
done
