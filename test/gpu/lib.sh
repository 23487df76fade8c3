# lib.sh - what check.sh and bench.sh share: `. lib.sh`. Without a usable GPU it says so in one line and
# ends with status 0.
#
# HOP_BUILD; HOP_GPU_RESULTS: the folder of results (test/bench/results); HOP_GPU_DEVICE: another device
# (cpu, ref), or HOP_PLUGINS with another device cuda (test/plugin in the build folder): a rehearsal of the
# scripts where there is no GPU. HOP_GPU_PARTS: only these parts. HOP_GPU_PATIENCE (1): times as long as planned.
cd "$(dirname "$0")/../.." || exit 1
root=$PWD
build=$(cd "${HOP_BUILD:-build}" && pwd) || exit 1
me=${0##*/}
device=${HOP_GPU_DEVICE:-cuda}
is_real= # a GPU
[ "$device" != cuda ] || [ -n "${HOP_PLUGINS-}" ] || is_real=1
export PATH="$build/bin:$PATH" HOP_SHARE="$root/share" HOP_PLUGINS="${HOP_PLUGINS:-$build/lib/hop}"
n_failed=0

# note JSON: a line of results, also shown.
note()
{
    printf '%s\n' "$1" | tee -a "$results"
}

# part SECONDS NAME: function NAME of the script, under timeout, so in a shell that reads the script
# again (HOP_GPU_PART); its output is shown, lines of JSON are results; a line says how it went.
part()
{
    case " ${HOP_GPU_PARTS:-$2} " in *" $2 "*) ;; *) return ;; esac
    begin=$(date +%s%N)
    HOP_GPU_PART=$2 timeout -k 5 $(($1 * ${HOP_GPU_PATIENCE:-1})) sh "$root/test/gpu/$me" >"$dir/out" 2>&1
    status=$?
    while IFS= read -r line; do
        case $line in
        '{'*) note "$line" ;;
        *) printf '%s\n' "$line" ;;
        esac
    done <"$dir/out"
    ms=$((($(date +%s%N) - begin) / 1000000))
    [ "$status" = 0 ] || n_failed=$((n_failed + 1))
    note "{\"hop\":\"bench/1\",\"bench\":\"$me\",\"part\":\"$2\",\"status\":$status,\"wall_s\":$((ms / 1000)).$(printf %03d $((ms % 1000)))}"
}

finish()
{
    echo "$me: $n_failed parts failed; results: $results"
    [ "$n_failed" -eq 0 ]
    exit $?
}

if [ -n "${HOP_GPU_PART-}" ]; then
    dir=$HOP_GPU_DIR
    return 0
fi
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
export XDG_RUNTIME_DIR="$dir" HOP_GPU_DIR="$dir"
hop-train --probe >"$dir/probe" 2>"$dir/why" || exit 1
where=$device
[ "$device" != cuda ] || where=cuda:0
probe=$(grep "\"device\":\"$where\"" "$dir/probe")
if [ -z "$probe" ] && [ "$device" = cuda ]; then
    echo "$me: skipped: no usable GPU: $(head -n 1 "$dir/why")"
    exit 0
fi
gpu=$(printf '%s\n' "$probe" | sed -n 's/.*"gpu":"\([^"]*\)".*/\1/p' | tr -cs 'A-Za-z0-9\n' - | tr '[:upper:]' '[:lower:]')
results=/dev/null
if [ -n "$is_real" ] || { [ "$device" = cuda ] && [ -n "${HOP_GPU_RESULTS-}" ]; }; then
    mkdir -p "${HOP_GPU_RESULTS:=$root/test/bench/results}"
    results=$HOP_GPU_RESULTS/gpu-${gpu:-unknown}.jsonl
fi
note "{\"hop\":\"bench/1\",\"bench\":\"command\",\"command\":\"$me\",\"date\":\"$(date -u +%Y-%m-%d)\",\"probe\":${probe:-null}}"
