# The best state of a config, kept beside its last one.
load lib
load tiny

local_setup()
{
    tiny_data 2
    tiny_net
    tiny_config c1 | hop-visit --run run --add-configs
    hop-visit --run run --id c1 --visit 0 -- hop-train --init
}

visit() # K
{
    hop-visit --run run --id c1 --shard "train-00$((($1 - 1) % 2))" --visit "$1" -- \
        hop-train -q --device ref --shard "data/train-00$((($1 - 1) % 2)).safetensors"
}

part() # K SHARD JQ: an evaluation, its line changed by JQ
{
    hop-visit --run run --id c1 --shard "$2" --visit "$1" --eval -- \
        sh -c "hop-eval -q --device ref --shard data/$2.safetensors | jq -c '$3'"
}

# iteration I JQ: train, keep the model as state.I, evaluate
iteration()
{
    visit $(($1 * 2 - 1))
    visit $(($1 * 2))
    part $(($1 * 2)) val-000 "$2"
    part $(($1 * 2)) val-001 "$2"
    cp run/models/c1.safetensors "state.$1"
}

same() # FILE FILE
{
    cmp "$1" "$2"
}

@test "without best.txt, and with none in it, nothing is kept" {
    iteration 1 .
    echo none >run/best.txt
    iteration 2 .
    hop-visit --run run --restore
    [ ! -e run/best ]
}

@test "accuracy: the first of the best states, its evaluation in it" {
    echo val >run/best.txt
    iteration 1 '.accuracy = 0.5'
    same state.1 run/best/c1.safetensors
    [ run/best/c1.safetensors -ef run/models/c1.safetensors ] # no room taken while it is the last
    iteration 2 '.accuracy = 0.7'
    same state.2 run/best/c1.safetensors
    iteration 3 '.accuracy = 0.6'
    iteration 4 '.accuracy = 0.7'
    same state.2 run/best/c1.safetensors
    [ "$(meta run/best/c1.safetensors history | jq -c 'last | [.hop, .iteration, .accuracy]')" = '["eval/1",2,0.7]' ]
    [ "$(ls -A run/best)" = c1.safetensors ]
    # select names the same iteration
    [ "$(hop-search select --best <run/log.jsonl | jq -c '[.id, .iteration, .value]')" = '["c1",2,0.7]' ]
    # a model file like any other
    hop-eval --device ref --shard data/val-000.safetensors <run/best/c1.safetensors >told
    [ "$(jq -c '[.id, .iteration]' told)" = '["c1",2]' ]
    no_leftovers run
}

@test "a third that is written with 9 digits is no better than a third" {
    echo val >run/best.txt
    iteration 1 '.accuracy = (1 / 3)'
    iteration 2 '.accuracy = (1 / 3)'
    same state.1 run/best/c1.safetensors
    [ "$(hop-search select --best <run/log.jsonl | jq .iteration)" = 1 ]
}

@test "loss: less is better; what is not finite is not best" {
    echo val.loss >run/best.txt
    iteration 1 '.loss = null'
    [ ! -e run/best/c1.safetensors ]
    iteration 2 '.loss = 0.5'
    same state.2 run/best/c1.safetensors
    iteration 3 '.loss = 0.4'
    iteration 4 '.loss = null'
    iteration 5 '.loss = 0.45'
    same state.3 run/best/c1.safetensors
}

@test "evaluations without accuracy are compared by loss" {
    echo val >run/best.txt
    iteration 1 'del(.accuracy) | .loss = 2'
    iteration 2 'del(.accuracy) | .loss = 1'
    iteration 3 'del(.accuracy) | .loss = 3'
    same state.2 run/best/c1.safetensors
    [ "$(hop-search select --best <run/log.jsonl | jq -c '[.metric, .iteration]')" = '["val.loss",2]' ]
}

