#!/bin/sh
# A visit of one step: from exec of hop-train to its end, so with reading and writing the model (net 1:
# 10 MB with momentum), 32 pictures of one shard, everything in the page cache. One JSON line with the
# median in ms. The first step is over before the model is written. BENCH_REPEATS (21).
cd "$(dirname "$0")/../.." || exit 1
build=$(cd "${HOP_BUILD:-build}" && pwd) || exit 1
export HOP_SHARE="$PWD/share"
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
"$build/examples/shapes" -o pics -n 64 --size 32 >shapes.out &&
    "$build/bin/hop-shard" -q -n 20 -o data pics/train >shard.out || exit 1
for precision in fp32 bf16; do
    echo '{"hop":"config/1","id":"a","model":"cifar10-cnn1","optimizer":"sgd","lr":0.01,"momentum":0.9,"batch_size":32,"seed":1}' >config
    "$build/bin/hop-train" --init -q <config >model || exit 1
    "$build/bin/hop-train" -q -d cpu --precision $precision -s data/train-000.safetensors <model \
        >next 2>why || { echo "start.sh: $precision skipped: $(cat why)" >&2; continue; }
    for _ in $(seq "${BENCH_REPEATS:-21}"); do
        begin=$(date +%s%N)
        "$build/bin/hop-train" -q -d cpu --precision $precision -s data/train-000.safetensors \
            <model >next || exit 1
        echo $(($(date +%s%N) - begin))
    done | sort -n | awk -v precision=$precision '{ ns[NR] = $1 }
        END { printf "{\"hop\":\"bench/1\",\"bench\":\"start\",\"net\":\"cifar10-cnn1\"," \
                "\"precision\":\"%s\",\"batch\":32,\"steps\":1,\"ms\":%.1f,\"min\":%.1f,\"max\":%.1f," \
                "\"repeats\":%d}\n", precision, ns[int((NR + 1) / 2)] / 1e6, ns[1] / 1e6, ns[NR] / 1e6, NR }'
done
