#!/bin/sh
# How long hop-search takes to read a log of 1,000,000 lines (train/1 and eval/1 of 10,000 configs, 50
# iterations; 250 MB), from a file and through a pipe. Median processor time, least wall time. JSON lines.
# BENCH_REPEATS (5).
build=$(cd "$(dirname "$0")/../.." && cd "${HOP_BUILD:-build}" && pwd) || exit 1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
echo '{"lr":{"type":"loguniform","low":1e-4,"high":0.1},"batch_size":[32,64,128]}' >space.json
awk 'BEGIN {
    x = 7
    for (i = 1; i <= 50; i++) for (c = 1; c <= 10000; c++) {
        x = (x * 16807) % 2147483647
        printf "{\"hop\":\"train/1\",\"id\":\"c%04d\",\"visit\":%d,\"iteration\":%d,\"shard\":\"train-%03d\",\"worker\":\"gpu%d:1\",\"device\":\"cpu\",\"fingerprint\":\"a1b2c3d4e5f60718\",\"loss\":%.9g,\"accuracy\":%.9g,\"examples\":15625,\"steps\":65,\"wall_s\":%.9g,\"examples_per_s\":1929.25,\"lr\":0.001,\"status\":\"ok\",\"digest\":\"0123456789abcdef0123456789abcdef\"}\n", c, i, i, i % 16, i % 8, x / 3e8, x / 2147483647, x / 1e9
        printf "{\"hop\":\"eval/1\",\"id\":\"c%04d\",\"iteration\":%d,\"visit\":%d,\"split\":\"val\",\"loss\":%.9g,\"accuracy\":%.9g,\"examples\":10000,\"wall_s\":0.4123,\"device\":\"cpu\",\"status\":\"ok\"}\n", c, i, i, x / 3e8, x / 2147483647
    }
}' >log
report() { # WHAT: medians of lines from bench_run
    sed 's/.*"wall_s":\([0-9.]*\),"cpu_s":\([0-9.]*\).*/\2 \1/' | sort -n |
        awk -v what="$1" '{ cpu[NR] = $1; if (NR == 1 || $2 < wall) wall = $2 }
            END { printf "{\"hop\":\"bench/1\",\"bench\":\"logs\",\"what\":\"%s\",\"lines\":1000000," \
                    "\"cpu_s\":%.2f,\"least_wall_s\":%.2f,\"repeats\":%d}\n", what, cpu[int((NR + 1) / 2)], wall, NR }'
}
run() { "$build/bench/bench_run" "$build/bin/hop-search" -q "$@" 2>&1 >answer | tail -n 1; }
for _ in $(seq "${BENCH_REPEATS:-5}"); do run random -c 10000 -n 50 space.json <log; done | report "random, a file"
[ ! -s answer ] || exit 1
# shellcheck disable=SC2002 # a pipe is what is measured
for _ in $(seq "${BENCH_REPEATS:-5}"); do cat log | run random -c 10000 -n 50 space.json; done | report "random, a pipe"
for _ in $(seq "${BENCH_REPEATS:-5}"); do run select --top 1 <log; done | report "select, a file"
