# Tables from end to end: numbers to be predicted, two classes with one output, many classes of
# uneven size; losses, metrics and class weights on the way through all tools.
load lib
load tiny

# table N SEED: three features, a price and a size made of them, two classes, one of five uneven
# classes. The noise is small, so nets can learn all of it.
table()
{
    awk -v n="$1" -v seed="$2" '
        function u() { seed = (seed * 16807) % 2147483647; return seed / 2147483647 }
        BEGIN {
            print "a,b,c,price,size,sold,kind"
            for (i = 0; i < n; i++) {
                a = u(); b = u(); c = u()
                k = a < 0.5 ? "most" : a < 0.7 ? "some" : a < 0.85 ? "few" : a < 0.95 ? "rare" : "rarest"
                sold = (a + b + 0.2 * u() > 1.1) ? "yes" : "no"
                printf "%.5f,%.5f,%.5f,%.5f,%.5f,%s,%s\n", a, b, c, 3 * a - 2 * b + 0.1 * u(),
                    a * b + c, sold, k
            }
        }'
}

# net FILE UNITS ACTIVATION [INPUTS]
net()
{
    cat >"$1" <<JSON
{"class_name": "Sequential", "config": {"layers": [
  {"class_name": "Dense", "config": {"batch_input_shape": [null, ${4:-3}], "units": 16, "activation": "tanh"}},
  {"class_name": "Dense", "config": {"units": $2, "activation": "$3"}}]}}
JSON
}

# columns LIST: those of table.csv
columns() { cut -d, -f "$1" table.csv; }

local_setup() { table 600 11 >table.csv; }

@test "regression: table to shards, search, the best by val.mae, evaluation" {
    columns 1-5 >t.csv
    hop-shard -q -n 3 -o data --target price,size --val-fraction 0.2 t.csv >/dev/null
    hop-shard --check data | jq -e '.status == "ok" and .targets == 2 and (has("classes") | not)'
    jq -e '.targets == ["price","size"] and .splits.val.examples == 120' data/manifest.json
    net net.json 2 linear
    cat >space.json <<'JSON'
{"model": "./net.json", "optimizer": "adam", "lr": [0.02, 0.000001], "batch_size": 16, "passes": 5,
 "loss": [{"_name": "huber", "delta": [0.5]}, "mse"], "metrics": "mse"}
JSON
    hop-run -q -o run --data data --workers 2 --device ref grid --iterations 3 space.json >/dev/null
    hop-search select --metric val.mae <run/log.jsonl >ranks
    jq -es 'length == 4 and .[0].value < 0.1 and .[3].value > 0.5 and (map(.value) == (map(.value) | sort))
        and .[0].config.lr == 0.02 and .[2].config.lr == 0.000001' ranks
    # without accuracy, loss is what counts
    hop-search select <run/log.jsonl | jq -es '.[0].metric == "val.loss" and (map(.value) == (map(.value) | sort))'
    id=$(head -n 1 ranks | jq -r .id)
    hop-eval -d ref data/val-*.safetensors <"run/models/$id.safetensors" >whole
    jq -e '.mae > 0 and .mse > 0 and (has("accuracy") | not) and .status == "ok"' whole
    jq -es --slurpfile w whole --arg id "$id" 'map(select(.hop == "eval/1" and .id == $id and .iteration == 3
        and .shard == null)) | length == 1 and (.[0] | (.mae - $w[0].mae | fabs) < 1e-6
        and (.loss - $w[0].loss | fabs) < 1e-6 and .examples == 120)' run/log.jsonl
    # a training line has no accuracy, and other workers change no byte
    jq -es 'map(select(.hop == "train/1")) | length == 36 and all(has("accuracy") | not)' run/log.jsonl
    hop-run -q -o other --data data --workers 3 --device ref grid --iterations 3 space.json >/dev/null
    same_tensors run other
}

