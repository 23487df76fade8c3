# hop-search: the space grammar, grid, select.
load lib
load tiny

local_setup()
{
    tiny_space
}

# grid SPACE_JSON [OPTIONS]: ids and members
grid()
{
    echo "$1" >s.json
    shift
    hop-search -q grid "$@" s.json </dev/null
}

# refused PATTERN SPACE_JSON
refused()
{
    echo "$2" >s.json
    run_err 1 "$1" hop-search grid s.json </dev/null
}

@test "grid: every combination, the first key slowest, branches flat" {
    run -0 --separate-stderr hop-search grid --iterations 3 space.json </dev/null
    [ "$stderr" = "hop-search: grid: 6 configs, 0 finished (0 of them diverged), 6 to train" ]
    cat >want <<'END'
{"hop":"config/1","id":"c0001","model":"./net.json","batch_size":8,"optimizer":"sgd","lr":0.1,"momentum":0.9,"seed":1,"until":3}
{"hop":"config/1","id":"c0002","model":"./net.json","batch_size":8,"optimizer":"sgd","lr":0.01,"momentum":0.9,"seed":1,"until":3}
{"hop":"config/1","id":"c0003","model":"./net.json","batch_size":8,"optimizer":"adam","lr":0.01,"seed":1,"until":3}
{"hop":"config/1","id":"c0004","model":"./net.json","batch_size":16,"optimizer":"sgd","lr":0.1,"momentum":0.9,"seed":1,"until":3}
{"hop":"config/1","id":"c0005","model":"./net.json","batch_size":16,"optimizer":"sgd","lr":0.01,"momentum":0.9,"seed":1,"until":3}
{"hop":"config/1","id":"c0006","model":"./net.json","batch_size":16,"optimizer":"adam","lr":0.01,"seed":1,"until":3}
END
    diff want <(printf '%s\n' "$output")
}

@test "grid: all ways to write a choice; constants; nested branches" {
    [ "$(grid '{"model":"mlp","optimizer":"sgd"}' | jq -c '[.id,.model]')" = '["c0001","mlp"]' ]
    [ "$(grid '{"model":["mlp"],"optimizer":"sgd","batch_size":{"type":"choice","values":[4,2]}}' | jq -c .batch_size | xargs)" = "4 2" ]
    [ "$(grid '{"model":"mlp","optimizer":"sgd","nesterov":[true,false],"seed":[5,6]}' | jq -c '[.nesterov,.seed]' | xargs)" = "[true,5] [true,6] [false,5] [false,6]" ]
    run -0 grid '{"model":"mlp","optimizer":[{"_name":"sgd","momentum":[{"_name":0.5,"nesterov":[true,false]},0.9]},{"_name":"adam"}],"batch_size":[1,2]}'
    [ "${#lines[@]}" -eq 8 ]
    [ "$(printf '%s\n' "$output" | jq -c '[.optimizer,.momentum,.nesterov,.batch_size]' | xargs)" = \
        "[sgd,0.5,true,1] [sgd,0.5,true,2] [sgd,0.5,false,1] [sgd,0.5,false,2] [sgd,0.9,null,1] [sgd,0.9,null,2] [adam,null,null,1] [adam,null,null,2]" ]
    [ "$(grid '{"model":"mlp","optimizer":"sgd"}' --seed 9 | jq .seed)" = 9 ]
}

