#!/bin/sh
# bench.sh - `make bench-gpu`: what a GPU does in less than 4 minutes: what a visit costs to start, cold and
# warm; examples/s of nets by precision, batch and models side by side; PyTorch with the same nets where it
# is installed; a search of 8 configs over 16 shards from end to end, against the nets alone. lib.sh says
# what is read from the environment; BENCH_BATCHES (64 128 32 512), BENCH_NETS, BENCH_PRECISIONS (bf16
# fp32), BENCH_PICTURES (1700 of each class), BENCH_PEER_PYTHON (python3).
# shellcheck disable=SC2154 # set there
. "$(dirname "$0")/lib.sh"
nets=${BENCH_NETS:-cifar10-cnn1 cifar10-cnn2 resnet9}
batches=${BENCH_BATCHES:-64 128 32 512}
python=${BENCH_PEER_PYTHON:-python3}
first_net=${nets%% *}

# config NET BATCH
config() { echo "{\"hop\":\"config/1\",\"id\":\"a\",\"model\":\"$1\",\"optimizer\":\"sgd\",\"momentum\":0.9,\"batch_size\":$2}"; }

# A visit of one pass over 1000 pictures, from exec to end; of five, to take the passes off; the same with a
# worker process that has seen net and shard.
start_up()
{
    "$build/examples/shapes" -o "$dir/pics" -n "${BENCH_PICTURES:-1700}" --size 32 >/dev/null &&
        hop-shard -q -n 16 -o "$dir/data" --val-fraction 0.05 "$dir/pics/train" >/dev/null || return 1
    config "$first_net" 32 | hop-train -q --init >"$dir/m0" || return 1
    for how in cold warm; do
        for passes in 1 5; do
            [ $how = cold ] && keep= || keep=--keep=60s
            for _ in 1 2 3 4 5; do
                begin=$(date +%s%N)
                # shellcheck disable=SC2086 # none or one
                hop-train -q -d "$device" --passes $passes $keep -s "$dir/data/train-000.safetensors" <"$dir/m0" >"$dir/m1" || return 1
                echo $(($(date +%s%N) - begin))
            done | sort -n | awk -v passes=$passes -v how=$how -v net="$first_net" '{ ns[NR] = $1 }
                END { printf "{\"hop\":\"bench/1\",\"bench\":\"start\",\"net\":\"%s\",\"batch\":32,\"how\":\"%s\"," \
                        "\"passes\":%d,\"ms\":%.1f,\"min\":%.1f,\"max\":%.1f,\"repeats\":%d}\n", net, how, passes, ns[3] / 1e6,
                        ns[1] / 1e6, ns[NR] / 1e6, NR }'
        done
    done
    hop-train --stop
}

# Models side by side, from 1 on as long as more pay: hop-train --measure's lines. The precision that comes
# second is measured at the first batch size only.
throughput()
{
    at=$batches
    for p in ${BENCH_PRECISIONS:-bf16 fp32}; do
        for batch in $at; do
            for net in $nets; do
                config "$net" "$batch" | hop-train -q --measure --init -d "$device" --precision "$p" >"$dir/rates" || continue
                cat "$dir/rates" >>"$dir/all-rates"
                cat "$dir/rates"
            done
        done
        at=${batches%% *}
    done
    [ -s "$dir/all-rates" ]
}

peers()
{
    "$python" -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null || {
        echo "peers: skipped: no python3 with torch and a GPU (BENCH_PEER_PYTHON)"
        return 0
    }
    for net in cifar10-cnn1 cifar10-cnn2; do
        "$python" test/gpu/torch_peer.py $net 64 fp32,bf16,bf16-graph,bf16-compile 1 || return 1
    done
    "$python" test/gpu/torch_peer.py cifar10-cnn1 128 bf16,bf16-graph 1
}

# 8 configs, 16 shards, 2 iterations, through hop-run, from end to end: one worker process with as many slots
# as pay at this batch size. Also as a part of what the net alone does.
search()
{
    precision=${BENCH_PRECISIONS:-bf16}
    precision=${precision%% *}
    config "$first_net" 64 | hop-train -q --measure --init -d "$device" --precision "$precision" >"$dir/here" || return 1
    slots=$(sed 's/.*"slots":\([0-9]*\),"probe".*/\1/' "$dir/here")
    best=$(grep -o '"examples_per_s":[0-9.e+]*' "$dir/here" | cut -d: -f2 | sort -g | tail -n 1)
    echo "{\"name\":\"gpu\",\"device\":\"$device\",\"precision\":\"$precision\",\"slots\":$slots,\"keep\":\"60s\"}" >"$dir/workers"
    cat >"$dir/space.json" <<END
{"model":"$first_net","optimizer":["sgd","adam"],"lr":[0.01,0.003,0.001,0.0003],"batch_size":64,"passes":${BENCH_PASSES:-5}}
END
    begin=$(date +%s%N)
    hop-run -q -o "$dir/run" --data "$dir/data" -w "$dir/workers" grid --iterations 2 "$dir/space.json" >/dev/null || return 1
    ns=$(($(date +%s%N) - begin))
    hop-train --stop
    grep '"train/1"' "$dir/run/log.jsonl" | sed 's/.*"examples":\([0-9]*\).*/\1/' |
        awk -v ns=$ns -v best="$best" -v slots="$slots" -v precision="$precision" '{ n += $1 }
        END { if (NR != 256) exit 1
              printf "{\"hop\":\"bench/1\",\"bench\":\"search\",\"configs\":8,\"shards\":16,\"iterations\":2,\"visits\":%d,\"slots\":%d," \
                  "\"precision\":\"%s\",\"examples\":%d,\"wall_s\":%.2f,\"images_per_s\":%.1f,\"of_net_alone\":%.3f}\n", NR, slots,
                  precision, n, ns / 1e9, n / (ns / 1e9), n / (ns / 1e9) / best }'
}

if [ -n "${HOP_GPU_PART-}" ]; then
    "$HOP_GPU_PART"
    exit
fi
part 30 start_up
part 75 throughput
part 75 peers
part 45 search
finish
