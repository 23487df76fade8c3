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
    refused 's.json: lr: "low" 0.5 is not below' '{"model":"mlp","lr":{"type":"uniform","low":0.5,"high":0.1}}'
    refused 's.json: lr: "low" 0 is not above 0' '{"model":"mlp","lr":{"type":"loguniform","low":0,"high":0.1}}'
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
    refused 's.json: c0001: "model" is missing' '{"lr":[1]}'
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

@test "usage, full disk" {
    run_err 2 'METHOD is missing' hop-search </dev/null
    run_err 2 'unknown method "nix" \(known: grid, select\)' hop-search nix </dev/null
    run_err 2 'SPACE is missing' hop-search grid </dev/null
    run_err 2 'unexpected operand' hop-search grid space.json more </dev/null
    run_err 2 'top: is no option of grid' hop-search grid --top 3 space.json </dev/null
    run_err 2 'iterations: .*out of range' hop-search grid --iterations 0 space.json </dev/null
    run_err 1 'stdout: cannot write' bash -c 'hop-search -q grid space.json </dev/null >/dev/full'
    a_log >log
    run_err 1 'stdout: cannot write' bash -c 'hop-search select --table <log >/dev/full'
}