@test "spaces that grid cannot take: one line, the path in it" {
    refused '^hop-search: s.json: optimizer\[1\].lr: grid needs a list' '{"model":"mlp","optimizer":[{"_name":"adam"},{"_name":"sgd","lr":{"type":"loguniform","low":1e-4,"high":0.1}}]}'
    refused 's.json: lr: unknown type "randint" \(known: choice, uniform' '{"model":"mlp","lr":{"type":"randint","low":1,"high":3}}'
    refused 's.json: lr: low 0.5 > high 0.1' '{"model":"mlp","lr":{"type":"uniform","low":0.5,"high":0.1}}'
    refused 's.json: lr: low 0 is not above 0' '{"model":"mlp","lr":{"type":"loguniform","low":0,"high":0.1}}'
    refused 's.json: m: bounds 0.9 and 1 are not near one' '{"model":"mlp","m":{"type":"lognearone","low":0.9,"high":1}}'
    refused 's.json: lr: "type" is missing' '{"model":"mlp","lr":{"low":1,"high":3}}'
    refused 's.json: lr: unknown key "hi"' '{"model":"mlp","lr":{"type":"uniform","low":1,"hi":3}}'
    refused 's.json: lr: a choice needs a list' '{"model":"mlp","lr":[]}'
    refused 's.json: lr: null' '{"model":"mlp","lr":null}'
    refused 's.json: o\[0\]: an object among choices needs a "_name"' '{"model":"mlp","o":[{"lr":1}]}'
    refused 's.json: o\[1\].lr: "lr" is also given by "lr"' '{"model":"mlp","lr":1,"o":[1,{"_name":2,"lr":1}]}'
    refused 's.json: lr: "lr" is also given by "o"' '{"model":"mlp","o":[1,{"_name":2,"lr":1}],"lr":1}'
    refused 's.json: until: "until" is given' '{"model":"mlp","until":5}'
    refused 's.json: id: "id" is given' '{"model":"mlp","id":"a"}'
    refused 's.json: a space is an array' '[1]'
    refused 's.json@[0-9]+: not valid JSON' '{"lr":[1,'
    refused 's.json@[0-9]+: not valid JSON: duplicate' '{"lr":1,"lr":2}'
    run_err 1 'nix.json: cannot open' hop-search grid nix.json </dev/null
}

@test "configs that hop-train would refuse are refused at once" {
    refused 's.json: c0002: "batch_size" -16 is out of range' '{"model":"mlp","optimizer":"sgd","batch_size":[8,-16]}'
    refused 's.json: c0001: .*optimizer "adamx".*known: ' '{"model":"mlp","optimizer":"adamx"}'
    refused 's.json: c0001: .*lr' '{"model":"mlp","optimizer":"sgd","learning_rate":0.1}'
    refused 's.json: c0001: "lr" is a string' '{"model":"mlp","optimizer":"sgd","lr":["fast"]}'
}

# The log of a search: c0001 done at 2, c0002 at 1, c0003 diverged, c0004 evaluated in part.
a_log()
{
    hop-search -q grid --iterations 2 space.json </dev/null | head -n 4
    cat <<'END'
{"hop":"train/1","id":"c0001","visit":1,"iteration":1,"shard":"train-000","accuracy":0.4,"examples":10,"wall_s":1.5,"status":"ok"}
{"hop":"train/1","id":"c0001","visit":2,"iteration":2,"shard":"train-000","accuracy":0.6,"examples":10,"wall_s":1.0,"status":"ok"}
{"hop":"eval/1","id":"c0001","iteration":1,"split":"val","loss":0.4,"accuracy":0.9,"examples":5}
{"hop":"eval/1","id":"c0001","iteration":2,"split":"val","loss":0.6,"accuracy":0.7,"examples":5}
{"hop":"eval/1","id":"c0002","iteration":1,"split":"val","loss":0.5,"accuracy":0.8,"examples":5}
{"hop":"train/1","id":"c0003","visit":1,"iteration":1,"shard":"train-000","accuracy":0.1,"examples":10,"wall_s":1.0,"status":"diverged"}
{"hop":"eval/1","id":"c0004","iteration":2,"split":"val","shard":"val-000","shards":2,"loss":0.5,"accuracy":0.8,"examples":5}
END
}

@test "grid asks only for what the log does not know as finished" {
    a_log >log
    run -0 --separate-stderr bash -c 'hop-search grid --iterations 2 space.json <log'
    [ "$(printf '%s\n' "$output" | jq -r .id | xargs)" = "c0002 c0004 c0005 c0006" ]
    [[ $stderr == *"6 configs, 2 finished (1 of them diverged), 4 to train" ]]
    # one iteration: c0002 is finished too
    [ "$(hop-search -q grid --iterations 1 space.json <log | jq -r .id | xargs)" = "c0004 c0005 c0006" ] || {
        hop-search grid --iterations 1 space.json <log
        false
    }
}

