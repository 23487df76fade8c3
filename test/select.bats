# hop-search select: what of a log is good, by which rule, and why.
load lib
load tiny

# config ID MEMBERS: a config line
config()
{
    echo '{"hop":"config/1","id":"'"$1"'","model":"m",'"$2"',"seed":1,"until":2}'
}

# evaluation ID ITERATION SPLIT LOSS ACCURACY
evaluation()
{
    echo '{"hop":"eval/1","id":"'"$1"'","iteration":'"$2"',"split":"'"$3"'","loss":'"$4"',"accuracy":'"$5"',"examples":10,"wall_s":0.'"${6:-1}"',"status":"ok"}'
}

# visit ID VISIT ITERATION ACCURACY WALL_S [STATUS]
visit()
{
    echo '{"hop":"train/1","id":"'"$1"'","visit":'"$2"',"iteration":'"$3"',"shard":"train-000","accuracy":'"$4"',"loss":1,"examples":100,"wall_s":'"$5"',"status":"'"${6:-ok}"'"}'
}

# c0001 good and overfit, c0002 not quite as good and fit, c0003 worse and quick, c0004 worse and
# slow, c0005 diverged; c0006 has nothing yet
a_log()
{
    config c0001 '"optimizer":"adam","lr":0.1'
    config c0002 '"optimizer":"sgd","lr":0.1'
    config c0003 '"optimizer":"sgd","lr":0.2'
    config c0004 '"optimizer":"adam","lr":0.2'
    config c0005 '"optimizer":"lion","lr":0.2'
    config c0006 '"optimizer":"lion","lr":0.1'
    visit c0001 1 1 0.80 10; visit c0001 2 2 0.97 10
    visit c0002 1 1 0.60 5; visit c0002 2 2 0.80 5
    visit c0003 1 1 0.60 1; visit c0003 2 2 0.70 2
    visit c0004 1 1 0.60 8; visit c0004 2 2 0.70 8
    visit c0005 1 1 0.10 1 diverged
    evaluation c0001 1 train 0.5 0.85; evaluation c0001 1 val 0.5 0.84
    evaluation c0001 2 train 0.1 0.98; evaluation c0001 2 val 0.6 0.88
    evaluation c0002 2 train 0.4 0.86; evaluation c0002 2 val 0.5 0.85 5
    evaluation c0003 2 val 0.7 0.69 2
    evaluation c0004 2 val 0.8 0.68 3
}

ids() { jq -r .id | xargs; }

@test "--max-gap: a rule instead of an eye; what is left out is said" {
    a_log >log
    [ "$(hop-search select <log | jq -c '[.id,.gap]' | xargs)" = \
        '[c0001,0.1] [c0002,0.01] [c0003,0.01] [c0004,0.02] [c0006,null] [c0005,null]' ]
    run --separate-stderr -0 hop-search select --max-gap 0.05 <log
    [ "$(ids <<<"$output")" = "c0002 c0003 c0004" ]
    [ "$stderr" = "hop-search: select: left out for their gap: 1 above 0.05, 2 without one (or diverged)" ]
    # exactly the gap is within it; each config at its best state within it
    [ "$(hop-search select -q --max-gap 0.1 --top 1 <log | ids)" = c0001 ]
    [ "$(hop-search select -q --max-gap 0.05 --best <log | jq -c '[.id,.iteration,.value]' | head -n 2 | xargs)" = \
        '[c0002,2,0.85] [c0001,1,0.84]' ]
    { evaluation a 1 train 1 0.75; evaluation a 1 val 1 0.5; } >two
    [ "$(hop-search select -q --max-gap 0.25 <two | ids)" = a ]
    [ -z "$(hop-search select -q --max-gap 0.249 <two)" ]
    # of a loss, the gap is how much less it is on train
    [ "$(hop-search select -q --metric val.loss --max-gap 0.2 <log | jq -c '[.id,.gap]' | xargs)" = \
        '[c0002,0.1] [c0003,-0.3] [c0004,-0.2]' ]
}

@test "--gap-weight: worse by the weight times what is beyond" {
    a_log >log
    hop-search select -q --gap-weight 0.5 --max-gap 0.04 <log >out
    # c0001: 0.88 - 0.5 * (0.1 - 0.04) = 0.85, and the log's order decides; nothing is left out
    [ "$(jq -c '[.id,.value,.score]' out | xargs)" = \
        '[c0001,0.88,0.85] [c0002,0.85,0.85] [c0003,0.69,0.69] [c0004,0.68,0.68] [c0006,null,null] [c0005,null,null]' ]
    [ "$(hop-search select -q --gap-weight 1 <log | jq -r '[.id,.score] | join(" ")' | head -n 2 | xargs)" = "c0002 0.84 c0001 0.78" ]
}

