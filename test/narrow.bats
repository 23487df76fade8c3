# hop-search narrow: a space refined around the good configs of a log, by the rule of its page.
load lib
load tiny

# result ID MEMBERS LOSS: a config line and its evaluation
result()
{
    echo '{"hop":"config/1","id":"'"$1"'",'"$2"',"seed":1,"until":1}'
    echo '{"hop":"eval/1","id":"'"$1"'","iteration":1,"split":"val","loss":'"$3"',"examples":10,"status":"ok"}'
}

@test "choices: half of what chance gives stays, and what the best has; branches go with a reason" {
    cat >space.json <<'END'
{"model": ["a", "b", "c"], "decay": 1e-6,
 "optimizer": [{"_name": "sgd", "lr": [0.1, 0.2], "momentum": [0.5, 0.9]}, {"_name": "adam", "lr": [0.1, 0.2]},
               {"_name": "lion"}],
 "batch_size": {"type": "choice", "values": [8, 16, 32], "weights": [8, 1, 1]}}
END
    n=0
    # 8 good ones: model a 6, b 2, c 0 (chance 2.67, half 1.33); sgd 7, adam 0, lion 1 (the best);
    # of sgd's seven lr 0.1 six, 0.2 one (half 1.75); batch 8: 6, 16: 2, 32: 0 (chance 0.8, half 0.4)
    for m in '"a","optimizer":"lion","batch_size":8' '"a","optimizer":"sgd","lr":0.1,"momentum":0.5,"batch_size":8' \
        '"b","optimizer":"sgd","lr":0.1,"momentum":0.5,"batch_size":8' '"b","optimizer":"sgd","lr":0.1,"momentum":0.9,"batch_size":16' \
        '"a","optimizer":"sgd","lr":0.1,"momentum":0.9,"batch_size":16' '"a","optimizer":"sgd","lr":0.1,"momentum":0.9,"batch_size":8' \
        '"a","optimizer":"sgd","lr":0.1,"momentum":0.5,"batch_size":8' '"a","optimizer":"sgd","lr":0.2,"momentum":0.5,"batch_size":8' \
        '"c","optimizer":"adam","lr":0.1,"batch_size":32' '"c","optimizer":"adam","lr":0.2,"batch_size":32'; do
        n=$((n + 1))
        result c00$((10 + n)) '"model":'"$m"',"decay":1e-6' 0.$((10 + n))
    done >log
    run --separate-stderr -0 bash -c 'hop-search narrow --top 8 space.json <log'
    printf '%s\n' "$output" >narrow.json
    jq -e '. == {"model": ["a", "b"], "decay": 1e-6, "optimizer": [{"_name": "sgd", "lr": 0.1, "momentum": [0.5, 0.9]}, {"_name": "lion"}],
        "batch_size": {"type": "choice", "values": [8, 16], "weights": [8, 1]}}' narrow.json
    cat >want <<'END'
hop-search: narrow: 8 of 10 configs are good: val.loss from 0.11 to 0.18
hop-search: narrow: model[2] "c" is out: 0 of 8 good configs have it, chance would be 2.67; its best is at place 9, 0.19 against 0.11
hop-search: narrow: optimizer[1] "adam" is out: 0 of 8 good configs have it, chance would be 2.67; its best is at place 9, 0.19 against 0.11
hop-search: narrow: optimizer[0].lr[1] 0.2 is out: 1 of 7 good configs have it, chance would be 3.5; its best is at place 8, 0.18 against 0.11
hop-search: narrow: batch_size[2] 32 is out: 0 of 8 good configs have it, chance would be 0.8; its best is at place 9, 0.19 against 0.11
hop-search: narrow: 7 of the 10 lie in the new space (search on with --prefix, and this log stays what it is)
END
    # branches are looked at when they are reached, so order is not what counts
    diff <(sort want) <(sort <<<"$stderr")
    # the output is a space: its grid is 2 x (2 + 1) x 2
    [ "$(hop-search -q grid narrow.json </dev/null | wc -l)" -eq 12 ]
    # the same again, and narrowing the narrowed changes nothing more than it must
    hop-search -q narrow --top 8 space.json <log | cmp narrow.json -
    tac log | hop-search -q narrow --top 8 space.json | cmp narrow.json -
    # the best alone
    hop-search -q narrow --top 1 space.json <log | jq -e '.model == "a" and .optimizer == [{"_name": "lion"}] and .batch_size == 8'
}

