# hop-visit: one atomic visit; what it refuses; what survives which death.
load lib
load tiny

local_setup()
{
    tiny_data 3
    tiny_net
    { tiny_config c1; tiny_config c2; } | hop-visit --run run --add-configs
    hop-visit --run run --id c1 --visit 0 -- hop-train --init
}

# visit K [SHARD]: a training visit of c1
visit()
{
    hop-visit --run run --id c1 --shard "train-00${2:-$((($1 - 1) % 3))}" --visit "$1" -- \
        hop-train -q --device ref --shard "data/train-00${2:-$((($1 - 1) % 3))}.safetensors"
}

evaluate() # K SHARD
{
    hop-visit --run run --id c1 --shard "$2" --visit "$1" --eval --worker w9 -- \
        hop-eval -q --device ref --shard "data/$2.safetensors"
}

visits()
{
    meta run/models/c1.safetensors progress | jq .visits
}

@test "birth, visits, and the log" {
    [ "$(visits)" = 0 ]
    visit 1
    visit 2
    [ "$(visits)" = 2 ]
    run -0 jq -c '[.hop,.id,.visit,.shard]' run/log.jsonl
    [ "${lines[0]}" = '["config/1","c1",null,null]' ]
    [ "${lines[1]}" = '["train/1","c1",1,"train-000"]' ]
    [ "${lines[2]}" = '["train/1","c1",2,"train-001"]' ]
    [ "${#lines[@]}" -eq 3 ]
    no_leftovers run
}

@test "a visit that is done is skipped without running the filter" {
    visit 1
    cp run/models/c1.safetensors before
    run --separate-stderr -0 hop-visit --run run --id c1 --shard train-000 --visit 1 -- sh -c 'touch ran; exit 1'
    [ ! -e ran ]
    cmp before run/models/c1.safetensors
    [ "$(wc -l <run/log.jsonl)" -eq 2 ]
}

@test "birth happens once" {
    cp run/models/c1.safetensors before
    hop-visit --run run --id c1 --visit 0 -- false
    cmp before run/models/c1.safetensors
}

@test "hopped through files = piped from filter to filter" {
    visit 1
    visit 2
    head -n 1 run/configs.jsonl | hop-train --init | hop-train -q --device ref --shard data/train-000.safetensors |
        hop-train -q --device ref --shard data/train-001.safetensors >piped
    tensors piped >a
    tensors run/models/c1.safetensors >b
    cmp a b
}

@test "too early is exit 75, model unchanged" {
    run_err 75 'c1.safetensors: has 0 visits, cannot be given visit 2' visit 2
    [ "$(visits)" = 0 ]
    run_err 75 'no model file yet' hop-visit --run run --id c2 --shard train-000 --visit 1 -- cat
}

# refused STATUS PATTERN FILTER...: visit 1 fails so, and leaves nothing behind.
refused()
{
    local status=$1 pattern=$2
    shift 2
    cp run/models/c1.safetensors before
    cp run/log.jsonl log.before
    run_err "$status" "$pattern" hop-visit --run run --id c1 --shard train-000 --visit 1 -- "$@"
    cmp before run/models/c1.safetensors
    cmp log.before run/log.jsonl
    no_leftovers run
}

@test "results that are not what they should be are refused" {
    refused 1 'output of c1 visit 1 \(true\).*' true
    refused 1 'exit status 1' false
    refused 1 'a model of 0 visits, should be 1' cat
    refused 1 'output of c1 visit 1 \(head\)@' head -c 100
    refused 1 'cannot run: No such file' ./no-such-filter
    refused 1 'output of' sh -c 'cat; echo more'
    refused 1 'output of' sh -c 'cat | tr a-f b-g'
    # one byte of the last weight
    refused 1 'output of .*(digest|altered|damaged)' sh -c 'hop-train -q --device ref --shard data/train-000.safetensors >m; head -c -1 m; printf X'
    rm -f m
    hop-visit --run run --id c2 --visit 0 -- hop-train --init
    refused 1 'a model of "c2"' sh -c 'hop-train -q --device ref --shard data/train-000.safetensors <run/models/c2.safetensors'
    refused 1 'trained on shard "train-001", should be "train-000"' hop-train -q --device ref --shard data/train-001.safetensors
    refused 1 'a model of 2 visits' sh -c 'hop-train -q --device ref --shard data/train-000.safetensors |
        hop-train -q --device ref --shard data/train-000.safetensors'
}