@test "cpu says what ref says: regression, one output, class weights" {
    hop-train --version | grep -q "no oneDNN" && skip "no device cpu"
    columns 1-4 >t.csv
    columns 1-3,6 >s.csv
    hop-shard -q -n 1 -o reg --target price t.csv >/dev/null
    hop-shard -q -n 1 -o two --label sold s.csv >/dev/null
    net reg.json 1 linear
    net two.json 1 sigmoid
    for d in ref cpu; do
        echo '{"id":"r","model":"./reg.json","loss":"mae","optimizer":"sgd","lr":0.05}' |
            hop-train -q -d $d --init --shard reg/train-000.safetensors | tee $d.r |
            hop-eval -d $d reg/train-000.safetensors
        echo '{"id":"t","model":"./two.json","loss":"bce","optimizer":"sgd","lr":0.05,"class_weight":"balanced"}' |
            hop-train -q -d $d --init --shard two/train-000.safetensors | tee $d.t |
            hop-eval -d $d --metrics precision two/train-000.safetensors
    done >evals
    jq -es 'length == 4 and (.[0].loss - .[2].loss | fabs) < 1e-5 and .[0].device != .[2].device
        and (.[1].loss - .[3].loss | fabs) < 1e-5 and (.[1].precision - .[3].precision | fabs) < 1e-3' evals
}

@test "two classes, one output: accuracy, precision, recall of parts are those of the whole" {
    columns 1-3,6 >t.csv
    hop-shard -q -n 2 -o data --label sold --val-fraction 0.25 --val-shards 3 t.csv >/dev/null
    net net.json 1 sigmoid
    echo '{"model": "./net.json", "optimizer": "adam", "lr": [0.02], "loss": "binary_crossentropy", "passes": 10,
        "label_smoothing": [0, 0.1], "metrics": "precision,recall"}' >space.json
    hop-run -q -o run --data data --workers 2 --device ref grid --iterations 2 space.json >/dev/null
    jq -es 'map(select(.hop == "eval/1" and .iteration == 2)) | (map(select(.shard)) | length == 6 and
        all(.counts.actual | length == 2)) and (map(select(.shard | not)) | length == 2 and
        all(.accuracy > 0.9 and (has("counts") | not)))' run/log.jsonl
    id=$(hop-search select --metric val.precision <run/log.jsonl | head -n 1 | jq -r .id)
    hop-eval -d ref --confusion data/val-*.safetensors <"run/models/$id.safetensors" >whole
    jq -es --slurpfile w whole --arg id "$id" '$w[1].matrix as $m | $w[1].classes == ["no","yes"]
        and ($w[0].precision - $m[1][1] / ($m[0][1] + $m[1][1]) | fabs) < 1e-6
        and ($w[0].recall - $m[1][1] / ($m[1][0] + $m[1][1]) | fabs) < 1e-6
        and (map(select(.hop == "eval/1" and .id == $id and .iteration == 2 and .shard == null))[0]
            | .precision == $w[0].precision and .recall == $w[0].recall
            and (.accuracy - $w[0].accuracy | fabs) < 1e-6)' run/log.jsonl
    # the bare numbers of a model file say the same as a config's own
    hop-eval -d ref --metrics mae data/val-*.safetensors <"run/models/$id.safetensors" |
        jq -e --slurpfile w whole '.mae > 0 and .precision == $w[0].precision'
}

@test "top_2 of five classes: a metric to select by" {
    columns 1-3,7 >t.csv
    hop-shard -q -n 2 -o data --label kind --val-fraction 0.25 t.csv >/dev/null
    net net.json 5 softmax
    echo '{"model": "./net.json", "optimizer": "adam", "lr": [0.01, 0.00001], "metrics": "top_2"}' >space.json
    hop-run -q -o run --data data --workers 2 --device ref grid --iterations 1 space.json >/dev/null
    hop-search select --metric val.top_2 <run/log.jsonl >ranks
    jq -es 'length == 2 and .[0].value > .[1].value and .[0].config.lr == 0.01' ranks
    jq -es 'map(select(.hop == "eval/1")) | length > 0 and all(.top_2 >= .accuracy)' run/log.jsonl
}