@test "--pareto: who is beaten in value and cost at once is left out" {
    a_log >log
    run --separate-stderr -0 hop-search select --pareto <log
    [ "$(jq -c '[.id,.cost_of,.cost]' <<<"$output" | xargs)" = \
        '[c0001,wall_s,20] [c0002,wall_s,10] [c0003,wall_s,3]' ]
    [ "$stderr" = "hop-search: select: left out: 2 without a value or without wall_s" ]
    # the cost is that of getting there
    [ "$(hop-search select -q --pareto --best --metric val.loss <log | jq -c '[.id,.cost]' | xargs)" = \
        '[c0001,10] [c0003,3]' ]
    # visits: all have two but for the best; using it: seconds of its evaluation
    [ "$(hop-search select -q --pareto --cost visits <log | ids)" = c0001 ]
    [ "$(hop-search select -q --pareto --cost val.wall_s <log | jq -c '[.id,.cost]' | xargs)" = '[c0001,0.1]' ]
    [ "$(hop-search select -q --pareto --cost val.wall_s --metric val.loss <log | jq -c '[.id,.cost]' | xargs)" = '[c0002,0.5] [c0001,0.1]' ]
    [ -z "$(hop-search select -q --pareto --cost nix <log)" ]
    # equal in both: the log's first
    { evaluation a 1 val 0.5 0.5; evaluation b 1 val 0.5 0.5; visit a 1 1 0.5 2; visit b 1 1 0.5 2; } >ties
    [ "$(hop-search select -q --pareto <ties | ids)" = a ]
    # tables: the cost that is no column yet
    [ "$(hop-search select -q --table --pareto --cost examples <log | awk '{ print $NF, $(NF-2) }' | head -n 2 | xargs)" = \
        "seconds examples 20.0 200.000" ]
}

@test "--by: the best of each value, or the best K" {
    a_log >log
    [ "$(hop-search select --by optimizer <log | jq -c '[.id,.by,.group]' | xargs)" = \
        '[c0001,optimizer,adam] [c0002,optimizer,sgd] [c0006,optimizer,lion]' ]
    [ "$(hop-search select --by lr <log | jq -c '[.rank,.id,.group]' | xargs)" = '[1,c0001,0.1] [2,c0003,0.2]' ]
    [ "$(hop-search select --by lr --top 2 <log | ids)" = "c0001 c0002 c0003 c0004" ]
    [ "$(hop-search select --by nix <log | jq -c '[.id,.group]')" = '["c0001",null]' ]
    [ "$(hop-search select --by optimizer --max-gap 0.05 -q <log | ids)" = "c0002 c0004" ]
}

# repeats ID ACCURACY...: config ID, ID-2, ... of seeds 1, 2, ..., evaluated once
repeats()
{
    local id=$1 k=0 v name
    shift
    for v in "$@"; do
        k=$((k + 1))
        name=$id
        [ $k -eq 1 ] || name=$id-$k
        config "$name" '"lr":0.'"${id#c000}" | sed 's/"seed":1/"seed":'$k'/'
        evaluation "$name" 1 val 0.5 "$v"
        visit "$name" 1 1 0.9 1
    done
}

@test "repeats are one row: mean and standard error" {
    { repeats c0001 0.7 0.9 0.8; repeats c0002 0.82 0.82 0.81; repeats c0003 0.85; } >log
    hop-search select <log >out
    # deviation of .7 .9 .8 is .1, / sqrt(3)
    jq -es 'map(.id) == ["c0003", "c0002", "c0001"] and (.[2].value - 0.8 | fabs) < 1e-9 and
        (.[2].value_se - 0.0577350269 | fabs) < 1e-9 and .[2].repeats == ["c0001", "c0001-2", "c0001-3"] and
        .[2].train_s == 3 and .[2].visits == 3 and (.[0] | has("repeats") | not)' out
    hop-search select --table <log | tee table
    [ "$(awk '{ print $4, $5, $8 }' table | sed -n '2,$p' | xargs)" = "0.8500 - 1 0.8167 0.0033 3 0.8000 0.0577 3" ]
    [ "$(hop-search select --table --metric val.loss <log | awk 'NR == 2 { print $5, $6, $8 }')" = "0.5000 0.0000 3" ]
    # the order of lines does not matter, nor that a repeat comes first
    tac log | hop-search select | jq -c '[.id,.value]' | diff - <(jq -c '[.id,.value]' out)
    # at iterations that all have; one that diverged takes the others along
    { cat log; evaluation c0001 2 val 0.5 0.99; evaluation c0001-2 2 val 0.5 0.99; } >more
    [ "$(hop-search select <more | jq -c 'select(.id == "c0001") | [.iteration,.value]')" = "[1,0.8]" ]
    { cat log; visit c0002-3 2 2 null 1 diverged; } >more
    [ "$(hop-search select <more | jq -c 'select(.id == "c0002") | [.rank,.status]')" = '[3,"diverged"]' ]
    # a name that only looks like one, a config that is another's: rows of their own
    { repeats c0001 0.7; config c0001-2 '"lr":0.5'; evaluation c0001-2 1 val 0.5 0.6; config x-2 '"lr":0.1'; evaluation x-2 1 val 1 0.5; } >log
    [ "$(hop-search select <log | ids)" = "c0001 c0001-2 x-2" ]
}

