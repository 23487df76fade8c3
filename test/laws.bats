# The laws that need whole runs (DESIGN: nothing but the visit order and the numerics decide the
# bytes): law 2 for whole runs, law 3 with kill -9 at random moments and other numbers of workers,
# law 4 of what really happened.
load lib
load tiny

setup_file()
{
    load lib
    load tiny
    cd "$BATS_FILE_TMPDIR"
    tiny_data 3
    tiny_net
    # So many passes that a visit takes about a tenth of a second: there must be time to be killed in.
    cat >space.json <<'JSON'
{"model": "./net.json", "passes": 1000, "batch_size": [8],
 "optimizer": [{"_name": "sgd", "lr": [0.05], "momentum": [0.9]},
               {"_name": "adam", "lr": [0.01, 0.001]}, {"_name": "rmsprop", "lr": [0.001]}]}
JSON
    hop-run -q -o reference --data data --workers 2 --device ref grid --iterations 3 space.json >reference.txt
}

local_setup()
{
    cd "$BATS_FILE_TMPDIR"
}

go() # RUN WORKERS
{
    hop-run -q -o "$PWD/$1" --data "$PWD/data" --workers "$2" --device ref --retries 6 grid --iterations 3 space.json
}

# What the log says was done, each line once: every visit, every evaluation, one config line per id.
check_log() # RUN
{
    local log=$1/log.jsonl
    jq -c 'select(.hop == "train/1") | [.id, .visit, .shard]' "$log" | sort >trained
    [ "$(wc -l <trained)" -eq 36 ]
    [ "$(uniq trained | wc -l)" -eq 36 ]
    [ "$(jq -c 'select(.hop == "eval/1" and .shard == null) | [.id, .iteration]' "$log" | sort | uniq -c | awk '$1 == 1' | wc -l)" -eq 12 ]
    [ "$(jq -c 'select(.hop == "eval/1" and .shard != null) | [.id, .iteration, .shard]' "$log" | sort | uniq -d | wc -l)" -eq 0 ]
    [ "$(jq -c 'select(.hop == "config/1") | .id' "$log" | sort | uniq -c | awk '$1 == 1' | wc -l)" -eq 4 ]
}

@test "law 4: in the log of a run every config visits every shard once per iteration, in rotation" {
    check_log reference
    jq -se '[.[] | select(.hop == "train/1")] | group_by([.id, .iteration]) | length == 12 and
        all(.[]; (map(.shard) | sort) == ["train-000", "train-001", "train-002"])' reference/log.jsonl
    jq -se '[.[] | select(.hop == "train/1")] | group_by(.id) | all(.[];
        . as $v | all(range(1; length); $v[.].shard != $v[. - 1].shard and $v[.].visit == $v[. - 1].visit + 1))' reference/log.jsonl
}

@test "law 2: a run's model = its visits piped one after the other" {
    for id in c0001 c0003; do
        grep "\"$id\"" reference/configs.jsonl | hop-train --init >model
        for shard in $(jq -r 'select(.hop == "train/1" and .id == "'$id'") | .shard' reference/log.jsonl); do
            hop-train -q --device ref --shard "data/$shard.safetensors" <model >model.new
            mv model.new model
        done
        tensors model >a
        tensors "reference/models/$id.safetensors" >b
        cmp a b
    done
}

@test "law 3: any number of workers gives the same bytes" {
    for n in 1 5; do
        go "workers$n" $n >/dev/null
        same_tensors reference "workers$n"
        check_log "workers$n"
    done
}

# victims: processes of this run, "PID NAME" a line.
victims()
{
    local f pid name line
    for f in /proc/[0-9]*/comm; do
        pid=${f#/proc/}
        pid=${pid%/comm}
        read -r name 2>/dev/null <"$f" || continue
        case $name in hop-train | hop-visit | hop-eval | hop-run | parallel | perl | sh) ;; *) continue ;; esac
        line=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") || continue
        case "$name $line" in
        *"$PWD/killed"* | "hop-train "*"$PWD/data/"* | "hop-eval "*"$PWD/data/"*) echo "$pid $name" ;;
        esac
    done
}

# One victim, by kind first, or the many hop-visit would be nearly all.
kill_one()
{
    local found kinds victim
    mapfile -t found < <(victims)
    [ ${#found[@]} -gt 0 ] || return 0
    mapfile -t kinds < <(printf '%s\n' "${found[@]}" | cut -d' ' -f2 | sort -u)
    mapfile -t found < <(printf '%s\n' "${found[@]}" | grep " ${kinds[RANDOM % ${#kinds[@]}]}\$")
    victim=${found[RANDOM % ${#found[@]}]}
    if kill -9 "${victim% *}" 2>/dev/null; then
        n_kills=$((n_kills + 1))
        echo "${victim#* }" >>killed.names
    fi
}

@test "law 3: at least 20 kill -9 of hop-train, hop-visit, parallel, hop-run change no byte" {
    seed=${HOP_SEED:-$(($(date +%s) % 32768))}
    echo "# HOP_SEED=$seed" >&3
    echo "HOP_SEED=$seed"
    RANDOM=$seed
    n_kills=0
    pid=
    : >killed.names
    for _ in $(seq 500); do
        if [ -z "$pid" ]; then
            go killed $((1 + RANDOM % 4)) >killed.txt 2>killed.err 3>&- &
            pid=$!
        fi
        sleep "0.$((100 + RANDOM % 200))"
        [ $n_kills -ge 24 ] || kill_one
        kill -0 $pid 2>/dev/null && continue
        status=0
        wait $pid || status=$?
        pid=
        # 75: orphans hold a lock; 137: killed itself. Anything else is a failure of hop.
        case $status in 0 | 75 | 137) ;; *) echo "exit $status"; cat killed.err; false ;; esac
        [ $status -ne 0 ] || break
    done
    echo "$n_kills kills"
    sort killed.names | uniq -c
    [ $n_kills -ge 20 ]
    [ -z "$pid" ] # it ended by itself, exit 0
    for name in hop-train hop-visit; do grep -q "^$name\$" killed.names; done
    grep -q '^parallel$\|^perl$' killed.names
    no_leftovers killed
    same_tensors reference killed
    check_log killed
}
