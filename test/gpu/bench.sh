#!/bin/sh
# bench.sh - `make bench-gpu`: what a GPU does in at most 4 minutes: what a process costs to start, images/s
# of nets by batch and by processes side by side, PyTorch with the same nets where it is installed, and a
# search of 8 configs over 16 shards from end to end. lib.sh says what is read from the environment;
# BENCH_BATCHES (32 64 128 512), BENCH_NETS, BENCH_PRECISIONS (fp32 bf16; what the device lacks is left
# out), BENCH_PEER_PYTHON (python3).
# shellcheck disable=SC2154 # set there
. "$(dirname "$0")/lib.sh"
nets=${BENCH_NETS:-cifar10-cnn1 cifar10-cnn2 resnet9}
batches=${BENCH_BATCHES:-32 64 128 512}
python=${BENCH_PEER_PYTHON:-python3}

# rate NET BATCH REPEATS STEPS PRECISION: bench_train's line.
rate() { "$build/bench/bench_train" "share/nets/$1.json" "$1" "$device" "$2" 1 "$3" "$4" "$5"; }

# What there is of fp32, bf16 on this device.
precisions()
{
    for p in ${BENCH_PRECISIONS:-fp32 bf16}; do
        if rate mlp 8 1 1 "$p" >/dev/null 2>&1; then echo "$p"; fi
    done
}

# A visit of one step on 32 pictures, from exec to end; and again with more steps, to take them off.
start_up()
{
    "$build/examples/shapes" -o "$dir/pics" -n 1700 --size 32 >/dev/null &&
        hop-shard -q -n 16 -o "$dir/data" --val-fraction 0.05 "$dir/pics/train" >/dev/null || return 1
    echo '{"hop":"config/1","id":"a","model":"cifar10-cnn1","optimizer":"sgd","momentum":0.9,"batch_size":32}' |
        hop-train -q --init >"$dir/m0" || return 1
    for passes in 1 5; do
        for _ in 1 2 3 4 5; do
            begin=$(date +%s%N)
            hop-train -q -d "$device" --passes $passes -s "$dir/data/train-000.safetensors" <"$dir/m0" >"$dir/m1" || return 1
            echo $(($(date +%s%N) - begin))
        done | sort -n | awk -v passes=$passes '{ ns[NR] = $1 }
            END { printf "{\"hop\":\"bench/1\",\"bench\":\"start\",\"net\":\"cifar10-cnn1\",\"batch\":32," \
                    "\"passes\":%d,\"ms\":%.1f,\"min\":%.1f,\"max\":%.1f,\"repeats\":%d}\n", passes, ns[3] / 1e6,
                    ns[1] / 1e6, ns[NR] / 1e6, NR }'
    done
}

one_process()
{
    for p in $(precisions); do
        for net in $nets; do
            for batch in $batches; do
                rate "$net" "$batch" 3 $((25600 / batch)) "$p" || return 1
            done
        done
    done
}

# K processes at once: the sum of their medians.
side_by_side()
{
    for net in cifar10-cnn1 cifar10-cnn2; do
        for batch in 32 128; do
            for k in 1 2 4 8; do
                for i in $(seq $k); do
                    rate $net $batch 5 $((12800 / batch)) fp32 >"$dir/k.$i" &
                    pids="${pids-} $!"
                done
                for pid in $pids; do
                    wait "$pid" || return 1
                done
                pids=
                cat "$dir"/k.* | sed 's/.*"images_per_s":\([0-9.]*\).*/\1/' |
                    awk -v net=$net -v batch=$batch -v k=$k '{ sum += $1 }
                        END { printf "{\"hop\":\"bench/1\",\"bench\":\"side_by_side\",\"net\":\"%s\",\"batch\":%d," \
                            "\"processes\":%d,\"images_per_s\":%.1f}\n", net, batch, k, sum }'
                rm -f "$dir"/k.*
            done
        done
    done
}

peers()
{
    "$python" -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null || {
        echo "peers: skipped: no python3 with torch and a GPU (BENCH_PEER_PYTHON)"
        return 0
    }
    for net in cifar10-cnn1 cifar10-cnn2; do
        for batch in $batches; do
            for variant in fp32 bf16 bf16-graph; do
                "$python" test/gpu/torch_peer.py $net "$batch" $variant 1 || return 1
            done
        done
    done
}

# 8 configs, 16 shards, 2 iterations, through hop-run, from end to end.
search()
{
    cat >"$dir/space.json" <<'END'
{"model":"cifar10-cnn1","optimizer":["sgd","adam"],"lr":[0.01,0.001],"batch_size":[32,128]}
END
    begin=$(date +%s%N)
    hop-run -q -o "$dir/run" --data "$dir/data" -w 8 -d "$device" grid --iterations 2 "$dir/space.json" >/dev/null || return 1
    ns=$(($(date +%s%N) - begin))
    grep '"train/1"' "$dir/run/log.jsonl" | sed 's/.*"examples":\([0-9]*\).*/\1/' | awk -v ns=$ns '{ n += $1 }
        END { if (NR != 256) exit 1
              printf "{\"hop\":\"bench/1\",\"bench\":\"search\",\"configs\":8,\"shards\":16,\"iterations\":2,\"visits\":%d," \
                  "\"examples\":%d,\"wall_s\":%.2f,\"images_per_s\":%.1f}\n", NR, n, ns / 1e9, n / (ns / 1e9) }'
}

if [ -n "${HOP_GPU_PART-}" ]; then
    "$HOP_GPU_PART"
    exit
fi
part 30 start_up
part 60 one_process
part 50 side_by_side
part 60 peers
part 50 search
finish