@test "grid: nothing is printed when all is finished" {
    for id in 1 2 3 4 5 6; do
        echo '{"hop":"eval/1","id":"c000'$id'","iteration":2,"split":"val","loss":1,"accuracy":0.5,"examples":5}'
    done >log
    run -0 --separate-stderr bash -c 'hop-search grid --iterations 2 space.json <log'
    [ -z "$output" ]
    # evaluations on train count only where there is no val
    sed 's/"val"/"train"/' log >log.train
    [ -z "$(hop-search -q grid --iterations 2 space.json <log.train)" ]
    [ "$(cat log.train <(head -n 1 log) | hop-search -q grid --iterations 2 space.json | wc -l)" -eq 5 ]
}

@test "same log, same answer; torn lines are passed over" {
    a_log >log
    hop-search -q grid --iterations 2 space.json <log >a
    { cat log; printf '{"hop":"eval/1","id":"c0005"'; } >torn
    run -0 --separate-stderr bash -c 'hop-search grid --iterations 2 space.json <torn'
    [[ $stderr == *"stdin:12: line skipped"* ]]
    diff a <(printf '%s\n' "$output")
    cat log log | hop-search -q grid --iterations 2 space.json | diff a -
}

@test "a log of another search is refused" {
    a_log | sed 's/"lr":0.1,/"lr":0.2,/' >log
    run_err 1 'config c0001 of the log has another "lr"' hop-search grid --iterations 2 space.json <log
}

@test "select: ranks, last or best, any metric" {
    a_log >log
    [ "$(hop-search select <log | jq -c '[.rank,.id,.value,.iteration,.status]' | xargs)" = \
        "[1,c0002,0.8,1,ok] [2,c0001,0.7,2,ok] [3,c0004,null,0,ok] [4,c0003,null,0,diverged]" ]
    [ "$(hop-search select --best <log | jq -c '[.id,.value,.iteration]' | head -n 1)" = '["c0001",0.9,1]' ]
    [ "$(hop-search select --metric val.loss <log | jq -r .id | xargs)" = "c0002 c0001 c0004 c0003" ]
    [ "$(hop-search select --metric val.loss --best <log | jq -r .id | head -n 1)" = c0001 ]
    [ "$(hop-search select --top 1 <log | wc -l)" -eq 1 ]
    [ "$(hop-search select <log | jq -r 'select(.id=="c0001") | [.visits,.train_s,.train_accuracy,.config.lr] | join(" ")')" = "2 2.5 0.6 0.1" ]
    run_err 2 'metric: "accuracy" is not SPLIT.METRIC' hop-search select --metric accuracy <log
    [ -z "$(hop-search select </dev/null)" ]
}

@test "select --table: differing hyperparameters, aligned" {
    a_log >log
    cat >want <<'END'
rank  id     batch_size  optimizer    lr  momentum   val acc  val loss  train acc  iter  seconds
   1  c0002           8  sgd        0.01       0.9    0.8000    0.5000          -     1      0.0
   2  c0001           8  sgd         0.1       0.9    0.7000    0.6000     0.6000     2      2.5
   3  c0004          16  sgd         0.1       0.9         -         -          -     0      0.0
   4  c0003           8  adam       0.01         -  diverged         -          -     0      1.0
END
    hop-search select --table <log | diff want -
    [ "$(hop-search select --table --top 1 <log | awk '{ print $2 }' | xargs)" = "id c0002" ]
}

# evals ID VALUE...: merged evaluations of iterations 1, 2, ... on val
evals()
{
    local id=$1 i=0 v
    shift
    for v in "$@"; do
        i=$((i + 1))
        [ "$v" = - ] || echo '{"hop":"eval/1","id":"'"$id"'","iteration":'$i',"visit":'$((i * 3))',"split":"val","loss":'"$v"',"accuracy":'"$v"',"examples":10,"status":"ok"}'
    done
}

