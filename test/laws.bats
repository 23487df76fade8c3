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
    # So many passes that a visit takes about a fifth of a second: there must be time to be killed in.
    cat >space.json <<'JSON'
{"model": "./net.json", "passes": 1000, "batch_size": [8],
 "optimizer": [{"_name": "sgd", "lr": [0.05], "momentum": [0.9]},
               {"_name": "adam", "lr": [0.01, 0.001]}, {"_name": "rmsprop", "lr": [0.001]}]}
JSON
    hop-run -q -o reference --data data --workers 2 --device ref --best val.loss grid --iterations 2 space.json >reference.txt
}

local_setup()
{
    cd "$BATS_FILE_TMPDIR"
}

go() # RUN WORKERS
{
    hop-run -q -o "$PWD/$1" --data "$PWD/data" --workers "$2" --device ref --retries 6 --best val.loss grid --iterations 2 space.json
}

# What the log says was done, each line once: every visit, every evaluation, one config line per id.
check_log() # RUN
{
    local log=$1/log.jsonl
    jq -c 'select(.hop == "train/1") | [.id, .visit, .shard]' "$log" | sort >trained
    [ "$(wc -l <trained)" -eq 24 ]
    [ "$(uniq trained | wc -l)" -eq 24 ]
    [ "$(jq -c 'select(.hop == "eval/1" and .shard == null) | [.id, .iteration]' "$log" | sort | uniq -c | awk '$1 == 1' | wc -l)" -eq 8 ]
    [ "$(jq -c 'select(.hop == "eval/1" and .shard != null) | [.id, .iteration, .shard]' "$log" | sort | uniq -d | wc -l)" -eq 0 ]
    [ "$(jq -c 'select(.hop == "config/1") | .id' "$log" | sort | uniq -c | awk '$1 == 1' | wc -l)" -eq 4 ]
}

@test "law 4: in the log of a run every config visits every shard once per iteration, in rotation" {
    check_log reference
    jq -se '[.[] | select(.hop == "train/1")] | group_by([.id, .iteration]) | length == 8 and
        all(.[]; (map(.shard) | sort) == ["train-000", "train-001", "train-002"])' reference/log.jsonl
    jq -se '[.[] | select(.hop == "train/1")] | group_by(.id) | all(.[];
        . as $v | all(range(1; length); $v[.].shard != $v[. - 1].shard and $v[.].visit == $v[. - 1].visit + 1))' reference/log.jsonl
}

# same_best RUN RUN: what was kept as best is the same, and whole.
same_best()
{
    local f
    [ "$(ls "$1/best")" = "$(ls "$2/best")" ]
    for f in "$1"/best/*.safetensors; do
        tensors "$f" >.tensors.a
        tensors "$2/best/${f##*/}" >.tensors.b
        cmp .tensors.a .tensors.b || { echo "best ${f##*/} differs"; return 1; }
        hop-eval -q --shard data/val-000.safetensors --device ref <"$2/best/${f##*/}" >/dev/null
    done
}

@test "the best state kept is that of the iteration with the smallest loss, not just the last" {
    hop-search select --best --metric val.loss <reference/log.jsonl | jq -r '"\(.id) \(.iteration)"' | sort >said
    for f in reference/best/*.safetensors; do
        echo "$(basename "$f" .safetensors) $(meta "$f" progress | jq .iteration)"
    done | cmp - said
    # both happen here
    [ "$(cut -d ' ' -f 2 said | sort -u | xargs)" = "1 2" ]
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
        same_best reference "workers$n"
        check_log "workers$n"
    done
}

# end_run RUN: it has ended by itself; was anything lost?
end_run()
{
    no_leftovers "$1"
    same_tensors reference "$1"
    same_best reference "$1"
    check_log "$1"
}

# whole_best RUN: every best file there is is a whole one, whatever has just died.
whole_best()
{
    local f
    for f in "$1"/best/*.safetensors; do
        [ ! -e "$f" ] || hop-eval -q --shard data/val-000.safetensors --device ref <"$f" >/dev/null
    done
}

# victim KIND: a process of that kind that works on a run of this test, or nothing.
victim()
{
    case $1 in
    hop-train) pgrep -f "^hop-train .*$PWD/data/" ;;
    hop-visit) pgrep -f "^hop-visit .*$PWD/killed" ;;
    parallel) pgrep -f "/parallel --will-cite .*$PWD/killed" ;;
    hop-run) pgrep -f "/hop-run -q -o $PWD/killed" ;;
    esac | shuf -n 1 --random-source=<(yes "$RANDOM")
}

@test "law 3: at least 20 kill -9 of hop-train, hop-visit, parallel, hop-run change no byte" {
    kinds=(hop-train hop-visit parallel hop-run)
    seed=${HOP_SEED:-$(($(date +%s) % 32768))}
    echo "HOP_SEED=$seed"
    RANDOM=$seed
    pid=
    n_kills=0
    n_runs=1
    : >killed.names
    # A run that ends before there were enough is compared, and another one begun.
    while :; do
        if [ -z "$pid" ]; then
            go killed$n_runs $((1 + RANDOM % 4)) >killed.txt 2>killed.err 3>&- &
            pid=$!
        fi
        sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
        kind=${kinds[n_kills % 4]}
        if [ $n_kills -lt 22 ] && v=$(victim $kind) && [ -n "$v" ] && kill -9 "$v" 2>/dev/null; then
            n_kills=$((n_kills + 1))
            echo $kind >>killed.names
            whole_best killed$n_runs
        fi
        kill -0 $pid 2>/dev/null && continue
        status=0
        wait $pid || status=$?
        pid=
        # 75: orphans hold a lock, or too many were killed; 137: killed itself. All else is a failure.
        case $status in
        0)
            end_run killed$n_runs
            [ $n_kills -lt 20 ] || break
            n_runs=$((n_runs + 1))
            ;;
        75 | 137) ;;
        *) echo "exit $status"; cat killed.err; false ;;
        esac
    done
    echo "# seed $seed: $n_kills kills in $n_runs runs: $(sort killed.names | uniq -c | xargs)" >&3
    for kind in "${kinds[@]}"; do grep -q "^$kind\$" killed.names; done
}
