# Methods of hop-search with real training: hop-run to the end, whatever dies, and what each promises.
load lib
load tiny

local_setup()
{
    tiny_data 3
    tiny_net
    cat >space.json <<'JSON'
{"model": "./net.json", "batch_size": [8, 16], "optimizer": "sgd",
 "lr": {"type": "loguniform", "low": 1e-3, "high": 1}, "momentum": {"type": "lognearone", "low": 0.5, "high": 0.99}}
JSON
}

# search METHOD...: a whole search in ./run
search()
{
    hop-run -q -o run --data data -w 2 -d ref "$@" space.json
}

# untils RUN: how many configs have how many iterations, "iterations:configs ..."
untils()
{
    for f in "$1"/models/*.safetensors; do meta "$f" progress | jq .iteration; done |
        sort -n | uniq -c | awk '{ printf "%s:%s ", $2, $1 }'
}

@test "hop-search METHOD --table: brackets by rungs" {
    run -0 hop-search hyperband --table -R 81 --eta 3
    [ "${lines[0]}" = "R 81, eta 3: 128 configs in 5 brackets" ]
    [ "${lines[3]}" = "     0      81       1      27       3       9       9       6      27       5      81" ]
    [[ ${lines[-1]} == *1404 ]]
    run -0 hop-search hyperband --table -R 81 --eta 3 --added
    [[ ${lines[-1]} == *1701 ]]
    run -0 hop-search bohb --table -R 243 --shape B
    [ "${lines[0]}" = "R 243, eta 3: 415 configs in 6 brackets" ]
    run_err 2 '--shape: unknown shape "C"' hop-search hyperband --table --shape C
    run_err 2 '--table: is no option of tpe' hop-search tpe --table
    run_err 2 '--eta: is no option of tpe' hop-search tpe --eta 3 space.json
    run_err 2 '--rule: unknown rule "best" .known: joint, univariate, multivariate, hyperopt' hop-search tpe --rule best space.json
    run_err 2 '--rule: unknown rule "best" .known: promote, stop' hop-search asha --rule best space.json
    run_err 2 '--min-iterations: 30 is above 27' hop-search asha --min-iterations 30 space.json
}

@test "methods need no net, and know nothing of what they search" {
    echo '{"x":{"type":"uniform","low":-1,"high":1},"depth":{"type":"int","low":1,"high":5}}' >any.json
    for m in random sobol hyperband asha tpe bohb pbt; do
        hop-search -q $m any.json </dev/null >$m.out
        [ -s $m.out ]
        run -0 jq -c 'keys_unsorted' $m.out
        [ "${lines[0]}" = '["hop","id","x","depth","seed","until"]' ]
    done
    # a shell's own search: one config at a time, a made-up result
    : >log
    while hop-search -q tpe -c 25 --metric val.loss any.json <log >next && [ -s next ]; do
        jq -c '., {hop:"eval/1",id,iteration:1,split:"val",loss:((.x-0.3)*(.x-0.3)+.depth),examples:1}' next >>log
    done
    [ "$(grep -c config/1 log)" -eq 25 ]
    run -0 jq -s '[.[]|select(.hop=="eval/1")|.loss]|[(.[:10]|add/10),(.[15:]|add/10)]|.[1]<.[0]' log
    [ "$output" = true ]
}

@test "hyperband trains what its table says, from model files" {
    search hyperband -R 4 --eta 2
    # 4, 2, 1 | 2, 1 | 3: two of four stay at 1, ...
    [ "$(untils run)" = "1:2 2:2 4:5 " ]
    [ "$(jq -s '[.[]|select(.hop=="train/1")]|length' run/log.jsonl)" -eq $(((2 + 2 * 2 + 5 * 4) * 3)) ]
    hop-search -q hyperband -R 4 --eta 2 space.json <run/log.jsonl >left
    [ ! -s left ]
}

@test "asha: paused configs go on from their model files" {
    search asha -R 4 --eta 2 -c 8 --parallel 3
    run -0 untils run
    [[ $output == 1:[234]\ 2:[1234]\ 4:[1234]\  ]]
    # no visit twice
    [ -z "$(jq -r 'select(.hop=="train/1")|"\(.id) \(.visit)"' run/log.jsonl | sort | uniq -d)" ]
}

@test "tpe has as many configs in training as there are workers, asha three times as many, unless told" {
    hop-run -q -o run --data data -w 2 -d ref --dry-run tpe -c 9 space.json >lines
    [ "$(grep -c -- '--init' lines)" -eq 2 ]
    hop-run -q -o run --data data -w 2 -d ref --dry-run asha -R 2 --eta 2 -c 9 space.json >lines
    [ "$(grep -c -- '--init' lines)" -eq 6 ]
    hop-run -q -o run --data data -w 2 -d ref --dry-run asha -R 2 --eta 2 -c 9 -j 1 space.json >lines
    [ "$(grep -c -- '--init' lines)" -eq 1 ]
}

# nothing_twice RUN CONFIGS: so many configs, each visit and each config once, and the search is over
nothing_twice()
{
    [ -z "$(jq -r 'select(.hop=="train/1")|"\(.id) \(.visit)"' "$1/log.jsonl" | sort | uniq -d)" ]
    [ -z "$(jq -r .id "$1/configs.jsonl" | sort | uniq -d)" ]
    [ "$(jq -s length "$1/configs.jsonl")" -eq "$2" ]
    [ "$(jq -s '[.[]|select(.hop=="train/1")|.id]|unique|length' "$1/log.jsonl")" -eq "$2" ]
    no_leftovers "$1"
}

@test "asha and tpe in hop-run: one plan gets longer; who has ended makes room at once" {
    # the first config's second visit, in one slot of three, does not begin before the fourth config has had one
    echo '{"name":"w","slots":3}' >workers
    mkdir bin
    cp "$HOP_BUILD/bin/hop-run" bin/
    cat >bin/hop-visit <<'SH'
#!/bin/sh
case " $* " in
*" --id c0001 --visit 2 "*)
    for i in $(seq 600); do
        ! grep -q '"train/1","id":"c0004"' run/log.jsonl || break
        sleep 0.1
    done
    [ $i -lt 600 ] || echo late >late ;;
esac
exec "$HOP_BUILD/bin/hop-visit" "$@"
SH
    chmod +x bin/hop-visit
    for m in "asha -R 4 --eta 2 -c 9 -j 3" "tpe -c 7 -n 2 -j 3"; do
        rm -rf run
        PATH=$PWD/bin:$PATH bin/hop-run -q -o run --data data -w workers -d ref $m space.json >board
        [ ! -e late ]
        [ "$(grep -c plan/1 run/schedule.jsonl)" -eq 1 ]
        nothing_twice run $(($(wc -l <board) - 1))
        # visits of the first plan and of what was added: as many as were done
        [ "$(jq -s '[.[]|select(.hop=="visit/1" and .task==null)]|length' run/schedule.jsonl)" -eq "$(grep -c '"train/1"' run/log.jsonl)" ]
        # and a status that knows of all of it
        hop-run status run --json | jq -e '.planned == .done and .done > 0 and .activity == "idle"'
    done
}

@test "pbt: children begin with their parent's state" {
    search pbt -c 4 -n 6 --interval 2 --metric val.loss
    [ "$(jq -s '[.[]|select(.parent)]|length' run/configs.jsonl)" -ge 1 ]
    # the population ends whole; what was given up stays where it was
    [[ $(untils run) == *"6:4 " ]]
    # a child's first visit is the one after its parent's last, its first evaluation its parent's
    jq -r 'select(.parent)|"\(.id) \(.parent) \(.parent_iteration)"' run/configs.jsonl | while read -r id parent at; do
        [ "$(jq -s --arg id $id '[.[]|select(.hop=="train/1" and .id==$id)|.visit]|min' run/log.jsonl)" -eq $((at * 3 + 1)) ]
        child=$(jq -s --arg id $id --argjson at $at '.[]|select(.hop=="eval/1" and .id==$id and .iteration==$at and (.shard|not))|.loss' run/log.jsonl)
        from=$(jq -s --arg id $parent --argjson at $at '.[]|select(.hop=="eval/1" and .id==$id and .iteration==$at and (.shard|not))|.loss' run/log.jsonl)
        [ "$child" = "$from" ] || { echo "$id $child, $parent $from"; exit 1; }
    done
    cp -R run/models before
    search pbt -c 4 -n 6 --interval 2 --metric val.loss # done before
    diff -r before run/models
}

@test "pbt: what shapes the net is inherited" {
    sed 's/"units": 8/"units": {"$param": "units"}/' net.json >wide.json
    cat >space.json <<'JSON'
{"model": "./wide.json", "batch_size": 8, "optimizer": "adam", "units": [4, 8, 16],
 "lr": {"type": "loguniform", "low": 1e-3, "high": 0.1}}
JSON
    search pbt -c 4 -n 4 --interval 1 --metric val.loss --inherit units
    [ "$(jq -s '[.[]|select(.parent)]|length' run/configs.jsonl)" -ge 1 ]
    [ "$(jq -s '(map({(.id): .units}) | add) as $u | map(select(.parent)) | all(.units == $u[.parent])' run/configs.jsonl)" = true ]
    run_err 2 '--inherit: no parameter of space.json is called "width"' hop-search pbt --inherit width space.json
}

# What a search leaves: config lines and tensors
leaves()
{
    jq -cS 'del(.until)' "$1/configs.jsonl" | sort
    for f in "$1"/models/*.safetensors; do echo "${f##*/} $(tensors "$f" | cksum)"; done
}