@test "every cut of the result is refused" {
    hop-train -q --device ref --shard data/train-000.safetensors <run/models/c1.safetensors >whole
    size=$(wc -c <whole)
    for n in 0 1 7 8 9 100 $((size / 2)) $((size - 1)); do
        refused 1 'output of' head -c "$n" whole
    done
}

@test "a filter that asks for it, or was killed, can be tried again" {
    refused 75 'exit status 75' sh -c 'exit 75'
    refused 75 'killed by signal 9' sh -c 'kill -9 $$'
    refused 75 'exit status 255' sh -c 'exit 255'
    visit 1
}

@test "a filter need not read its input" {
    hop-train -q --device ref --shard data/train-000.safetensors <run/models/c1.safetensors >whole
    hop-visit --run run --id c1 --shard train-000 --visit 1 -- cat whole
    [ "$(visits)" = 1 ]
}

@test "a config that was changed is an error; until may change" {
    visit 1
    sed 's/0\.01/0.02/' run/configs.jsonl >changed
    run_err 1 'id "c1" is there with another "lr"' hop-visit --run run --add-configs <changed
    cp run/configs.jsonl kept
    cp changed run/configs.jsonl
    run_err 1 'the config of "c1" was changed: "lr" differs' visit 2
    cp kept run/configs.jsonl
    sed 's/"until":2/"until":9/' kept | hop-visit --run run --add-configs
    [ "$(wc -l <run/configs.jsonl)" -eq 2 ]
    grep -q '"id":"c1".*"until":9' run/configs.jsonl
    visit 2
}

@test "a lost log line is restored by the next call, also by a skip" {
    visit 1
    visit 2
    cp run/log.jsonl whole
    sed -i 2d run/log.jsonl
    visit 3
    sort whole >a
    head -n 3 run/log.jsonl | sort >b
    cmp a b
    : >run/log.jsonl
    visit 1
    [ "$(jq -c '[.hop,.visit]' run/log.jsonl | sort -u | wc -l)" -eq 4 ]
    : >run/log.jsonl
    hop-visit --run run --restore
    [ "$(wc -l <run/log.jsonl)" -eq 4 ]
    hop-visit --run run --restore
    [ "$(wc -l <run/log.jsonl)" -eq 4 ]
}

@test "a torn log line does not swallow the next one" {
    visit 1
    printf '{"hop":"train/1","id":"c1","vis' >>run/log.jsonl
    visit 2
    [ "$(tail -n 1 run/log.jsonl | jq .visit)" = 2 ]
    : >run/models/.c1.lock
    run --separate-stderr -0 hop-visit --run run --restore
    [[ $stderr == *"line skipped"* ]]
    [ "$(wc -l <run/log.jsonl)" -eq 4 ]
}