# patient LOG OPTIONS...: "until" per config that is asked for
patient()
{
    local log=$1
    shift
    hop-search -q grid --iterations 10 "$@" s.json <"$log" | jq -r '"\(.id):\(.until)"' | xargs
}

@test "patience: as Keras's EarlyStopping, in steps of what may be the last iteration" {
    echo '{"model":"./net.json","optimizer":"sgd","lr":[0.1,0.2,0.3]}' >s.json
    : >log
    [ "$(patient log)" = "c0001:10 c0002:10 c0003:10" ]
    [ "$(patient log --patience 2)" = "c0001:3 c0002:3 c0003:3" ]
    [ "$(patient log --patience 40)" = "c0001:10 c0002:10 c0003:10" ]
    # better at 3; stopped at 3; at 2 best, a gap in the log, a metric that was not finite
    { evals c0001 0.5 0.4 0.6; evals c0002 0.5 0.5 0.4; evals c0003 0.5 0.6 null; } >log
    [ "$(patient log --patience 2)" = "c0001:5 c0003:4" ]
    [ "$(patient log --patience 1)" = "" ]
    [ "$(patient log --patience 3)" = "c0001:6 c0002:4 c0003:5" ]
    run --separate-stderr -0 hop-search grid --iterations 10 --patience 2 s.json <log
    [ "$stderr" = "hop-search: grid: 3 configs, 1 finished (0 of them diverged, 1 given up), 2 to train" ]
    # less is better of loss
    { evals c0001 0.5 0.4 0.3; evals c0002 0.5 0.5 0.6; evals c0003 0.5 0.4 0.4; } >log
    [ "$(patient log --patience 2 --metric val.loss)" = "c0001:5 c0003:4" ]
    [ "$(patient log --patience 2)" = "c0002:5" ]
    # only what is better by more than min-delta is
    { evals c0001 0.5 0.75 0.8; evals c0002 0.25 0.5 0.75; evals c0003 0.5 0.75 0.76; } >log
    [ "$(patient log --patience 1 --min-delta 0.2)" = "c0002:4" ]
    [ "$(patient log --patience 2 --min-delta 0.5)" = "" ] # by exactly that is not by more
    # given up is for good, whatever came after; the last iteration ends as ever
    { evals c0001 0.5 0.4 0.4 0.9; evals c0002 1 2 3 4 5 6 7 8 9; evals c0003 1 2 3 4 5 6 7 8 9 10; } >log
    [ "$(patient log --patience 2)" = "c0002:10" ]
    # evaluations now and then
    { evals c0001 - - 0.5 - - 0.4; evals c0002 - - 0.5; evals c0003 - - 0.5 0.6; } >log
    [ "$(patient log --patience 3)" = "c0002:6 c0003:7" ]
    # where hop-schedule evaluates every third only, that is where a config can stop
    { evals c0001 - - 0.5 - - 0.4; evals c0002 - - 0.5; } >log
    [ "$(patient log --patience 4 --eval-every 3)" = "c0001:9 c0002:9 c0003:9" ]
    [ "$(patient log --patience 3 --eval-every 3)" = "c0002:6 c0003:6" ]
    [ "$(patient log --patience 7 --eval-every 3)" = "c0001:10 c0002:10 c0003:10" ]
    # a log in another order says the same
    { evals c0001 0.5 0.4 0.6; evals c0002 0.5 0.5 0.4; evals c0003 0.5 0.6 null; } >log
    [ "$(tac log >back; patient back --patience 2)" = "c0001:5 c0003:4" ]
}

