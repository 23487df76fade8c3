#!/bin/sh
# check.sh - `make check-gpu`: what only a GPU can tell, in little more than 5 minutes. Exact mode to the
# last bit, bf16 and tf32 within their tolerances (t_conformance, t_device on the real device), cuDNN's
# convolutions; the same bits again, side by side in processes and in one process, and in a search; memory
# under compute-sanitizer. lib.sh says what is read from the environment; CHECK_NETS, CHECK_PICTURES (150 of
# each class).
# shellcheck disable=SC2154 # set there
. "$(dirname "$0")/lib.sh"

# The true properties for test/golden/cudnn, and the choice that they lead to.
properties() { "$build/test/t_conv_plan" --here; }

# digests DEVICE N [OPTION...]: N visits of one model at a time on the same shard, their digests.
digests()
{
    to=$1
    n=$2
    shift 2
    for i in $(seq "$n"); do
        hop-train -q -d "$to" "$@" -s "$dir/data/train-000.safetensors" <"$dir/m0" >"$dir/m.$to.$i" &
        pids="${pids-} $!"
    done
    for pid in $pids; do
        wait "$pid" || return 1
    done
    pids=
    for i in $(seq "$n"); do
        head -c 100000 "$dir/m.$to.$i" | grep -ao '"hop.digest":"[0-9a-f]*"' | grep -o '[0-9a-f]\{32\}'
    done
}

# One visit: once, again, four processes at a time, eight at a time in one process, in which the plan
# is used again and captured; in float32 ref's bits.
same_bits()
{
    "$build/examples/shapes" -o "$dir/pics" -n "${CHECK_PICTURES:-150}" --size 32 >/dev/null &&
        hop-shard -q -n 2 -o "$dir/data" --val-fraction 0.2 "$dir/pics/train" >/dev/null || return 1
    for net in ${CHECK_NETS:-cifar10-cnn1 cifar10-cnn2 shapes-mlp}; do
        echo "{\"hop\":\"config/1\",\"id\":\"a\",\"model\":\"$net\",\"optimizer\":\"adam\",\"lr\":0.001,\"batch_size\":32}" |
            hop-train -q --init >"$dir/m0" || return 1
        for precision in fp32 bf16 tf32; do
            [ $precision = fp32 ] || [ "$device" = cuda ] || continue
            digests "$device" 1 --precision $precision >"$dir/have" || return 1
            cp "$dir/have" "$dir/want"
            [ $precision != fp32 ] || digests ref 1 >"$dir/want" || return 1
            digests "$device" 1 --precision $precision >>"$dir/have" && digests "$device" 4 --precision $precision >>"$dir/have" &&
                digests "$device" 8 --precision $precision --keep 60s >>"$dir/have" &&
                digests "$device" 8 --precision $precision --keep 60s >>"$dir/have" || return 1
            echo "$net $precision: want $(cat "$dir/want"), $device $(sort "$dir/have" | uniq -c | tr -s ' \n' ' ')"
            [ -s "$dir/want" ] && [ "$(sort -u "$dir/have")" = "$(cat "$dir/want")" ] || return 1
        done
        hop-train --stop
    done
}

# A visit in each precision under compute-sanitizer, as long as it takes.
sanitizer()
{
    tool=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null) || {
        echo "sanitizer: skipped: no compute-sanitizer here"
        return 0
    }
    [ -e "$dir/data" ] || return 1
    echo '{"hop":"config/1","id":"a","model":"shapes-cnn","optimizer":"adam","batch_size":32}' | hop-train -q --init >"$dir/m0" || return 1
    for precision in fp32 bf16; do
        "$tool" --tool memcheck --error-exitcode 9 --print-limit 5 hop-train -q -d "$device" --precision $precision \
            -s "$dir/data/train-000.safetensors" <"$dir/m0" 2>"$dir/said" >/dev/null || { tail -n 20 "$dir/said"; return 1; }
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
device() { HOP_TEST_DEVICE=$device sh test/run-unit.sh "$build/test/t_device" "$build/test/t_slots"; }
convolutions() { sh test/run-unit.sh "$build/test/t_conv_gpu"; }

if [ -n "${HOP_GPU_PART-}" ]; then
    "$HOP_GPU_PART"
    exit
fi
[ -z "$is_real" ] || part 20 properties
part 110 conformance
part 40 device
[ -z "$is_real" ] || [ ! -x "$build/test/t_conv_gpu" ] || part 20 convolutions
part 45 same_bits
part 50 same_search
[ -z "$is_real" ] || part 30 sanitizer
finish