# Visits find their place in the log by what the one before left in the lock file. A line of the same
# length that is no JSON shows whether they read what is before it: whoever does complains.
@test "a visit does not read the whole log, unless somebody was killed or the log was changed" {
    visit 1; visit 2; visit 3
    sed -i '2s/^{/x/' run/log.jsonl
    run --separate-stderr -0 evaluate 3 val-000
    [ -z "$stderr" ]
    run --separate-stderr -0 evaluate 3 val-001
    [ -z "$stderr" ]
    run --separate-stderr -0 visit 4
    [ -z "$stderr" ]
    [ "$(tail -n 1 run/models/.c1.lock)" = "log $(head -n -1 run/log.jsonl | wc -c) $(head -n -1 run/log.jsonl | wc -c)" ]
    run --separate-stderr -0 hop-visit --run run --restore
    [ -z "$stderr" ]
    # nobody came to his end: what he left is looked for, and visit 1 is missing
    : >run/models/.c1.lock
    run --separate-stderr -0 visit 5
    [[ $stderr == *"line skipped"* ]]
    [ "$(jq -R 'fromjson? | select(.hop == "train/1") | .visit' run/log.jsonl | sort -n | tr '\n' ' ')" = '1 2 3 4 5 ' ]
    # a line went: the mark is not where it says
    sed -i 4d run/log.jsonl
    run --separate-stderr -0 visit 6
    [[ $stderr == *"line skipped"* ]]
    [ "$(jq -R 'fromjson? | select(.hop == "train/1") | .visit' run/log.jsonl | sort -n | tr '\n' ' ')" = '1 2 3 4 5 6 ' ]
    # nonsense is no mark
    for mark in 'log 3 5' 'log 999999999999 999999999999' 'log -5 -7' 'log 0 0' 'loggings'; do
        echo "$mark" >run/models/.c1.lock
        : >run/log.jsonl
        hop-visit --run run --restore
        [ "$(jq -s 'map(select(.hop == "train/1")) | length' run/log.jsonl)" -eq 6 ]
    done
}

@test "a log that cannot be written: the visit is kept, the line comes later" {
    visit 1
    yes '{}' | head -c 1000000 >>run/log.jsonl
    big=$(stat -c %s run/log.jsonl)
    run --separate-stderr -1 bash -c "trap '' XFSZ; ulimit -f 900; hop-visit --run run --id c1 --shard train-001 \
        --visit 2 -- hop-train -q --device ref --shard data/train-001.safetensors"
    [[ $stderr == *"run/log.jsonl: cannot write: File too large"* ]]
    [ "$(stat -c %s run/log.jsonl)" -eq "$big" ]
    [ "$(visits)" = 2 ]
    visit 2
    [ "$(tail -n 1 run/log.jsonl | jq .visit)" = 2 ]
}

@test "two visits of one config at a time: the second is exit 75" {
    mkfifo go
    hop-visit --run run --id c1 --shard train-000 --visit 1 -- \
        sh -c 'read x <go; exec hop-train -q --device ref --shard data/train-000.safetensors' 3>&- &
    first=$!
    until [ -n "$(find run/models -name '*.tmp')" ]; do sleep 0.02; done
    run_err 75 'held by another process' visit 1
    echo >go
    wait $first
    [ "$(visits)" = 1 ]
    visit 2
}

@test "TERM and INT: passed on, nothing left behind, exit 128 + signal" {
    cp run/models/c1.safetensors before
    # bash starts background jobs with INT ignored, nohup all with HUP: perl undoes that
    heed() { exec perl -e '$SIG{INT} = $SIG{HUP} = "DEFAULT"; exec @ARGV' "$@"; }
    for signal in TERM:143 HUP:129; do
        heed hop-visit --run run --id c1 --shard train-000 --visit 1 -- \
            sh -c 'trap "touch caught; exit 1" TERM HUP; touch started; while :; do sleep 0.05; done' 3>&- &
        first=$!
        until [ -e started ]; do sleep 0.02; done
        kill -"${signal%:*}" $first
        status=0
        wait $first || status=$?
        [ "$status" -eq "${signal#*:}" ]
        [ -e caught ]
        cmp before run/models/c1.safetensors
        no_leftovers run
        rm -f started caught
    done
    heed hop-visit --run run --id c1 --shard train-000 --visit 1 -- \
        sh -c 'touch started; exec sleep 20' 3>&- &
    first=$!
    until [ -e started ]; do sleep 0.02; done
    kill -INT $first
    status=0
    wait $first || status=$?
    [ "$status" -eq 130 ]
    no_leftovers run
}