# killed_often METHOD...: in ./killed, again and again, then to its end
killed_often()
{
    rm -rf killed
    for after in 0.4 0.7 1.1 1.6; do
        setsid sh -c 'exec hop-run -q -o killed --data data -w 2 -d ref "$@" space.json' x "$@" >/dev/null 2>&1 3>&- 4>&- &
        sleep $after
        kill -KILL -- -$! 2>/dev/null || true
        wait $! 2>/dev/null || true
    done
    until hop-run -q -o killed --data data -w 2 -d ref "$@" space.json >/dev/null 2>err; do
        [ $? -eq 75 ] || grep -q 'another hop-run' err
        sleep 0.2
    done
}

@test "killed with all it has started, again and again: the same configs and bytes" {
    for m in "pbt -c 4 -n 4 --interval 1 --metric val.loss" "bohb -R 4 --eta 2" "hyperband -R 4 --eta 2" "random -c 6 -n 2" "sobol -c 6 -n 2"; do
        rm -rf run
        search $m >/dev/null
        killed_often $m
        leaves run >run.txt
        leaves killed >killed.txt
        diff run.txt killed.txt
        nothing_twice killed "$(wc -l <run/configs.jsonl)"
    done
}

@test "killed with all it has started, methods that never wait: nothing twice, nothing lost" {
    for m in "asha -R 4 --eta 2 -c 9 -j 3" "asha -R 4 --eta 2 -c 9 -j 3 --rule stop" "tpe -c 8 -n 2 -j 3"; do
        killed_often $m
        nothing_twice killed "$(echo "$m" | sed 's/.*-c \([0-9]*\).*/\1/')"
        # what the log fixes: asked again, it has nothing to say
        [ -z "$(cat killed/configs.jsonl killed/log.jsonl | hop-search -q $m space.json)" ]
    done
}