@test "asked for later: from then on, with the present state" {
    iteration 1 '.accuracy = 0.9'
    iteration 2 '.accuracy = 0.5'
    echo val.accuracy >run/best.txt
    hop-visit --run run --restore
    same state.2 run/best/c1.safetensors
    # the same after it was lost
    rm run/best/c1.safetensors
    hop-visit --run run --restore
    same state.2 run/best/c1.safetensors
    # a state that was not evaluated is none
    rm run/best/c1.safetensors
    visit 5
    hop-visit --run run --restore
    [ ! -e run/best/c1.safetensors ]
}

@test "a metric that is none, a best file that is none: said, nothing lost" {
    echo val.acuracy >run/best.txt
    visit 1; visit 2
    part 2 val-000 .
    cp run/models/c1.safetensors before
    run_err 1 '^hop-visit: run/best.txt: evaluations on val have no "acuracy"' part 2 val-001 .
    cmp before run/models/c1.safetensors
    echo val. >run/best.txt
    run_err 1 'run/best.txt: "val." is not SPLIT.METRIC' hop-visit --run run --restore
    echo val >run/best.txt
    mkdir -p run/best
    head -c 1000 run/models/c1.safetensors >run/best/c1.safetensors
    run_err 1 'run/best/c1.safetensors' hop-visit --run run --restore
    rm run/best/c1.safetensors
    hop-visit --run run --restore
    [ "$(jq -c 'select(.hop=="eval/1" and .shard==null) | .iteration' run/log.jsonl)" = 1 ]
    [ run/best/c1.safetensors -ef run/models/c1.safetensors ]
    no_leftovers run
}

# The last part of an evaluation merges it, replaces the best file, the model file, and logs. Kill
# hop-visit before each of the calls by which it does so: the best file is always the old one or the
# new one, and what goes on afterwards makes the same bytes as without a death.
@test "kill -9 before any system call that changes a file: the best file is old or new" {
    command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null || skip "strace cannot be used here"
    echo val >run/best.txt
    iteration 1 '.accuracy = 0.5'
    visit 3; visit 4
    part 4 val-000 '.accuracy = 0.75 | .wall_s = 0.5'
    echo '{"hop":"eval/1","id":"c1","iteration":2,"visit":4,"split":"val","shard":"val-001","shards":2,"loss":0.5,"accuracy":0.75,"examples":30,"wall_s":0.25,"device":"ref","status":"ok"}' >line
    cp -R run start
    last() { hop-visit --run run --id c1 --shard val-001 --visit 4 --eval -- cat line; }
    last
    mv run want
    local n=0 n_old=0 n_new=0 call
    for call in openat link linkat unlink rename renameat renameat2 fsync fdatasync write; do
        for ((n = 1; n < 400; n++)); do
            rm -rf run
            cp -R start run
            local status=0
            strace -o trace -e "trace=$call" -e "inject=$call:signal=KILL:when=$n" \
                hop-visit --run run --id c1 --shard val-001 --visit 4 --eval -- cat line 2>err || status=$?
            [ $status -ne 0 ] || break
            [ $status -eq 137 ]
            if cmp -s run/best/c1.safetensors start/best/c1.safetensors; then
                n_old=$((n_old + 1))
            else
                cmp run/best/c1.safetensors want/best/c1.safetensors
                n_new=$((n_new + 1))
            fi
            # Where the model file knows of the evaluation, training may go on: the best is kept.
            if cmp -s run/models/c1.safetensors want/models/c1.safetensors; then
                cmp run/best/c1.safetensors want/best/c1.safetensors
            fi
            last
            cmp run/best/c1.safetensors want/best/c1.safetensors
            cmp run/models/c1.safetensors want/models/c1.safetensors
            no_leftovers run
        done
        [ $n -lt 400 ] # sanitizers make calls of their own
    done
    echo "# killed with the old one there $n_old times, with the new one $n_new times" >&3
    [ $n_old -gt 5 ]
    [ $n_new -gt 2 ]
}