@test "distributions: from the smallest to the largest good one and a step more, on their own axis" {
    cat >space.json <<'END'
{"u": {"type": "uniform", "low": 0, "high": 10}, "l": {"type": "loguniform", "low": 1e-5, "high": 1},
 "n": {"type": "lognearone", "low": 0.5, "high": 0.999}, "i": {"type": "int", "low": 1, "high": 100},
 "k": {"type": "logint", "low": 1, "high": 1024}, "q": {"type": "uniform", "low": 0, "high": 1, "q": 0.1}}
END
    # good: u 3 4 5 (step 1: 2 to 6); l 1e-3 1e-2 1e-2 (half a decade); n 0.9 0.95 0.975 (1 - n: 0.1 to
    # 0.025, a factor of 2); i 40 50 60 (30 to 70); k 16 32 64 (8 to 128); q 0.4 0.5 0.6 (0.3 to 0.7)
    { result c1 '"u":3,"l":0.001,"n":0.9,"i":40,"k":16,"q":0.4' 0.1
      result c2 '"u":4,"l":0.01,"n":0.95,"i":50,"k":32,"q":0.5' 0.2
      result c3 '"u":5,"l":0.01,"n":0.975,"i":60,"k":64,"q":0.6' 0.3
      result c4 '"u":9,"l":0.5,"n":0.6,"i":90,"k":1000,"q":0.9' 0.4; } >log
    hop-search -q narrow --top 3 space.json <log | tee narrow.json
    jq -e '.u == {"type": "uniform", "low": 2, "high": 6} and .i == {"type": "int", "low": 30, "high": 70} and
        .l == {"type": "loguniform", "low": 0.00031, "high": 0.032} and .k == {"type": "logint", "low": 8, "high": 128} and
        .n == {"type": "lognearone", "low": 0.8, "high": 0.988} and
        .q == {"type": "uniform", "low": 0.3, "high": 0.7, "q": 0.1}' narrow.json
    # one good config: a quarter of the axis on both sides, inside of the old bounds
    hop-search -q narrow --top 1 space.json <log | jq -e '.u == {"type": "uniform", "low": 0.5, "high": 5.5} and
        .i.low == 15 and .i.high == 65 and .q.low == 0.1'
    # never wider than a tenth when all agree, never outside
    { result c1 '"u":0,"l":1,"n":0.5,"i":100,"k":1,"q":1' 0.1; result c2 '"u":0,"l":1,"n":0.5,"i":100,"k":1,"q":1' 0.2; } >same
    hop-search -q narrow --top 2 space.json <same | tee out
    jq -e '.u == {"type": "uniform", "low": 0, "high": 0.5} and .l.high == 1 and .l.low > 0.5 and .n.low == 0.5 and
        .i.high == 100 and .i.low >= 94 and .k.low == 1 and .q.high == 1 and .q.low == 0.9' out
    # what every draw of the new space keeps to
    hop-search -q random -c 200 narrow.json </dev/null | jq -es 'all(.[]; .u >= 2 and .u <= 6 and .i >= 30 and .i <= 70 and .n <= 0.988)'
    # two digits of the width: 1.234 - 1.111 to 2.345 + 1.111
    echo '{"u": {"type": "uniform", "low": 0, "high": 10}}' >one.json
    { result c1 '"u":1.234' 0.1; result c2 '"u":2.345' 0.2; } | hop-search -q narrow --quantile 1 one.json | jq -e '.u.low == 0.1 and .u.high == 3.5'
    # all are good and fill the old range: as it was, to the letter
    echo '{"u": {"type": "uniform", "low": 0, "high": 1e1}}' >one.json
    { result c1 '"u":0' 0.1; result c2 '"u":10' 0.2; } | hop-search narrow --quantile 1 one.json 2>err | jq -e '. == {"u": {"type": "uniform", "low": 0, "high": 10}}'
    [ "$(wc -l <err)" -eq 2 ]
}

