#!/bin/sh
# check.sh - `make check-gpu`: what only a GPU can tell, in at most 5 minutes. Exact mode to the last bit
# (t_conformance, t_device on the real device), cuDNN's convolutions, the same bits again, side by side
# and in a search, all against ref. lib.sh says what is read from the environment.
# shellcheck disable=SC2154 # set there
. "$(dirname "$0")/lib.sh"

# The true properties for test/golden/cudnn, and the choice that they lead to.
properties() { "$build/test/t_conv_plan" --here; }

# digests DEVICE N: N visits of one model at a time on the same shard, their digests.
digests()
{
    for i in $(seq "$2"); do
        hop-train -q -d "$1" -s "$dir/data/train-000.safetensors" <"$dir/m0" >"$dir/m.$1.$i" &
        pids="${pids-} $!"
    done
    for pid in $pids; do
        wait "$pid" || return 1
    done
    pids=
    for i in $(seq "$2"); do
        head -c 100000 "$dir/m.$1.$i" | grep -ao '"hop.digest":"[0-9a-f]*"' | grep -o '[0-9a-f]\{32\}'
    done
}

# One visit: ref's bits, once, again, and four at a time.
same_bits()
{
    "$build/examples/shapes" -o "$dir/pics" -n 150 --size 32 >/dev/null &&
        hop-shard -q -n 2 -o "$dir/data" --val-fraction 0.2 "$dir/pics/train" >/dev/null || return 1
    for net in cifar10-cnn1 cifar10-cnn2 shapes-mlp; do
        echo "{\"hop\":\"config/1\",\"id\":\"a\",\"model\":\"$net\",\"optimizer\":\"adam\",\"lr\":0.001,\"batch_size\":32}" |
            hop-train -q --init >"$dir/m0" || return 1
        digests ref 1 >"$dir/want" && digests "$device" 1 >"$dir/have" && digests "$device" 1 >>"$dir/have" &&
            digests "$device" 4 >>"$dir/have" || return 1
        echo "$net: ref $(cat "$dir/want"), $device $(sort "$dir/have" | uniq -c | tr -s ' \n' ' ')"
        [ -s "$dir/want" ] && [ "$(sort -u "$dir/have")" = "$(cat "$dir/want")" ] || return 1
    done
}

# A search of 8 configs over 4 shards: every train line's digest as on ref.
same_search()
{
    cat >"$dir/space.json" <<'END'
{"model":"shapes-cnn","optimizer":["sgd","adam"],"lr":[0.01,0.001],"batch_size":[32,50]}
END
    hop-shard -q -n 4 -o "$dir/data4" --val-fraction 0.2 "$dir/pics/train" >/dev/null || return 1
    for d in ref "$device"; do
        hop-run -q -o "$dir/run.$d" --data "$dir/data4" -w 4 -d "$d" grid --iterations 2 "$dir/space.json" >/dev/null || return 1
        grep '"train/1"' "$dir/run.$d/log.jsonl" |
            sed 's/.*"id":"\([^"]*\)".*"visit":\([0-9]*\).*"digest":"\([0-9a-f]*\)".*/\1 \2 \3/' | sort >"$dir/log.$d"
    done
    echo "$(wc -l <"$dir/log.ref") visits; $(comm -12 "$dir/log.ref" "$dir/log.$device" | wc -l) with equal digests"
    [ -s "$dir/log.ref" ] && cmp "$dir/log.ref" "$dir/log.$device"
}

conformance() { HOP_TEST_DEVICE=$device sh test/run-unit.sh "$build/test/t_conformance"; }
device() { HOP_TEST_DEVICE=$device sh test/run-unit.sh "$build/test/t_device"; }
convolutions() { sh test/run-unit.sh "$build/test/t_conv_gpu"; }

if [ -n "${HOP_GPU_PART-}" ]; then
    "$HOP_GPU_PART"
    exit
fi
[ "$device" != cuda ] || part 20 properties
part 100 conformance
part 40 device
[ ! -x "$build/test/t_conv_gpu" ] || part 30 convolutions
part 40 same_bits
part 60 same_search
finish