@test "--importance: which parameter explains how much" {
    # accuracy = 0.5 + 0.2 (adam) + 0.1 (lr 0.2): variances 0.01 and 0.0025; decay idle
    n=0
    for o in sgd adam; do for lr in 0.1 0.2; do for d in 0 1e-6 1e-5 1e-4; do for m in a b c; do
        n=$((n + 1))
        id=$(printf 'c%04d' $n)
        config "$id" '"optimizer":"'$o'","lr":'$lr',"decay":'$d',"net":"'$m'"'"$([ $m = a ] || echo ',"rho":0.9')"
        evaluation "$id" 1 val 0.5 "$(awk -v o=$o -v lr=$lr 'BEGIN { print 0.5 + 0.2 * (o == "adam") + 0.1 * (lr == 0.2) }')"
    done; done; done; done >log
    run --separate-stderr -0 hop-search select --importance <log
    printf '%s\n' "$output" >out
    [ "$stderr" = "" ]
    cat out
    jq -es 'length == 5 and map(.hop == "importance/1" and .configs == 48 and .metric == "val.accuracy") == [true, true, true, true, true] and
        map(.key) == ["optimizer", "lr", "decay", "net", null] and .[4].interactions == true and
        (.[0].share - 0.8 | fabs) < 0.02 and (.[1].share - 0.2 | fabs) < 0.02 and .[2].share < 0.01 and
        .[0].best == "adam" and .[1].best == 0.2 and (.[0].best_mean - 0.75 | fabs) < 0.01 and
        (map(.share) | add | . - 1 | fabs) < 1e-6' out
    hop-search select --importance <log | cmp out -
    # less is better of the same numbers: other values are best, shares stay
    [ "$(hop-search select --importance --metric val.accuracy --minimize <log | jq -c '[.key,.best]' | head -n 2 | xargs)" = "[optimizer,sgd] [lr,0.1]" ]
    hop-search select --importance --table <log >table
    [ "$(awk '{ print $3, $5 }' table | head -n 3 | xargs)" = "parameter best optimizer adam lr 0.2" ]
    [ "$(tail -n 1 table | xargs)" = "0.000 0.000 (several together) - - -" ]
    # who lacks the parameter has its most frequent value
    for k in 1 2 3 4 5 6 7 8 9; do
        config c000$k '"n":1'"$(case $k in [123]) echo ',"m":0.9' ;; 4) echo ',"m":0.1' ;; esac)"
        evaluation c000$k 1 val 1 0.$(case $k in 4) echo 9 ;; *) echo 5 ;; esac)
    done >log
    hop-search select --importance <log | jq -es '.[0].best == 0.1 and .[0].best_mean > 0.75 and .[0].values == 2'
    # a diverged config counts as the worst
    { config c0001 '"lr":1'; config c0002 '"lr":2'; config c0003 '"lr":3'; evaluation c0001 1 val 1 0.5
      evaluation c0002 1 val 1 0.6; visit c0003 1 1 null 1 diverged; } >log
    hop-search select --importance <log | jq -es '.[0].key == "lr" and .[0].configs == 3 and .[0].best == 2'
    run --separate-stderr -0 hop-search select --importance </dev/null
    [[ $stderr == *"nothing to explain: 0 configs"* && -z $output ]]
}

