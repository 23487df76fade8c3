#!/bin/sh
# What hop-search's methods find, and how fast they answer: regrets over 30 seeds, iterations that counting
# ones takes, and the processor time (median) of one call over 10,000 finished trials of 10 parameters,
# with reading the log. JSON lines. BENCH_REPEATS (11), BENCH_SEEDS (30).
cd "$(dirname "$0")/../.." || exit 1
build=$(cd "${HOP_BUILD:-build}" && pwd) || exit 1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
"$build/bench/bench_search" --space >space.json && "$build/bench/bench_search" --log 10000 >log || exit 1
for method in "random -c 10001" "tpe -c 10001" "tpe -c 10001 --rule univariate" "tpe -c 10016 -j 16" \
    "asha -c 10001 -R 27" "pbt -c 10000 -n 2 --interval 1"; do
    for _ in $(seq "${BENCH_REPEATS:-11}"); do
        # shellcheck disable=SC2086 # words
        "$build/bench/bench_run" "$build/bin/hop-search" -q $method --metric val.loss space.json \
            <log 2>&1 >next | tail -n 1 || exit 1
    done | sed 's/.*"wall_s":\([0-9.]*\),"cpu_s":\([0-9.]*\).*/\2 \1/' | sort -n |
        awk -v method="$method" '{ cpu[NR] = $1; if (NR == 1 || $2 < wall) wall = $2 }
            END { printf "{\"hop\":\"bench/1\",\"bench\":\"search\",\"method\":\"%s\",\"trials\":10000," \
                    "\"parameters\":10,\"cpu_ms\":%.0f,\"least_wall_ms\":%.0f,\"repeats\":%d}\n",
                    method, cpu[int((NR + 1) / 2)] * 1e3, wall * 1e3, NR }'
    [ -s next ] || exit 1
done
"$build/bench/bench_search" "${BENCH_SEEDS:-30}"