@test "kill -9: the next call sweeps, and the filter dies with its hop-visit" {
    cp run/models/c1.safetensors before
    hop-visit --run run --id c1 --shard train-000 --visit 1 -- \
        sh -c 'echo $$ >pid; exec sleep 30' 3>&- &
    first=$!
    until [ -s pid ]; do sleep 0.02; done
    kill -9 $first
    wait $first || true
    [ -n "$(find run/models -name '*.tmp')" ]
    [ ! -s run/models/.c1.lock ]
    cmp before run/models/c1.safetensors
    # dead, be it not yet reaped by whoever inherited it
    for _ in $(seq 500); do
        state=$(sed 's/.*) //; s/ .*//' "/proc/$(cat pid)/stat" 2>/dev/null) || true
        case $state in '' | Z | X) break ;; esac
        sleep 0.02
    done
    case $state in '' | Z | X) ;; *) echo "the filter lives: $state"; false ;; esac
    visit 1
    no_leftovers run
    [ "$(visits)" = 1 ]
}

@test "evaluation: parts, then one line, in log and history" {
    visit 1; visit 2; visit 3
    evaluate 3 val-001
    [ "$(jq -c 'select(.hop=="eval/1") | [.shard,.shards,.worker]' run/log.jsonl)" = '["val-001",2,"w9"]' ]
    tensors run/models/c1.safetensors >a
    evaluate 3 val-000
    tensors run/models/c1.safetensors >b
    cmp a b
    jq -c 'select(.hop=="eval/1" and .shard==null)' run/log.jsonl >merged
    [ "$(wc -l <merged)" -eq 1 ]
    meta run/models/c1.safetensors history | jq -c '.[] | select(.hop=="eval/1")' >history
    cmp merged history
    # the same as of both shards at once
    hop-eval -q --device ref --shard data/val-000.safetensors --shard data/val-001.safetensors \
        <run/models/c1.safetensors >at_once
    [ "$(jq -c '[.accuracy,.examples,.iteration,.split]' merged)" = "$(jq -c '[.accuracy,.examples,.iteration,.split]' at_once)" ]
    jq -se '(.[0].loss - .[1].loss) | fabs < 1e-6' merged at_once
    # again: nothing new
    cp run/log.jsonl log.before
    evaluate 3 val-000
    hop-visit --run run --id c1 --shard val-001 --visit 3 --eval -- false
    cmp log.before run/log.jsonl
}

@test "evaluation: parts that lost their merging get it from the next call or --restore" {
    visit 1; visit 2; visit 3
    cp run/models/c1.safetensors before
    evaluate 3 val-000
    evaluate 3 val-001
    # as if hop-visit had died between the last part and the merging
    cp before run/models/c1.safetensors
    grep -v '"eval/1"' run/log.jsonl >kept
    grep '"shard":"val' run/log.jsonl >>kept
    cp kept run/log.jsonl
    hop-visit --run run --restore --id c1
    [ "$(jq -c 'select(.hop=="eval/1" and .shard==null)' run/log.jsonl | wc -l)" -eq 1 ]
    cp before run/models/c1.safetensors
    cp kept run/log.jsonl
    evaluate 3 val-000
    [ "$(jq -c 'select(.hop=="eval/1" and .shard==null)' run/log.jsonl | wc -l)" -eq 1 ]
    # a merged line lost from the log comes back from the history
    grep -v '"eval/1"' run/log.jsonl >kept
    cp kept run/log.jsonl
    evaluate 3 val-001
    [ "$(jq -c 'select(.hop=="eval/1" and .shard==null)' run/log.jsonl | wc -l)" -eq 1 ]
}

