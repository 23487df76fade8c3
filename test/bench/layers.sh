#!/bin/sh
# Where the time of a training step goes: every primitive of the device cpu with its time, GFLOP/s and
# share of the peak that bench_peak finds in the same minute, as JSON lines, the slowest first, then
# one line for the whole step; the same as a table on stderr. FLOPs are those of the direct
# algorithm, with the taps that padding skips, so Winograd may pass 1. Our own Winograd convolutions are
# measured one by one (bench_wino), without what the rest of the step does to the caches.
# BENCH_NETS (cifar10-cnn1 cifar10-cnn2), BENCH_BATCH (128), BENCH_THREADS (1), BENCH_PRECISIONS (fp32
# bf16). Skipped without jq or oneDNN 2, for which bench_peak is written.
cd "$(dirname "$0")/../.." || exit 1
build=${HOP_BUILD:-build}
if ! command -v jq >/dev/null || [ ! -x "$build/bench/bench_peak" ]; then
    echo "layers.sh: skipped: needs jq, and a build with oneDNN 2" >&2
    exit 0
fi
threads=${BENCH_THREADS:-1}
batch=${BENCH_BATCH:-128}
steps=8
lines=$(mktemp) || exit 1
trap 'rm -f "$lines"' EXIT
for precision in ${BENCH_PRECISIONS:-fp32 bf16}; do
    for net in ${BENCH_NETS:-cifar10-cnn1 cifar10-cnn2}; do
        peak=$("$build/bench/bench_peak" "$threads" | jq ".gflop_per_s.$precision") || exit 1
        {
            [ "$precision" != fp32 ] ||
                "$build/bench/bench_wino" "share/nets/$net.json" "$batch" "$threads"
            ONEDNN_VERBOSE=1 DNNL_VERBOSE=1 "$build/bench/bench_train" "share/nets/$net.json" "$net" \
                cpu "$batch" "$threads" 2 $steps "$precision" 2>/dev/null
        } |
            awk -F, -v net="$net" -v precision="$precision" -v batch="$batch" -v threads="$threads" \
                -v peak="$peak" -v steps=$((3 * steps)) '
            # the number after a key of a shape such as mb128_ic32oc64_ih16oh16kh3..., else 1
            function dim(shape, key) {
                if (!match(shape, key "[0-9]+")) return 1
                return substr(shape, RSTART + length(key), RLENGTH - length(key)) + 0
            }
            /^(onednn|dnnl|hop)_verbose,exec,cpu,/ {
                if ($1 == "hop_verbose") { # of one step, a slice for all
                    $NF *= steps
                    all_of = steps * batch / dim($(NF - 1), "mb")
                } else
                    all_of = 1
                shape = $(NF - 1)
                gflop = 0
                if ($4 == "convolution")
                    gflop = 2e-9 * dim(shape, "mb") * dim(shape, "oc") * dim(shape, "oh") * \
                        dim(shape, "ow") * dim(shape, "_ic") / dim(shape, "_g") * dim(shape, "kh") * \
                        dim(shape, "kw")
                else if ($4 == "inner_product")
                    gflop = 2e-9 * dim(shape, "mb") * dim(shape, "ic") * dim(shape, "ih") * \
                        dim(shape, "iw") * dim(shape, "oc")
                key = $4 "|" $5 "|" $6 "|" shape
                gflop *= all_of
                ms[key] += $NF
                all[key] += gflop
                total_ms += $NF
                if (gflop) { heavy_ms += $NF; heavy += gflop }
            }
            /^{/ { match($0, /"images_per_s":[0-9.]+/); rate = substr($0, RSTART + 15, RLENGTH - 15) }
            function share(g, t) { return g && t && peak ? sprintf("%.3f", g / t * 1e3 / peak) : "null" }
            function speed(g, t) { return g && t ? sprintf("%.1f", g / t * 1e3) : "null" }
            END {
                for (key in ms) {
                    split(key, k, "|")
                    printf "{\"hop\":\"bench/1\",\"bench\":\"layer\",\"net\":\"%s\",\"precision\":\"%s\"," \
                        "\"batch\":%d,\"threads\":%d,\"what\":\"%s\",\"impl\":\"%s\",\"pass\":\"%s\"," \
                        "\"shape\":\"%s\",\"ms\":%.3f,\"gflop_per_s\":%s,\"peak_share\":%s}\n",
                        net, precision, batch, threads, k[1], k[2], k[3], k[4], ms[key] / steps,
                        speed(all[key], ms[key]), share(all[key], ms[key])
                }
                printf "{\"hop\":\"bench/1\",\"bench\":\"step\",\"net\":\"%s\",\"precision\":\"%s\"," \
                    "\"batch\":%d,\"threads\":%d,\"peak_gflop_per_s\":%s,\"step_ms\":%.2f," \
                    "\"library_ms\":%.2f,\"conv_dense_ms\":%.2f,\"conv_dense_peak_share\":%s," \
                    "\"step_peak_share\":%s}\n", net, precision, batch, threads, peak,
                    batch / rate * 1e3, total_ms / steps, heavy_ms / steps, share(heavy, heavy_ms),
                    share(heavy / steps, batch / rate * 1e3)
            }' | jq -cs 'sort_by(-(.ms // 0)) | .[]' >"$lines"
        cat "$lines"
        jq -r 'def pad(n): tostring | . + " " * ([n - length, 1] | max);
            if .bench == "layer" then
                "\(.ms | pad(9))\(.gflop_per_s // "" | pad(8))\(.peak_share // "" | pad(7))\(.pass |
                pad(17))\(.impl | pad(30))\(.what) \(.shape)"
            else
                "ms       GFLOP/s peak   " + "\(.net) \(.precision), batch \(.batch), threads \(.threads): " +
                "\(.step_ms) ms a step, \(.conv_dense_peak_share) of the peak in " +
                "convolutions and dense layers, \(.step_peak_share) in all\n"
            end' "$lines" >&2
    done
done