@test "class weights: the rarest class is found, evaluation does not weigh" {
    columns 1-3,7 >t.csv
    hop-shard -q -n 2 -o data --label kind --val-fraction 0.25 t.csv >/dev/null
    net net.json 5 softmax
    for w in none '"balanced"' '{"rarest":100}' '[0,0,0,0,0]'; do
        echo '{"id":"c","model":"./net.json","optimizer":"sgd","lr":0.01,"class_weight":'"$w"'}' |
            sed 's/,"class_weight":none//' | hop-train -q -d ref --init |
            hop-train -q -d ref --passes 10 --shard data/train-000.safetensors | tee m |
            hop-eval -d ref --confusion --metrics recall data/val-*.safetensors >out
        meta m history | jq -c '.[0]' >train
        jq -cs --slurpfile t train '[.[0].recall, .[0].loss, $t[0].loss, .[1].matrix[3][3], (.[1].matrix[3] | add)]' out
    done >rows
    cat rows
    jq -es '.[0][3] == 0 and .[2][3] == .[2][4] and .[2][4] > 0 and .[1][0] > .[0][0]
        and .[3][2] == 0 and .[3][1] > 0.5' rows
    # both shards agree on what balanced means: n / (K n_c) of the whole train split
    for i in 0 1; do
        tail -c +9 "data/train-00$i.safetensors" | head -c "$(od -An -tu8 -N8 "data/train-00$i.safetensors" | tr -d ' ')" |
            jq -c '.__metadata__["hop.per_class"]'
    done | sort -u >counts
    [ "$(wc -l <counts)" -eq 1 ]
    [ "$(jq -r 'fromjson | add' counts)" -eq "$(jq .splits.train.examples data/manifest.json)" ]
}

@test "--target: columns, quotes, and what is refused" {
    printf '"a,b",c,d\n1,2,3\n4,5,6\n7,8,9\n' >t.csv
    hop-shard -q -n 1 -o x --target a,b t.csv >/dev/null
    jq -e '.targets == ["a,b"] and .shape == [2]' x/manifest.json
    hop-shard -q -n 3 -o y --target 'd,c' t.csv >/dev/null
    jq -e '.targets == ["d","c"] and .shape == [1]' y/manifest.json
    run_err 2 '^hop-shard: --target: no column "e" in t.csv \(columns: a,b, c, d' hop-shard -o z --target c,e t.csv
    run_err 2 '^hop-shard: --target: names column "c" twice' hop-shard -o z --target c,c t.csv
    run_err 2 '^hop-shard: t.csv: --label and --target exclude one another' hop-shard -o z --label c --target d t.csv
    printf 'c,d\n1,2\n' >u.csv
    run_err 1 '^hop-shard: u.csv:1: no column besides the targets' hop-shard -o z --target c,d u.csv
    printf 'c,d\n1,x\n' >v.csv
    run_err 1 '^hop-shard: v.csv:2: column "d": "x" is not a finite number' hop-shard -o z --target d v.csv
    mkdir -p pics/a
    run_err 2 '^hop-shard: --target: goes with tables, not with pictures' hop-shard -o z --target d pics
    # a val table must have the same columns
    printf 'a,c,d\n1,2,3\n' >w.csv
    run_err 1 'the columns are not those of the train split' hop-shard -n 1 -o z --target d --val w.csv t.csv
}