@test "evaluation at the wrong time, or by the wrong filter" {
    visit 1; visit 2; visit 3
    run_err 75 'cannot be evaluated after 6' evaluate 6 val-000
    evaluate 3 val-000
    evaluate 3 val-001
    visit 4
    evaluate 3 val-000
    run_err 1 'too late' hop-visit --run run --id c1 --shard val-000 --visit 2 --eval -- cat
    visit 5; visit 6
    run_err 1 'output of c1 evaluation 6 \(cat\)' hop-visit --run run --id c1 --shard val-000 --visit 6 --eval -- cat
    run_err 1 'not valid JSON' hop-visit --run run --id c1 --shard val-000 --visit 6 --eval -- echo nothing
    run_err 1 'not an eval/1 line' hop-visit --run run --id c1 --shard val-000 --visit 6 --eval -- echo '{}'
    run_err 1 'an eval/1 line of "c1", iteration 2, shard "val-001"' hop-visit --run run --id c1 --shard val-000 --visit 6 --eval -- \
        hop-eval -q --device ref --shard data/val-001.safetensors
    run_err 75 'exit status 75' hop-visit --run run --id c1 --shard val-000 --visit 6 --eval -- sh -c 'exit 75'
    [ "$(jq -c 'select(.hop=="eval/1" and .iteration==2)' run/log.jsonl | wc -l)" -eq 0 ]
}

@test "eight evaluations at once lose nothing" {
    tiny_data 8 wide >/dev/null
    visit 1; visit 2; visit 3
    local pids=()
    for _ in 1 2 3 4; do
        evaluate 3 val-000 &
        pids+=($!)
        evaluate 3 val-001 &
        pids+=($!)
    done 3>&-
    for pid in "${pids[@]}"; do wait "$pid"; done # a bare wait would wait for bats's own timer too
    [ "$(jq -c 'select(.hop=="eval/1")' run/log.jsonl | wc -l)" -eq 3 ]
}

@test "a diverged config is left alone" {
    tiny_config c3 | sed 's/adam/sgd/; s/0\.01/1e6/' | hop-visit --run run --add-configs
    hop-visit --run run --id c3 --visit 0 -- hop-train --init
    hop-visit --run run --id c3 --shard train-000 --visit 1 -- hop-train -q --device ref --shard data/train-000.safetensors
    [ "$(jq -r 'select(.id=="c3" and .hop=="train/1") | .status' run/log.jsonl)" = diverged ]
    cp run/models/c3.safetensors before
    hop-visit --run run --id c3 --shard train-001 --visit 2 -- false
    hop-visit --run run --id c3 --shard val-000 --visit 1 --eval -- false
    cmp before run/models/c3.safetensors
}

@test "a damaged model file is named, not replaced" {
    visit 1
    printf 'X' | dd of=run/models/c1.safetensors bs=1 seek=200 conv=notrunc status=none
    cp run/models/c1.safetensors before
    run_err 1 'run/models/c1.safetensors' visit 2
    cmp before run/models/c1.safetensors
}

@test "usage" {
    run_err 2 'run: is missing' hop-visit --id c1 --shard s --visit 1 -- cat
    run_err 2 'id: is missing' hop-visit --run run --shard s --visit 1 -- cat
    run_err 2 'shard: is missing' hop-visit --run run --id c1 --visit 1 -- cat
    run_err 2 'visit: is missing' hop-visit --run run --id c1 --shard s -- cat
    run_err 2 'FILTER is missing' hop-visit --run run --id c1 --shard s --visit 1
    run_err 2 'restore: does not go' hop-visit --run run --restore -- cat
    run_err 1 'cannot be used as a file name' hop-visit --run run --id ../c1 --shard s --visit 1 -- cat
    run_err 1 'no config has the id "c9"' hop-visit --run run --id c9 --visit 0 -- cat
    run_err 1 'stdin:1' hop-visit --run run --add-configs <<<'{"hop":"train/1","id":"x"}'
    run_err 1 'stdin:1: .*no newline' bash -c "printf '{}' | hop-visit --run run --add-configs"
}

