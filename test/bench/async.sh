#!/bin/sh
# How busy asha keeps workers in a whole run of hop-run: 16 workers that sleep instead of training
# (bench_sleep), a shard each, every fifth visit four times as long, R 9, eta 3. With as many configs in
# training as hop-run takes, and with as many as workers; the same with an engine whose plans are whole (make:
# a plan for each iteration). busy: sleeping over all workers' time, from the first visit to the last;
# busy_before_drain: until the first visit of the last new config. JSON lines.
# BENCH_PASS_S (0.5): seconds of a visit; BENCH_CONFIGS (96).
cd "$(dirname "$0")/../.." || exit 1
build=$(cd "${HOP_BUILD:-build}" && pwd) || exit 1
PATH=$build/bin:$PATH HOP_SHARE=$PWD/share
BENCH_TRAIN=$build/bin/hop-train BENCH_PASS_S=${BENCH_PASS_S:-1} BENCH_SHARDS=16 BENCH_STRAGGLERS=0.2
n=${BENCH_CONFIGS:-48}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
export PATH HOP_SHARE BENCH_TRAIN BENCH_PASS_S BENCH_SHARDS BENCH_STRAGGLERS XDG_RUNTIME_DIR="$dir"
cd "$dir" || exit 1
awk 'BEGIN { print "a,label"; for (i = 0; i < 400; i++) print i % 7 "," i % 2 }' >table.csv
hop-shard -q -n 16 --val-fraction 0.2 --val-shards 4 --label label -o data table.csv >shard.out || exit 1
cat >net.json <<'JSON'
{"class_name": "Sequential", "config": {"name": "tiny", "layers": [
  {"class_name": "InputLayer", "config": {"batch_input_shape": [null, 1]}},
  {"class_name": "Dense", "config": {"units": 2, "activation": "softmax"}}]}}
JSON
echo '{"model":"./net.json","optimizer":"sgd","batch_size":8,"lr":{"type":"loguniform","low":1e-4,"high":1}}' >space.json
mkdir bin && ln -s "$build/bench/bench_sleep" bin/hop-train || exit 1

# go NAME OPTIONS...: a run, as a line. Slots log their visits: when each began (of the clock) and ended.
cat >bin/hop-visit <<'SH'
#!/bin/sh
case " $* " in
*" --eval "* | *" --init "* | *" --add-configs "* | *" --restore "* | *" --status "*) exec "$HOP_REAL/hop-visit" "$@" ;;
esac
began=$(date +%s.%N)
"$HOP_REAL/hop-visit" "$@"
status=$?
echo "$began $(date +%s.%N) $*" >>"$BENCH_VISITS"
exit $status
SH
chmod +x bin/hop-visit
HOP_REAL=$build/bin
export HOP_REAL
cp "$build/bin/hop-run" bin/
go() {
    name=$1
    shift
    BENCH_VISITS=$dir/visits.$name PATH=$dir/bin:$PATH hop-run -q -o "$name" --data data -w 16 --eval-every 9 "$@" space.json >out || exit 1
    grep ' --visit [1-9]' "visits.$name" | sort -n | awk -v name="$name" -v pass_s="$BENCH_PASS_S" -v log_file="$name/log.jsonl" '
        BEGIN {
            while ((getline line <log_file) > 0)
                if (line ~ /"hop":"train\/1"/ && match(line, /"wall_s":[0-9.e+-]*/))
                    all_s += substr(line, RSTART + 9, RLENGTH - 9)
        }
        { from[NR] = $1; to[NR] = $2; id = $0; sub(/.*--id /, "", id); sub(/ .*/, "", id)
          if (!(id in seen)) { seen[id] = 1; last_new = $1; n_configs++ }
          if (NR == 1) first = $1
          if ($2 > end) end = $2
          visited_s += $2 - $1 }
        END {
            for (i = 1; i <= NR; i++)
                if (from[i] < last_new) early += (to[i] < last_new ? to[i] : last_new) - from[i]
            # of a visit as hop-visit takes it, what is sleep
            printf "{\"hop\":\"bench/1\",\"bench\":\"async\",\"what\":\"%s\",\"workers\":16,\"stragglers\":0.2,\"pass_s\":%s,\"configs\":%d,\"visits\":%d," \
                "\"elapsed_s\":%.1f,\"busy\":%.3f,\"busy_before_drain\":%.3f}\n", name, pass_s, n_configs, NR, end - first,
                all_s / (16 * (end - first)), early / (16 * (last_new - first)) * all_s / visited_s
        }'
}
go asha-48 asha -R 9 -c "$n" --parallel 48
go asha-16 asha -R 9 -c "$n" --parallel 16
go make-48 --engine make asha -R 9 -c "$n" --parallel 48
go make-16 --engine make asha -R 9 -c "$n" --parallel 16