@test "what does not fit is refused in one line" {
    columns 1-5 >t.csv
    hop-shard -q -n 1 -o reg --target price,size t.csv >/dev/null
    columns 1-3,7 >k.csv
    hop-shard -q -n 1 -o five --label kind k.csv >/dev/null
    net two.json 2 linear
    net five.json 5 softmax
    net one.json 1 sigmoid
    first() { hop-train -q -d ref --init --shard "$1/train-000.safetensors" <conf; }
    echo '{"id":"a","model":"./two.json","optimizer":"sgd"}' >conf
    run_err 1 'needs a softmax output, the net ends with Dense' first reg
    echo '{"id":"a","model":"./two.json","optimizer":"sgd","loss":"mse","class_weight":"balanced"}' >conf
    run_err 1 'class_weight needs classes' first reg
    run_err 1 'the data have 5 classes, net "sequential" has 2 outputs|the data have 5 classes' first five
    echo '{"id":"a","model":"./one.json","optimizer":"sgd","loss":"bce"}' >conf
    run_err 1 'the data have 2 targets, net ".*" has 1 outputs' first reg
    echo '{"id":"a","model":"./five.json","optimizer":"sgd","metrics":["top_x"]}' >conf
    run_err 1 'unknown metric "top_x"' first five
    echo '{"id":"a","model":"./five.json","optimizer":"sgd","class_weight":{"mots":2}}' >conf
    run_err 1 'the data have no class "mots"' first five
    echo '{"id":"a","model":"./two.json","optimizer":"sgd","loss":"mse"}' >conf
    first reg >m
    run_err 2 'metrics: unknown metric "f1"|--metrics: unknown metric "f1"' hop-eval -m m --metrics f1 reg/train-000.safetensors
    run_err 1 'metric recall needs classes' hop-eval -m m --metrics recall reg/train-000.safetensors
    run_err 2 '\-\-confusion: needs classes' hop-eval -m m --confusion reg/train-000.safetensors
}

@test "predict: rows of a table, columns by name, numbers or classes" {
    columns 1-5 >t.csv
    hop-shard -q -n 1 -o reg --target price,size t.csv >/dev/null
    columns 1-3,6 >s.csv
    hop-shard -q -n 1 -o two --label sold s.csv >/dev/null
    net reg.json 2 linear
    net two.json 1 linear
    echo '{"id":"r","model":"./reg.json","loss":"mse","optimizer":"adam","lr":0.02,"passes":20}' |
        hop-train -q -d ref --init --shard reg/train-000.safetensors >r
    echo '{"id":"t","model":"./two.json","loss":"bce","from_logits":true,"optimizer":"adam","lr":0.02,"passes":20}' |
        hop-train -q -d ref --init --shard two/train-000.safetensors >t
    # other columns, another order, no label: only the names count
    awk -F, -v OFS=, '{ print $3, "junk" NR, $2, $1 }' table.csv >new.csv
    sed -i '1s/junk1/junk/' new.csv
    hop-eval -d ref --predict new.csv <r >out
    sed 1d table.csv | jq -R 'split(",") | {price: (.[3] | tonumber), size: (.[4] | tonumber)}' | jq -s . >truth
    jq -es --slurpfile t truth --argjson want "$(hop-eval -d ref reg/train-000.safetensors <r | jq .mae)" '
        length == 600 and .[599].row == 600 and .[0].file == "new.csv" and all(has("top") | not) and
        ([range(600) as $i | (.[$i].values.price - $t[0][$i].price | fabs),
            (.[$i].values.size - $t[0][$i].size | fabs)] | add / 1200 - $want | fabs) < 1e-6' out
    hop-eval -d ref --predict --top 2 new.csv <t >out
    sed 1d table.csv | cut -d, -f6 | jq -R . | jq -s . >truth
    jq -es --slurpfile t truth --argjson want "$(hop-eval -d ref two/train-000.safetensors <t | jq .accuracy)" '
        length == 600 and all((.top[0].p + .top[1].p - 1 | fabs) < 1e-6 and .top[0].p >= .top[1].p) and
        ([range(600) as $i | select(.[$i].top[0].class == $t[0][$i])] | length / 600 - $want | fabs) < 1e-6' out
    cut -d, -f1,3 new.csv >less.csv
    run_err 1 '^hop-eval: less.csv: no column "a"' hop-eval -d ref --predict -m r less.csv
    printf 'a,b,c\n1,2,x\n' >bad.csv
    run_err 1 '^hop-eval: bad.csv:2: column "c": "x" is not a finite number' hop-eval -d ref --predict -m r bad.csv
    printf 'a,b,c\n' >none.csv
    [ -z "$(hop-eval -d ref --predict -m r none.csv)" ]
    run_err 1 '^hop-eval: out: is no table' hop-eval -d ref --predict -m r out
}