# A child of c1 in its state after an iteration: "parent" in its config line.
child() # ID LR ITERATION [MORE]
{
    echo '{"hop":"config/1","id":"'"$1"'","model":"./net.json","optimizer":"adam","lr":'"$2"',"batch_size":8,"seed":1,"parent":"c1","parent_iteration":'"$3${4:-}"',"until":2}'
}

birth() # ID
{
    hop-visit --run run --id "$1" --visit 0 -- hop-train --init
}

@test "a config with a parent is born with the parent's state, its own config, no history" {
    { child d1 0.02 1; child d2 0.01 1 ',"x":1'; } | hop-visit --run run --add-configs
    run --separate-stderr -75 birth d1
    [[ $stderr == *"c1.safetensors: has 0 iterations, cannot be a parent at 1 (its visits come first)" ]]
    [ ! -e run/models/d1.safetensors ]
    for k in 1 2 3; do visit $k; done
    birth d1
    tensors run/models/c1.safetensors >c1.bytes
    tensors run/models/d1.safetensors >d1.bytes
    cmp c1.bytes d1.bytes
    [ "$(meta run/models/d1.safetensors history)" = '[]' ]
    [ "$(meta run/models/d1.safetensors config | jq -c '[.id,.lr,.parent]')" = '["d1",0.02,"c1"]' ]
    [ "$(meta run/models/d1.safetensors progress)" = "$(meta run/models/c1.safetensors progress)" ]
    [ "$(jq -c 'select(.id == "d1") | .hop' run/log.jsonl)" = '"config/1"' ]
    birth d1 # done before
    # it trains on from there with its own learning rate, and leaves its parent alone
    hop-visit --run run --id d1 --shard train-000 --visit 4 -- \
        hop-train -q --device ref --shard data/train-000.safetensors
    [ "$(jq -c 'select(.id == "d1" and .visit == 4) | [.iteration,.lr]' run/log.jsonl)" = '[2,0.02]' ]
    tensors run/models/c1.safetensors | cmp - c1.bytes
    # too late
    visit 4 0
    run --separate-stderr -1 birth d2
    [[ $stderr == *"c1.safetensors: went on from iteration 1, it is too late to be a parent there" ]]
    no_leftovers run
}

@test "a parent must have the same optimizer and weights" {
    for k in 1 2 3; do visit $k; done
    sed 's/"units": 8/"units": 9/' net.json >wide.json
    {
        child e1 0.02 1 | sed 's/adam/sgd/'
        child e2 0.02 1 | sed 's/net.json/wide.json/'
        child e3 0.02 1 | sed 's/"parent":"c1"/"parent":"nobody"/'
        child e4 0.02 0
    } | hop-visit --run run --add-configs
    run --separate-stderr -1 birth e1
    [[ $stderr == *'c1.safetensors: has another optimizer than its child "e1"' ]]
    run --separate-stderr -1 birth e2
    [[ $stderr == *'c1.safetensors: has another shape of "dense/kernel" of its child "e2" (parent and child must have the same weights)' ]]
    run --separate-stderr -75 birth e3
    [[ $stderr == *'nobody.safetensors: there is no model file of the parent'* ]]
    run --separate-stderr -1 birth e4
    [[ $stderr == *parent_iteration* ]]
    [ "$(ls run/models)" = c1.safetensors ]
    no_leftovers run
}

@test "a birth from a parent that is killed leaves no child or a whole one" {
    for k in 1 2 3; do visit $k; done
    child d1 0.02 1 | hop-visit --run run --add-configs
    run -143 hop-visit --run run --id d1 --visit 0 -- sh -c 'hop-train --init; kill -TERM $PPID; sleep 1'
    [ ! -e run/models/d1.safetensors ]
    birth d1
    tensors run/models/c1.safetensors >c1.bytes
    tensors run/models/d1.safetensors | cmp - c1.bytes
    no_leftovers run
}