@test "hop-schedule --ahead: at most so many iterations of each config" {
    echo '{"hop":"config/1","id":"c1","model":"./net.json","optimizer":"sgd","lr":0.1,"batch_size":8,"seed":1,"until":5}' >configs
    run -0 hop-schedule -q --data data -w 2 --ahead 2 --as json <configs
    [ "$(printf '%s\n' "${lines[@]}" | jq -s 'map(select(.hop=="visit/1" and (.task|not))|.iteration)|max')" = 2 ]
    [ "$(printf '%s\n' "${lines[@]}" | jq -s 'map(select(.task=="eval"))|length')" = 4 ]
    run -0 hop-schedule -q --data data -w 2 --ahead 9 --as json <configs
    [ "$(printf '%s\n' "${lines[@]}" | jq -s 'map(select(.hop=="visit/1" and (.task|not))|.iteration)|max')" = 5 ]
}

@test "asha in hop-run: nobody waits for a config with more iterations" {
    search asha -R 8 --eta 2 -c 16 --parallel 2 --metric val.loss
    # while a config trained from 4 to 8, others began
    run -0 jq -s '[.[]|select(.hop=="train/1")] as $t | [[$t[]|select(.iteration>4)|.id]|unique[] as $long
        | [$t | to_entries[] | select(.value.id==$long and .value.iteration>4)|.key] as $span
        | $t[$span[0]:$span[-1]][]|select(.iteration==1)]|length' run/log.jsonl
    [ "$output" -gt 0 ]
}
