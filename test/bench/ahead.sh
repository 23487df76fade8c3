#!/bin/bash
# What a hop over a slow link costs: two workers behind real sshds of this machine, each over a link of
# BENCH_BYTES_PER_S (12500000: 100 Mbit/s each way) and BENCH_DELAY_MS (5), models of 9.5 MB, BENCH_CONFIGS
# (6) of them, visits of BENCH_PASSES passes (8) on 2000 examples, device cpu; with --send-ahead 0, 1, 2.
# idle_frac: the part of the two workers' time, from the script's start to its end, in which hop-train
# did not train, by its own wall_s. So the first model's way there and the last one's way back are in
# it whatever is sent ahead. JSON lines.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
cd "$(dirname "$0")/../.." || exit 1
build=$(cd "${HOP_BUILD:-build}" && pwd) || exit 1
# shellcheck source=test/hosts.bash
. test/hosts.bash
missing=$(no_hosts)
[ -z "$missing" ] || { echo "ahead.sh: left out: $missing" >&2; exit 0; }
PATH=$build/bin:$PATH HOP_SHARE=$PWD/share
dir=$(mktemp -d /tmp/hop-bench.XXXXXX) || exit 1
XDG_RUNTIME_DIR=$dir/locks
export PATH HOP_SHARE XDG_RUNTIME_DIR
trap 'stop_hosts "$dir"; rm -rf "$dir"' EXIT
mkdir -m 700 "$dir/locks" && cd "$dir" || exit 1
rate=${BENCH_BYTES_PER_S:-12500000} delay=${BENCH_DELAY_MS:-5} passes=${BENCH_PASSES:-8} configs=${BENCH_CONFIGS:-6}

# Pictures of noise, as MNIST's files have them.
examples=4000
mkdir mnist
{ printf '\0\0\10\3\0\0\17\240\0\0\0\34\0\0\0\34'; openssl enc -aes-128-ctr -K 00 -iv 00 -in /dev/zero 2>/dev/null | head -c $((examples * 784)); } >mnist/train-images-idx3-ubyte
{ printf '\0\0\10\1\0\0\17\240'; yes 0123456789 | tr -d '\n' | tr 0-9 '\0-\11' | head -c $examples; } >mnist/train-labels-idx1-ubyte
hop-shard -q -n 2 --val-fraction 0 -o data mnist >shards || exit 1
echo '{"class_name":"Sequential","config":{"name":"wide","layers":[
{"class_name":"InputLayer","config":{"batch_input_shape":[null,28,28,1]}},{"class_name":"Flatten","config":{}},
{"class_name":"Dense","config":{"units":1200,"activation":"relu"}},
{"class_name":"Dense","config":{"units":200,"activation":"relu"}},
{"class_name":"Dense","config":{"units":10,"activation":"softmax"}}]}}' | tr -d '\n' >net.json
for k in $(seq "$configs"); do
    echo '{"hop":"config/1","id":"c'"$k"'","model":"./net.json","optimizer":"sgd","lr":0.001,"momentum":0.9,"batch_size":32,"passes":'"$passes"',"until":2}'
done >configs

start_hosts "$dir" a b || exit 1
for k in 0 1; do
    h=$(echo a b | cut -d ' ' -f $((k + 1)))
    ln "data/train-00$k.safetensors" "$h/data/" || exit 1
    proxy="[\"-o\",\"ProxyCommand=$build/bench/bench_link 127.0.0.1 $(cat $h/port) $rate $delay\","
    echo "{\"name\":\"$h\",\"ssh\":$(ssh_words "$dir" $h | sed "s|^\\[|$proxy|"),\"folder\":\"$dir/$h/data\",\"path\":\"$build/bin\",\"shards\":[\"train-00$k\"]}"
done >workers

for ahead in 0 1 2; do
    rm -rf run
    hop-schedule -q --data data --workers workers --run run --device cpu --eval-every 0 --send-ahead $ahead --as sh <configs >script || exit 1
    # the models are made first: no worker's business
    hop-visit -q --run run --add-configs <configs
    for k in $(seq "$configs"); do hop-visit -q --run run --id "c$k" --visit 0 -- hop-train --init || exit 1; done
    begin=$(date +%s%N)
    HOP_PROGRESS=0 sh script || exit 1
    ns=$(($(date +%s%N) - begin))
    bytes=$(wc -c <run/models/c1.safetensors)
    sed -n 's/.*"hop":"train\/1".*"wall_s":\([0-9.e-]*\).*/\1/p' run/log.jsonl | awk -v ns=$ns -v ahead=$ahead -v bytes="$bytes" -v rate="$rate" -v delay="$delay" -v configs="$configs" '
        { train += $1 }
        END {
            wall = ns / 1e9
            printf "{\"hop\":\"bench/1\",\"bench\":\"ahead\",\"send_ahead\":%d,\"workers\":2,\"configs\":%d,\"visits\":%d,\"model_bytes\":%d," \
                "\"link_bytes_per_s\":%d,\"link_delay_ms\":%g,\"visit_s\":%.3f,\"wall_s\":%.2f,\"idle_frac\":%.4f}\n",
                ahead, configs, NR, bytes, rate, delay, train / NR, wall, 1 - train / (2 * wall)
        }'
done
