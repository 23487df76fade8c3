# hop-eval: loss and accuracy, confusion, classes of pictures.
load lib

setup_file()
{
    local b=${HOP_BUILD:-$BATS_TEST_DIRNAME/../build} i
    cd "$BATS_FILE_TMPDIR"
    "$b/examples/shapes" -o pics -n 20 --size 16
    "$b/bin/hop-shard" -q -n 2 -o data --val pics/val pics/train >/dev/null
    cat >net.json <<'JSON'
{"class_name": "Sequential", "config": {"layers": [
  {"class_name": "Conv2D", "config": {"batch_input_shape": [null, 16, 16, 3], "filters": 8, "kernel_size": 3, "activation": "relu"}},
  {"class_name": "MaxPooling2D", "config": {}},
  {"class_name": "Flatten", "config": {}},
  {"class_name": "Dense", "config": {"units": 10, "activation": "softmax"}}]}}
JSON
    echo '{"id":"c1","model":"./net.json","optimizer":"adam","lr":0.003,"batch_size":16}' |
        "$b/bin/hop-train" --init >fresh
    cp fresh m
    for i in 0 1 0 1; do
        "$b/bin/hop-train" -q --device ref --shard "data/train-00$i.safetensors" <m >next
        mv next m
    done
}

local_setup()
{
    D=$BATS_FILE_TMPDIR
    export D
}

@test "one eval/1 line over all shards = the weighted mean of the parts" {
    hop-eval -d ref --shard "$D"/data/val-*.safetensors <"$D/m" >whole
    for s in "$D"/data/val-*.safetensors; do hop-eval -d ref --shard "$s" <"$D/m"; done >parts
    jq -e '.hop == "eval/1" and .id == "c1" and .iteration == 2 and .split == "val" and .loss > 0
        and .status == "ok" and (has("shard") | not)' whole
    jq -es '.[0].shard == "val-000" and .[1].shard == "val-001" and .[0].shards == 2' parts
    jq -es --slurpfile w whole '
        (map(.loss * .examples) | add) / (map(.examples) | add) - $w[0].loss | fabs < 1e-6' parts
    jq -es --slurpfile w whole '
        (map(.accuracy * .examples) | add) / (map(.examples) | add) - $w[0].accuracy | fabs < 1e-6' parts
}

@test "training helped: the trained model beats the fresh one on its data" {
    a=$(hop-eval -d ref "$D"/data/train-*.safetensors <"$D/fresh" | jq .loss)
    b=$(hop-eval -d ref "$D"/data/train-*.safetensors <"$D/m" | jq .loss)
    jq -en "$b < $a"
}

@test "the batch changes memory, not results" {
    a=$(hop-eval -d ref --batch 3 "$D"/data/val-*.safetensors <"$D/m" | jq -c '[.loss,.accuracy]')
    b=$(hop-eval -d ref --batch 128 "$D"/data/val-*.safetensors <"$D/m" | jq -c '[.loss,.accuracy]')
    [ "$a" = "$b" ]
}

@test "confusion: rows are true classes, the diagonal is the accuracy" {
    hop-eval -d ref --confusion "$D"/data/val-*.safetensors <"$D/m" >out
    jq -es '.[0].accuracy as $a | .[0].examples as $n | .[1] | .hop == "confusion/1"
        and (.matrix | length) == 10 and (.classes | length) == 10
        and (.matrix | map(add) | add) == $n
        and (([range(10) as $i | .matrix[$i][$i]] | add) / $n - $a | fabs) < 1e-6' out
}

@test "predict: three classes, p falling, from the model file alone" {
    mkdir elsewhere
    cp "$D"/pics/val/*/0000.png elsewhere/ 2>/dev/null || cp "$(ls "$D"/pics/val/*/* | head -n 1)" elsewhere/
    cp "$D/m" elsewhere/
    cd elsewhere
    f=$(ls ./*.png | head -n 1)
    hop-eval -d ref --predict --top 3 "$f" <m >out
    jq -e '.hop == "prediction/1" and (.top | length) == 3 and .top[0].p >= .top[1].p
        and .top[1].p >= .top[2].p and .top[0].p <= 1' out
    hop-eval -d ref -p -k 10 --model m "$f" | jq -e '(.top | map(.p) | add) - 1 | fabs < 1e-5'
    [ "$(hop-eval -d ref -p "$f" <m | jq '.top | length')" -eq 1 ]
}

@test "predict agrees with evaluation: hits over all val pictures = its accuracy" {
    total=0
    hits=0
    for class in "$D"/pics/val/*; do
        for f in "$class"/*; do set -- "$@" "$f"; done
    done
    hop-eval -d ref --predict "$@" <"$D/m" >out
    hits=$(jq -r '[(.file | split("/")[-2]), .top[0].class] | select(.[0] == .[1]) | .[0]' out | wc -l)
    hop-eval -d ref "$D"/data/val-*.safetensors <"$D/m" |
        jq -e --argjson h "$hits" '(.accuracy * .examples | round) == $h'
}

@test "bad input: one line, the right status" {
    run_err 2 "\-\-shard: is missing" bash -c 'hop-eval <"$D/m"'
    run_err 2 "\-\-predict: needs a picture" bash -c 'hop-eval --predict <"$D/m"'
    run_err 1 "nowhere.safetensors: cannot open" bash -c 'hop-eval nowhere.safetensors <"$D/m"'
    run_err 1 "no.png: cannot open" bash -c 'hop-eval -p no.png <"$D/m"'
    run_err 1 "the model has seen no data yet" bash -c 'hop-eval -p x.png <"$D/fresh"'
    run_err 2 "is of split \"train\", the one before of \"val\"" \
        bash -c 'hop-eval "$D"/data/val-000.safetensors "$D"/data/train-000.safetensors <"$D/m"'
    f=$(ls "$D"/pics/val/*/* | head -n 1)
    head -c 100 "$f" >cut.png
    run_err 1 "cut.png" bash -c 'hop-eval -p cut.png <"$D/m"'
    run_err 1 "stdout: cannot write" bash -c 'hop-eval -d ref "$D"/data/val-000.safetensors <"$D/m" >/dev/full'
}