@test "who is good: a quarter, --quantile, --top; by any metric, without those that overfit" {
    echo '{"lr": [1, 2, 3, 4]}' >space.json
    for k in 1 2 3 4; do
        result c$k '"lr":'$k 0.$k
        echo '{"hop":"eval/1","id":"c'$k'","iteration":1,"split":"train","loss":0.'$((k == 1 ? 0 : k))',"examples":10}'
    done >log
    [ "$(hop-search -q narrow space.json <log)" = '{"lr":1}' ]
    [ "$(hop-search -q narrow --quantile 0.5 space.json <log)" = '{"lr":[1,2]}' ]
    [ "$(hop-search -q narrow --quantile 0.51 space.json <log)" = '{"lr":[1,2,3]}' ]
    [ "$(hop-search -q narrow --top 9 space.json <log)" = '{"lr":[1,2,3,4]}' ]
    [ "$(hop-search -q narrow --maximize --metric val.loss space.json <log)" = '{"lr":4}' ]
    [ "$(hop-search -q narrow --max-gap 0.05 space.json <log)" = '{"lr":2}' ]
    # configs of other spaces are passed over and counted; diverged ones are no evidence
    { cat log; result x1 '"lr":7' 0.01; echo '{"hop":"train/1","id":"c1","visit":2,"iteration":2,"status":"diverged"}'; } >more
    run --separate-stderr -0 bash -c 'hop-search narrow space.json <more'
    [ "$output" = '{"lr":2}' ]
    [[ $stderr == *"1 configs of the log are none of this space: passed over"* ]]
    run_err 1 'space.json: the log has no evaluated config of the space' hop-search narrow space.json </dev/null
    run_err 2 'SPACE is missing' hop-search narrow <log
    run_err 2 'top: contradicts --quantile' hop-search narrow --top 2 --quantile 0.5 space.json <log
    run_err 2 'iterations: is no option of narrow' hop-search narrow --iterations 2 space.json <log
    run_err 2 'quantile: .*out of range' hop-search narrow --quantile 0 space.json <log
    run_err 1 'stdout: cannot write' bash -c 'hop-search -q narrow space.json <log >/dev/full'
}

@test "second act: a run, its space narrowed, a search in it under other ids; old results stay" {
    tiny_data 2
    tiny_space
    go() { hop-run -q -o run --data data --workers 2 "$@"; }
    go grid --iterations 1 space.json >table
    cksum run/models/c*.safetensors >before
    hop-search -q narrow --top 2 space.json <run/log.jsonl >narrow.json
    n=$(hop-search -q grid narrow.json </dev/null | wc -l)
    [ "$n" -ge 1 ] && [ "$n" -lt 6 ]
    # the same folder, with the space of its own
    run_err 1 'run: was begun with another space' go grid --iterations 2 narrow.json
    run_err 2 'prefix: "a/b" is not letters' go grid --prefix a/b narrow.json
    go grid --prefix n --iterations 2 narrow.json >table2
    [ "$(wc -l <table2)" -eq $((7 + n)) ]
    cmp run/space-n.json narrow.json
    cmp run/space.json space.json
    # both searches of one log are over, each for itself; the first one's states are as they were
    [ -z "$(hop-search -q grid --prefix n --iterations 2 narrow.json <run/log.jsonl)" ]
    [ -z "$(hop-search -q grid --iterations 1 space.json <run/log.jsonl)" ]
    cksum run/models/c*.safetensors | diff before -
    run_err 1 'space-n.json; take a new run folder' go grid --prefix=n --iterations 2 space.json
}

