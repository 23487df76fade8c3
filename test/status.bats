# hop-run status and --gc: said from files alone, removed only what nobody needs.
load lib
load tiny

setup_file()
{
    load lib
    load tiny
    cd "$BATS_FILE_TMPDIR"
    tiny_data 3
    tiny_space
    hop-run -q -o made --data data --workers 2 --device ref grid --iterations 2 space.json >/dev/null
}

local_setup()
{
    cp -Rp "$BATS_FILE_TMPDIR"/{data,made,net.json,space.json} .
    mv made run
    (cd data && pwd -P) >run/data.txt
}

again() { hop-run -q -o run --data data --workers 2 --device ref "$@" grid --iterations 2 space.json; }

@test "a run that is over: all of the plan is done, the best is select's" {
    hop-run status run --json >s
    [ "$(jq -c '[.hop, .activity, .configs, .diverged, .visits, .evals, .planned, .done, .to_go_s, .failures]' s)" = \
        '["status/1","idle",6,0,36,24,60,60,0,0]' ]
    # of equal ones it may be another
    [ "$(jq .value s)" = "$(hop-search select --best --top 1 --metric val.accuracy <run/log.jsonl | jq .value)" ]
    hop-search select --best --metric val.accuracy <run/log.jsonl |
        jq -se --argjson s "$(cat s)" 'any(.id == $s.best and .value == $s.value)'
    [ "$(jq -r .metric s)" = val.accuracy ]
    jq -e '.per_s > 0 and .elapsed_s > 0 and .idle_frac >= 0 and .idle_frac <= 1' s
    run -0 hop-run status run
    [ "${lines[0]}" = "6 configs (0 diverged), 36 visits and 24 evaluations done, nobody works on it" ]
    [[ ${lines[1]} =~ ^"planned: 60/60 done, "[0-9.e+]+"/s, 0:00:"[0-9]+" elapsed, 0:00:00 to go, idle "[0-9]+" %"$ ]]
    [ "${lines[2]}" = "failures: 0" ]
    [[ ${lines[3]} == "best: $(jq -r .best s), val.accuracy "*" after iteration $(jq -r .iteration s)" ]]
    # by another metric: less is better
    echo val.loss >run/best.txt
    [ "$(hop-run status run --json | jq -r .best)" = "$(hop-search select --best --top 1 --metric val.loss <run/log.jsonl | jq -r .id)" ]
}

@test "asked ten times a second while it works: whole answers, nothing in the way" {
    sed -i 's/"model"/"passes": 300, "model"/' space.json
    rm -rf run
    hop-run -q -o run --data data --workers 2 --device ref grid --iterations 1 space.json >/dev/null 2>err 3>&- &
    pid=$!
    n=0
    last=0
    while kill -0 $pid 2>/dev/null; do
        sleep 0.05
        [ -s run/schedule.jsonl ] || continue
        hop-run status run --json >s 2>s.err || { cat s s.err; false; }
        [ ! -s s.err ] || { cat s.err; false; }
        done=$(jq '.done // 0' s)
        [ "$done" -ge $last ]
        last=$done
        [ "$(jq -r .activity s)" != running ] || n=$((n + 1))
    done
    wait $pid
    cat err
    [ $n -ge 3 ]
    # a call of hop-run at the same time as one of status is never told that another works on it
    for _ in 1 2 3 4 5; do
        hop-run status run >/dev/null &
        s=$!
        hop-run -q -o run --data data --workers 2 --device ref grid --iterations 1 space.json >/dev/null
        wait $s
    done
}

@test "failures are counted and told, with their worker; a torn log line does not matter" {
    rm -rf run
    mv data/train-001.safetensors away
    cp away data/train-001.safetensors
    printf 'X' | dd of=data/train-001.safetensors bs=1 seek=1000 conv=notrunc status=none
    run --separate-stderr -1 again
    hop-run status run --json >s
    [ "$(jq '.failures > 0 and .done < .planned' s)" = true ]
    jq -r .failure s | grep -qE '^c000[0-9] visit [123] on train-001, worker w1: exit status 1$'
    hop-run status run | grep -qE '^failures: [0-9]+, the last: c000'
    jq -e 'select(.hop == "failure/1") | .exit == 1 and .time_s > 1e9' run/jobs/failures.jsonl
    cp away data/train-001.safetensors
    printf '{"hop":"train/1","id":"c0' >>run/log.jsonl
    hop-run status run --json | jq -e .visits
    # the next call begins anew to count
    sleep 2
    again >/dev/null
    [ "$(hop-run status run --json | jq .failures)" -eq 0 ]
    # told to end is no failure
    sed -i 's/"passes": *[0-9]*, //; s/"model"/"passes": 2000, "model"/' space.json
    hop-run -q -o run2 --data data --workers 2 --device ref grid space.json >/dev/null 2>&1 3>&- &
    pid=$!
    until [ -s run2/schedule.jsonl ] && [ -n "$(find run2/models -name '*.tmp')" ]; do sleep 0.05; done
    sleep 0.3
    kill $pid
    wait $pid || :
    [ "$(hop-run status run2 --json | jq .failures)" -eq 0 ]
}

@test "progress has rate, idle part and the best" {
    rm -rf run
    run --separate-stderr -0 hop-run --progress -o run --data data --workers 2 --device ref grid --iterations 2 space.json
    echo "$stderr"
    [[ $stderr =~ "hop-run: visits 60/60, 0:00:"[0-9]*" elapsed, 0:00:00 to go, "[0-9.]+"/s, idle "[0-9]+" %, best c000"[1-6]" val.accuracy "[01] ]]
    rm -rf run
    run --separate-stderr -0 hop-run --progress --policy round-robin -o run --data data --workers 2 --device ref grid --iterations 2 space.json
    [[ $stderr =~ "hop-run: sub-epoch "[0-9/]+", visits 60/60, "[^$'\n']*"/s, idle "[0-9]+" %, best c000" ]]
}