@test "patience: a log fed in pieces gives the same answers, and never takes one back" {
    echo '{"model":"./net.json","optimizer":"sgd","lr":[0.1,0.2,0.3,0.4]}' >s.json
    awk 'BEGIN {
        srand(5)
        for (i = 1; i <= 9; i++) for (c = 1; c <= 4; c++)
            printf "{\"hop\":\"eval/1\",\"id\":\"c%04d\",\"iteration\":%d,\"visit\":%d,\"split\":\"val\",\"loss\":%.3f,\"accuracy\":%.3f}\n", c, i, i, rand(), rand()
    }' >log
    n=0
    before=$(patient /dev/null --patience 2)
    for ((k = 1; k <= 36; k++)); do
        head -n $k log >piece
        now=$(patient piece --patience 2)
        [ "$now" = "$(cat piece | patient /dev/stdin --patience 2)" ]
        for c in $now; do # who is asked for was asked for before, and until never falls
            [[ " $before " == *" ${c%:*}:"* ]]
            was=$(tr ' ' '\n' <<<"$before" | sed -n "s/^${c%:*}://p")
            [ "${c#*:}" -ge "$was" ]
        done
        [ "$now" = "$before" ] || n=$((n + 1))
        before=$now
    done
    [ $n -ge 4 ]
    [ "$(wc -w <<<"$before")" -lt 4 ]
}

@test "patience: usage" {
    run_err 2 'min-delta: needs --patience' hop-search grid --min-delta 0.1 space.json </dev/null
    run_err 2 'patience: is no option of select' hop-search select --patience 3 </dev/null
    run_err 2 'patience' hop-search grid --patience 0 space.json </dev/null
    run_err 2 'not SPLIT.METRIC' hop-search grid --patience 1 --metric accuracy space.json </dev/null
    echo '{"model":"./net.json","optimizer":"sgd"}' >s.json
    evals c0001 0.5 >log
    run_err 1 'metric: evaluations on val have no "f1"' hop-search grid --patience 1 --metric val.f1 s.json <log
}

@test "usage, full disk" {
    run_err 2 'METHOD is missing' hop-search </dev/null
    run_err 2 'unknown method "nix" \(known: grid, random, sobol, hyperband, asha, tpe, bohb, pbt, select\)' hop-search nix </dev/null
    run_err 2 'SPACE is missing' hop-search grid </dev/null
    run_err 2 'unexpected operand' hop-search grid space.json more </dev/null
    run_err 2 'top: is no option of grid' hop-search grid --top 3 space.json </dev/null
    run_err 2 'iterations: .*out of range' hop-search grid --iterations 0 space.json </dev/null
    run_err 1 'stdout: cannot write' bash -c 'hop-search -q grid space.json </dev/null >/dev/full'
    a_log >log
    run_err 1 'stdout: cannot write' bash -c 'hop-search select --table <log >/dev/full'
}

# goes_on LOG OPTIONS...: which of the first bracket's three configs Hyperband trains on to 3
goes_on()
{
    local log=$1
    shift
    hop-search -q hyperband -R 3 "$@" s.json <"$log" | jq -r 'select(.until == 3 and .id <= "c0003") | .id' | xargs
}

@test "objectives: metric, which way, which evaluations, the gap decide who goes on" {
    echo '{"lr":{"type":"uniform","low":0,"high":1}}' >s.json
    e() { echo '{"hop":"eval/1","id":"'"$1"'","iteration":1,"split":"'"$2"'","loss":'"$3"',"accuracy":'"$4"',"f1":'"$5"'}'; }
    { e c0001 val 0.3 0.90 0.1; e c0001 train 0.1 0.99 0.1
      e c0002 val 0.2 0.80 0.3; e c0002 train 0.2 0.82 0.9
      e c0003 val 0.4 0.70 0.2; e c0003 train 0.4 0.71 0.2; } >log
    [ "$(goes_on log)" = c0001 ]
    [ "$(goes_on log --metric val.loss)" = c0002 ]
    [ "$(goes_on log --metric val.loss --maximize)" = c0003 ]
    [ "$(goes_on log --metric val.accuracy --minimize)" = c0003 ]
    [ "$(goes_on log --metric val.f1)" = c0002 ]
    [ "$(goes_on log --metric train.accuracy)" = c0001 ]
    # better on train by 0.09, 0.02 and 0.01
    [ "$(goes_on log --max-gap 0.05)" = c0002 ]
    [ "$(goes_on log --max-gap 0.015)" = c0003 ]
    [ "$(goes_on log --max-gap 0)" = c0003 ] # all break the rule, this one least
    [ "$(goes_on log --max-gap 0.1)" = c0001 ]
    [ "$(goes_on log --max-gap 0 --gap-weight 1)" = c0001 ]
    [ "$(goes_on log --max-gap 0 --gap-weight 3)" = c0002 ]
    # a config that diverged, or whose metric is no number, is behind all others
    { sed '/c0001/d' log; echo '{"hop":"train/1","id":"c0001","visit":1,"iteration":1,"status":"diverged"}'; } >log2
    [ "$(goes_on log2)" = c0002 ]
    sed 's/"accuracy":0.90/"accuracy":null/' log >log2
    [ "$(goes_on log2)" = c0002 ]
    run_err 1 'metric: evaluations on val have no "auc"' hop-search hyperband -R 3 --metric val.auc s.json <log
    run_err 2 'minimize: contradicts' hop-search hyperband --minimize --maximize --metric val.loss s.json <log
    run_err 2 'minimize: needs --metric' hop-search hyperband --minimize s.json <log
    run_err 2 'of: "worst" is none of them' hop-search hyperband --of worst s.json <log
}