@test "--evidence: tpe begins where the first search ended" {
    echo '{"lr": {"type": "loguniform", "low": 1e-5, "high": 1}, "m": ["a", "b"]}' >space.json
    hop-search -q random -c 40 space.json </dev/null >configs
    # good around 1e-2, with b
    jq -c '((.lr | log) - (0.01 | log)) as $d | {hop: "eval/1", id, iteration: 3, split: "val", loss: ($d * $d + (if .m == "a" then 5 else 0 end)), examples: 1}' configs >evals
    cat configs evals >log
    hop-search -q narrow --top 10 space.json <log >narrow.json
    tpe() { hop-search -q tpe --prefix n --num-configs 30 --parallel 30 "$@" </dev/stdin | jq -c '[.lr, .m]'; }
    # without, other ids are other searches, and the first ones are drawn at random; --seed says how
    tpe space.json <log >without
    tpe space.json </dev/null | cmp without -
    tpe --evidence space.json <log >with
    ! cmp -s with without || false
    near() { jq -s 'map(select(.[1] == "b" and .[0] > 0.001 and .[0] < 0.1)) | length' "$1"; }
    echo "near: $(near with) with, $(near without) without"
    [ "$(near with)" -ge 13 ]
    [ "$(near without)" -le 8 ]
    # the same log, the same answer; in the narrowed space those count that lie in it
    tpe --evidence space.json <log | cmp with -
    tpe --evidence narrow.json <log >narrowed
    jq -es 'length == 30 and all(.[]; .[1] == "b")' narrowed
    # what has fewer iterations counts by its last value; diverged ones as the worst; other spaces' not
    { cat log; echo '{"hop":"config/1","id":"x1","lr":7,"m":"b","seed":1,"until":1}'
      echo '{"hop":"eval/1","id":"x1","iteration":3,"split":"val","loss":-100,"examples":1}'; } >more
    tpe --evidence space.json <more | cmp with -
    tpe --evidence --iterations 50 space.json <log | cmp with -
    # of several evaluations, that at --iterations
    { cat log; jq -c '.iteration = 1 | .loss = -.loss' evals; } >two
    tpe --evidence --iterations 3 space.json <two | cmp with -
    ! tpe --evidence --iterations 1 space.json <two | cmp -s with - || false
    # results of its own count once
    hop-search -q tpe --num-configs 50 --parallel 5 --iterations 3 space.json <log >own
    hop-search -q tpe --num-configs 50 --parallel 5 --iterations 3 --evidence space.json <log | cmp own -
    [ "$(wc -l <own)" -eq 5 ]
    run_err 2 'evidence: is no option of asha .*tpe, bohb' hop-search asha --evidence space.json <log
    run_err 2 'evidence: is no option of random' hop-search random --evidence space.json <log
}

@test "--evidence: bohb proposes its first bracket, too, by what others had at its rungs" {
    echo '{"lr": {"type": "loguniform", "low": 1e-5, "high": 1}, "m": ["a", "b"]}' >space.json
    hop-search -q random -c 40 space.json </dev/null >configs
    jq -c '((.lr | log) - (0.01 | log)) as $d | {hop: "eval/1", id, iteration: 3, split: "val", loss: ($d * $d + (if .m == "a" then 5 else 0 end)), examples: 1}' configs >evals
    cat configs evals >log
    bohb() { hop-search -q bohb --prefix n -R 27 --seed 2 "$@" </dev/stdin | jq -c '[.lr, .m]'; }
    near() { jq -s 'map(select(.[1] == "b" and .[0] > 0.001 and .[0] < 0.1)) | length' "$1"; }
    bohb space.json <log >without
    bohb space.json </dev/null | cmp without -
    bohb --evidence space.json <log >with
    echo "near: $(near with) with, $(near without) without"
    [ "$(wc -l <with)" -eq 27 ]
    [ "$(near with)" -ge 12 ]
    [ "$(near without)" -le 8 ]
    # a third is drawn at random as before
    [ "$(sort with without | uniq -d | wc -l)" -ge 4 ]
    [ "$(sort with without | uniq -d | wc -l)" -le 15 ]
    # of those with 3 iterations nothing is known at the rungs of 9 and 27; with a better one there, it is
    { cat log; jq -c '.iteration = 9 | .loss = -.loss' evals; } >two
    ! bohb --evidence space.json <two | cmp -s with - || false
    # the same log, the same answer; without evidence in it, none
    bohb --evidence space.json <log | cmp with -
    head -3 configs >few
    bohb --evidence space.json <few | cmp without -
}