@test "a diverged config leaves nothing to wait for" {
    echo '{"model":"./net.json","optimizer":"sgd","lr":[1e6,0.01],"momentum":0.9}' >space.json
    rm -rf run
    again >/dev/null
    [ "$(hop-run status run --json | jq -c '[.diverged, .to_go_s, .done == .planned]')" = '[1,0,true]' ]
}

@test "gc: what is needed stays, to the byte; what is not is named and removed" {
    cp -Rp run before
    # job logs alone: everything else is in use
    hop-run -q --gc run --dry-run >list
    diff -r run before
    [ -z "$(cut -f 1 list | grep -v '^run/jobs/[0-9TZ.]*\.tsv$\|^run/./')" ]
    # what killed processes leave, a stranger, a diverged one
    cp run/models/c0001.safetensors run/models/.c0001.safetensors.abcdef.tmp
    cp run/models/c0001.safetensors run/best/.c0002.safetensors.abcdef.tmp
    cp run/models/c0001.safetensors run/models/c0099.safetensors
    : >run/best.txt.new
    run --separate-stderr -0 hop-run --gc run --dry-run
    [[ $stderr =~ ^"hop-run: "[0-9]+" bytes are not needed"$ ]]
    for f in models/.c0001.safetensors.abcdef.tmp best/.c0002.safetensors.abcdef.tmp models/c0099.safetensors best.txt.new; do
        [ -e "run/$f" ]
        cut -f 1 <<<"$output" | sed 's|/\./|/|' | grep -qx "run/$f" || { echo "$f is not named"; false; }
    done
    [ "$(grep c0099 <<<"$output" | cut -f 2-)" = "$(stat -c %s run/models/c0099.safetensors)	configs.jsonl has no such config" ]
    hop-run -q --gc run >list2
    diff <(printf '%s\n' "$output") list2
    rm -f before/jobs/*.tsv
    diff -r -x ".*.lock" run before
    run -0 hop-run -q --gc run
    [ -z "$output" ]
    again >/dev/null
    cmp run/log.jsonl before/log.jsonl
}

@test "gc: best states when none are wanted, and those that diverged; then nothing is trained again" {
    echo '{"model":"./net.json","optimizer":"sgd","lr":[1e6,0.01,0.1],"momentum":0.9}' >space.json
    rm -rf run
    again >/dev/null
    echo none >run/best.txt
    cp run/log.jsonl log
    hop-run -q --gc run >list
    [ "$(ls run/models)" = "$(printf 'c0002.safetensors\nc0003.safetensors')" ]
    [ -z "$(ls run/best)" ]
    grep -q 'it has diverged' list
    grep -q 'asks for no best states' list
    again >/dev/null
    cmp log run/log.jsonl
}

@test "gc --top: the best stay; only when the search is over" {
    echo val.loss >run/best.txt
    best=$(hop-search select --best --top 2 --metric val.loss <run/log.jsonl | jq -r .id | sort | xargs)
    run --separate-stderr -2 bash -c 'rm run/jobs/next.jsonl; hop-run --gc run --top 2'
    [[ $stderr == *"the search in run is not over"* ]]
    [ "$(ls run/models | wc -l)" -eq 6 ]
    again >table
    hop-run -q --gc run --top 2 >/dev/null
    [ "$(ls run/models | sed 's/\..*//' | xargs)" = "$best" ]
    # the table is made of the log
    again | cmp table -
    [ "$(ls run/models | wc -l)" -eq 2 ]
}

@test "gc while somebody works: exit 75, nothing removed" {
    cp run/models/c0001.safetensors run/models/c0099.safetensors
    (
        flock 9
        : >locked
        sleep 10
    ) 9>run/.lock 3>&- &
    until [ -e locked ]; do sleep 0.02; done
    run_err 75 'run: somebody works on it' hop-run --gc run
    [ -e run/models/c0099.safetensors ]
    kill $!
    # a visit by hand
    until flock -n run/.lock true; do sleep 0.05; done
    mkfifo pipe
    hop-visit --run run --id c0002 --visit 7 --shard train-000 -- sh -c 'cat >/dev/null; echo half; exec cat pipe' 2>/dev/null 3>&- &
    pid=$!
    until [ -n "$(find run/models -name '.c0002*.tmp')" ]; do sleep 0.02; done
    run_err 75 'run: somebody works on it' hop-run --gc run
    [ -n "$(find run/models -name '.c0002*.tmp')" ]
    [ "$(hop-run status run --json | jq -r .activity)" = running ]
    run_err 75 'run: visits of an earlier call still run' again
    : >pipe
    wait $pid || :
    hop-run -q --gc run | grep -q c0099
}

@test "usage" {
    run_err 2 'status: RUN is missing' hop-run status
    run_err 2 '--gc: RUN is missing' hop-run --gc
    run_err 2 '--json: RUN comes first' hop-run status --json
    run_err 2 'hop-run: --top: goes with --gc' hop-run status run --top 3
    run_err 2 'hop-run: --json: goes with --status alone' hop-run --gc run --json
    run_err 1 'hop-run: nix: there is no such run folder' hop-run status nix
    run_err 1 'hop-run: nix/.lock: cannot open the lock' hop-run --gc nix
    run_err 1 'hop-visit: nix: there is no such run folder' hop-visit --run nix --status
    hop-run status run --help | head -n 1 | grep -q '^usage: hop-run '
}