@test "repeats: a config is as good as its seeds are in the mean" {
    echo '{"lr":{"type":"uniform","low":0,"high":1}}' >s.json
    hop-search -q hyperband -R 3 --repeats 2 s.json </dev/null >first
    [ "$(jq -r 'select(.id | startswith("c0001")) | [.id, .seed] | join(":")' first | xargs)" = "c0001:1 c0001-2:2" ]
    [ "$(jq -c 'select(.id | startswith("c0001")) | .lr' first | sort -u | wc -l)" -eq 1 ]
    e() { echo '{"hop":"eval/1","id":"'"$1"'","iteration":1,"split":"val","accuracy":'"$2"'}'; }
    { e c0001 0.9; e c0001-2 0.1; e c0002 0.6; e c0002-2 0.6; e c0003 0.5; e c0003-2 0.5; } >log
    [ "$(goes_on log)" = c0001 ]
    [ "$(hop-search -q hyperband -R 3 --repeats 2 s.json <log | jq -r 'select(.until == 3) | .id' | head -n 2 | xargs)" = "c0002 c0002-2" ]
    # as long as one seed is missing, nobody goes on
    sed '$d' log >log2
    [ "$(hop-search -q hyperband -R 3 --repeats 2 s.json <log2 | jq -r '"\(.id):\(.until)"' | head -n 1)" = c0003-2:1 ]
}

@test "prefix: two searches in one log do not see each other" {
    echo '{"lr":{"type":"uniform","low":0,"high":1}}' >s.json
    hop-search -q random -c 2 s.json </dev/null >log
    hop-search -q random -c 2 --seed 5 --prefix fine- s.json <log >>log2
    [ "$(jq -r .id log2 | xargs)" = "fine-0001 fine-0002" ]
    cat log log2 >both
    for id in c0001 fine-0001; do echo '{"hop":"eval/1","id":"'$id'","iteration":1,"split":"val","loss":1}'; done >>both
    [ "$(hop-search -q random -c 2 s.json <both | jq -r .id)" = c0002 ]
    [ "$(hop-search -q random -c 2 --seed 5 --prefix fine- s.json <both | jq -r .id)" = fine-0002 ]
    # nor what the other was evaluated on, and by what
    { cat log log2; for id in c0001 c0002; do echo '{"hop":"eval/1","id":"'$id'","iteration":1,"split":"train","loss":1}'; done; } >both
    [ -z "$(hop-search -q random -c 2 s.json <both)" ]
    echo '{"hop":"eval/1","id":"fine-0001","iteration":1,"split":"val","loss":1,"accuracy":0.5}' >>both
    [ -z "$(hop-search -q random -c 2 s.json <both)" ]
    run_err 2 'prefix: "a9" is not' hop-search random --prefix a9 s.json </dev/null
    run_err 2 'prefix: "a/b" is not' hop-search random --prefix a/b s.json </dev/null
}