@test "different losses are not compared in silence" {
    log() # MEMBERS MEMBERS MORE: two configs, evaluated on targets
    {
        config c0001 "$1"
        config c0002 "$2"
        for k in 1 2; do
            echo '{"hop":"eval/1","id":"c000'$k'","iteration":1,"split":"val","loss":0.'$k$3',"examples":10,"status":"ok"}'
        done
    }
    log '"loss":"mae"' '"loss":"mse"' ',"mae":0.1' >two
    run --separate-stderr -0 hop-search select <two
    [ "$stderr" = "hop-search: select: the configs have different losses, which do not compare (try --metric val.mae)" ]
    run --separate-stderr -0 hop-search select --metric val.mae <two
    [ -z "$stderr" ]
    log '"loss":"huber","delta":1.0' '"loss":"huber","delta":2.0' >two
    run --separate-stderr -0 hop-search select <two
    [[ $stderr == *"different losses, which do not compare (a metric would"* ]]
    log '"loss":"mse","lr":1' '"loss":"mse","lr":2' ',"mae":0.1' >two
    run --separate-stderr -0 hop-search select <two
    [ -z "$stderr" ]
    # accuracy is the default where there is one; only who asks for loss is told
    a_log | sed 's/"id":"c0001","model":"m",/&"loss":"kld",/' >log
    run --separate-stderr -0 hop-search select <log
    [ -z "$stderr" ]
    run --separate-stderr -0 hop-search select --metric val.loss <log
    [[ $stderr == *"(try --metric val.accuracy)"* ]]
    # methods that go by it say so, too
    echo '{"model":"m","loss":["mae","mse"]}' >space.json
    log '"loss":"mae"' '"loss":"mse"' ',"mae":0.1' | sed 's/"until":2/"until":1/' >two
    run --separate-stderr -0 hop-search asha -R 3 space.json <two
    [[ $stderr == *"asha: the configs have different losses, which do not compare (try --metric val.mae"* ]]
    run --separate-stderr -0 hop-search asha -R 3 --metric val.mae space.json <two
    [[ $stderr != *"different losses"* ]]
    run --separate-stderr -0 hop-search grid space.json <two
    [[ $stderr != *"different losses"* ]]
    # tables of targets show no accuracy, and the metric
    log '"loss":"mae"' '"loss":"mse"' ',"mae":0.125' >two
    hop-search select -q --metric val.mae --table <two >table
    [ "$(head -n 2 table | xargs)" = "rank id loss val.mae val loss iter seconds 1 c0001 mae 0.1250 0.1000 1 0.0" ]
}

@test "--configs: the best go on from where they are" {
    tiny_data 2
    tiny_space
    hop-run -q -o run --data data --workers 2 grid --iterations 1 space.json >table
    best=$(awk 'NR == 2 { print $2 }' table)
    hop-search select --top 1 --configs --iterations 3 <run/log.jsonl >more.jsonl
    [ "$(jq -c '[.hop,.id,.until]' more.jsonl)" = '["config/1","'"$best"'",3]' ]
    hop-schedule -q --run run --data data --workers 2 --as json <more.jsonl >plan.jsonl
    [ "$(jq -r 'select(.hop == "visit/1" and .task == null) | "\(.id) \(.visit)"' plan.jsonl | sort | xargs)" = \
        "$best 3 $best 4 $best 5 $best 6" ]
    hop-schedule -q --run run --data data --workers 2 --as sh <more.jsonl >more.sh
    sh more.sh
    hop-search select <run/log.jsonl | jq -es 'map(.iteration) | sort == [1, 1, 1, 1, 1, 3]'
    # without --iterations: as they were asked for
    [ "$(hop-search select --top 1 --configs <run/log.jsonl | jq .until)" = 3 ]
}

@test "usage, full disk" {
    a_log >log
    run_err 2 'best: contradicts --of' hop-search select --best --of mean <log
    run_err 2 'cost: needs --pareto' hop-search select --cost visits <log
    run_err 2 'iterations: needs --configs' hop-search select --iterations 3 <log
    run_err 2 'importance: is about all configs' hop-search select --importance --top 3 <log
    run_err 2 'table: contradicts --configs' hop-search select --table --configs <log
    run_err 2 'by: is no option of grid' hop-search grid --by lr x.json <log
    run_err 1 'evaluations on val have no "f1"' hop-search select --metric val.f1 <log
    run_err 2 'unexpected operand' hop-search select space.json <log
    for o in --importance --configs --pareto; do
        run -1 --separate-stderr bash -c 'hop-search select -q '$o' <log >/dev/full'
        [[ $stderr == *"stdout: cannot write"* ]]
    done
}

@test "--of: last, best, means of evaluations" {
    { evaluation c0001 1 val 1 0.5; evaluation c0001 2 val 1 0.9; evaluation c0001 3 val 1 0.7; } >log
    [ "$(hop-search select <log | jq -c '[.iteration,.value]')" = "[3,0.7]" ]
    [ "$(hop-search select --of best <log | jq -c '[.iteration,.value]')" = "[3,0.9]" ]
    [ "$(hop-search select --best <log | jq -c '[.iteration,.value]')" = "[2,0.9]" ]
    [ "$(hop-search select --of mean:2 <log | jq -c '[.iteration,.value]')" = "[3,0.8]" ]
    [ "$(hop-search select --of mean <log | jq -c '[.iteration,.value]')" = "[3,0.7]" ]
    # null is no number: the last that is one
    { cat log; evaluation c0001 4 val 1 null; } >more
    [ "$(hop-search select <more | jq -c '[.iteration,.value]')" = "[3,0.7]" ]
}
