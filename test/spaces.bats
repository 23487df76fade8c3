# spaces: every form, errors that name the path, those of other programs.
load lib
load tiny

# config SPACE_JSON [OPTIONS]: the first config, without what hop-search adds
config()
{
    echo "$1" >s.json
    shift
    hop-search -q random -c 1 "$@" s.json </dev/null | jq -c 'del(.hop, .id, .seed, .until)'
}

# refused PATTERN SPACE_JSON
refused()
{
    echo "$2" >s.json
    run_err 1 "$1" hop-search random s.json </dev/null
}

# import FORMAT TEXT: what becomes of it; and the same is found out without its name
import()
{
    echo "$2" >other.json
    hop-search import "$1" other.json >ours.json || return
    hop-search -q random -c 5 other.json </dev/null >a
    hop-search -q random -c 5 ours.json </dev/null | cmp - a || return
    cat ours.json
}

# no PATTERN FORMAT TEXT
no()
{
    echo "$3" >other.json
    run_err 1 "$1" hop-search import "$2" other.json
}

@test "any program can be searched: no key is needed" {
    [ "$(config '{"depth":[3],"name":"a \"b\"","on":true,"list":{"type":"choice","values":[[1,2]]}}')" = \
        '{"depth":3,"name":"a \"b\"","on":true,"list":[1,2]}' ]
    [ "$(config '{}')" = '{}' ]
    # a model that is no net is the program's own business; a net is checked
    [ "$(config '{"model":"svm","optimizer":7}')" = '{"model":"svm","optimizer":7}' ]
    refused 's.json: c0001: "optimizer" is a whole number' '{"model":"mlp","optimizer":7}'
}

@test "errors name the path" {
    refused '^hop-search: s.json: opt\[1\].lr: low 0.1 > high 0.01$' \
        '{"opt":[{"_name":"a"},{"_name":"b","lr":{"type":"uniform","low":0.1,"high":0.01}}]}'
    refused 's.json: a\[0\].b\[1\].c\[0\].d: low 1 = high 1 \(a constant' \
        '{"a":[{"_name":1,"b":[2,{"_name":3,"c":[{"_name":4,"d":{"type":"int","low":1,"high":1}}]}]}]}'
    refused 's.json: x: q 5 is not between 0 and high - low' '{"x":{"type":"uniform","low":0,"high":1,"q":5}}'
    refused 's.json: x: q -1 is not between' '{"x":{"type":"int","low":0,"high":9,"q":-1}}'
    refused 's.json: x: bounds and q are not whole' '{"x":{"type":"int","low":0,"high":9,"q":0.5}}'
    refused 's.json: x: bounds and q are not whole' '{"x":{"type":"logint","low":1.5,"high":9}}'
    refused 's.json: x: low 0 is not above 0' '{"x":{"type":"logint","low":0,"high":9}}'
    refused 's.json: x: "weights" should be a list of 2' '{"x":{"type":"choice","values":[1,2],"weights":[1]}}'
    refused 's.json: x: "weights"\[1\] is not a number above 0' '{"x":{"type":"choice","values":[1,2],"weights":[1,0]}}'
    refused 's.json: x: "weights"\[0\] is not a number above 0' '{"x":{"type":"choice","values":[1,2],"weights":["a",1]}}'
    refused 's.json: x: unknown key "weights"' '{"x":{"type":"int","low":1,"high":2,"weights":[1]}}'
}

@test "grid takes steps for lists" {
    echo '{"a":{"type":"int","low":1,"high":9,"q":4},"b":{"type":"uniform","low":0.1,"high":0.35,"q":0.1}}' >s.json
    [ "$(hop-search -q grid s.json </dev/null | jq -c '[.a,.b]' | xargs)" = "[1,0.1] [1,0.2] [1,0.3] [5,0.1] [5,0.2] [5,0.3] [9,0.1] [9,0.2] [9,0.3]" ]
    echo '{"a":{"type":"int","low":1,"high":9999},"b":{"type":"int","low":1,"high":9999}}' >s.json
    run_err 1 's.json: 99980001 configs are more than 1000000' hop-search grid s.json </dev/null
}

@test "import: MADlib, in Python or JSON" {
    want='{"loss":"categorical_crossentropy","optimizer":{"type":"choice","values":[{"_name":"sgd","lr":{"type":"loguniform","low":0.0001,"high":0.001},"momentum":{"type":"lognearone","low":0.95,"high":0.99}},{"_name":"adagrad","lr":{"type":"loguniform","low":0.0001,"high":0.001},"momentum":{"type":"lognearone","low":0.95,"high":0.99}},{"_name":"adam","lr":{"type":"uniform","low":0.01,"high":0.1},"decay":1e-6}],"weights":[0.5,0.5,1.0]},"batch_size":[32,64],"passes":5}'
    got=$(import madlib "\$\$ {'loss': ['categorical_crossentropy'],  # one
  'optimizer_params_list': [{'optimizer': ['SGD', 'Adagrad'], 'lr': [0.0001, 0.001, 'log'], 'momentum': [0.95, 0.99, 'log_near_one']},
                            {'optimizer': ['Adam'], 'lr': [.01, 0.1, 'linear'], 'decay': (1e-6,)}],
  'metrics': ['accuracy']} \$\$,
\$\$ {'batch_size': [32, 64], 'epochs': [5], 'verbose': 0,} \$\$")
    [ "$got" = "$want" ] || { echo "$got"; false; }
    [ "$(import madlib '{"model":["mlp","lenet5"],"compile_params_grid":{"loss":["mse"],"optimizer_params_list":[{"optimizer":["RMSprop"],"learning_rate":[0.001,0.01]}]},"fit_params_grid":{"batch_size":[8],"epochs":[1,2]}}')" = \
        '{"model":["mlp","lenet5"],"loss":"mse","optimizer":[{"_name":"rmsprop","lr":[0.001,0.01]}],"batch_size":8,"passes":[1,2]}' ]
    no 'other.json: optimizer_params_list\[0\].lr: low 0.1 > high 0.01' madlib "{'optimizer_params_list':[{'optimizer':['SGD'],'lr':[0.1,0.01,'log']}]}"
    no 'other.json: optimizer_params_list\[0\].lr: "logg" makes no distribution' madlib "{'optimizer_params_list':[{'optimizer':['SGD'],'lr':[0.1,0.01,'logg']}]}"
    no 'other.json: model_ids: numbers of a model table' madlib '{"model_ids":[1,2],"compile_params_grid":{}}'
    no 'other.json@5: ":" is missing' madlib "{'a' 1}"
    no 'other.json@[0-9]+: a string ends with its line' madlib "{'a': 'b}"
    no 'other.json@[0-9]+: this is no value' madlib "{'a': sgd}"
}

@test "import: NNI" {
    [ "$(import nni '{"lr":{"_type":"loguniform","_value":[0.0001,0.1]},"b":{"_type":"randint","_value":[1,8]},"q":{"_type":"quniform","_value":[16,130,16]},"r":{"_type":"qloguniform","_value":[0.05,1,0.1]},"layer":{"_type":"choice","_value":[{"_name":"conv","k":{"_type":"choice","_value":[3,5]}},{"_name":"pool","size":{"_type":"uniform","_value":[0,1]}},"none"]},"one":{"_type":"choice","_value":[7]}}')" = \
        '{"lr":{"type":"loguniform","low":0.0001,"high":0.1},"b":{"type":"int","low":1,"high":7},"q":{"type":"int","low":16,"high":128,"q":16},"r":{"type":"loguniform","low":0.1,"high":1.0,"q":0.1},"layer":[{"_name":"conv","k":[3,5]},{"_name":"pool","size":{"type":"uniform","low":0.0,"high":1.0}},"none"],"one":7}' ]
    no 'other.json: o\[1\].x: "normal" has no counterpart' nni '{"o":{"_type":"choice","_value":[1,{"_name":2,"x":{"_type":"normal","_value":[0,1]}}]}}'
    no 'other.json: x: low 3 > high 1' nni '{"x":{"_type":"uniform","_value":[3,1]}}'
    no 'other.json: x: there is no number from 3 to below 3' nni '{"x":{"_type":"randint","_value":[3,3]}}'
    no 'other.json: x: "_value" should be a list of 3 numbers' nni '{"x":{"_type":"quniform","_value":[3,1]}}'
    no 'other.json: x: there is no multiple' nni '{"x":{"_type":"quniform","_value":[11,12,10]}}'
}

@test "import: Optuna, long and short" {
    want='{"lr":{"type":"loguniform","low":1e-5,"high":0.1},"n":{"type":"int","low":1,"high":9,"q":2},"m":["a",null,1],"d":{"type":"uniform","low":0.0,"high":1.0,"q":0.25},"u":{"type":"logint","low":8,"high":64}}'
    [ "$(import optuna '{"lr":{"name":"FloatDistribution","attributes":{"low":1e-5,"high":0.1,"log":true,"step":null}},"n":{"name":"IntDistribution","attributes":{"low":1,"high":9,"log":false,"step":2}},"m":{"name":"CategoricalDistribution","attributes":{"choices":["a",null,1]}},"d":{"name":"DiscreteUniformDistribution","attributes":{"low":0,"high":1,"q":0.25}},"u":{"name":"IntLogUniformDistribution","attributes":{"low":8,"high":64}}}')" = "$want" ]
    [ "$(import optuna '{"lr":{"type":"float","low":1e-5,"high":0.1,"log":true},"n":{"type":"int","low":1,"high":9,"step":2},"m":{"type":"categorical","choices":["a",null,1]},"d":{"type":"float","low":0,"high":1,"step":0.25},"u":{"type":"int","low":8,"high":64,"log":true}}')" = "$want" ]
    no 'other.json: lr: "step" and "log" exclude' optuna '{"lr":{"type":"float","low":1,"high":2,"log":true,"step":0.1}}'
    no 'other.json: lr: low 3 > high 2' optuna '{"lr":{"type":"float","low":3,"high":2}}'
    no 'other.json: lr: "gamma" is no distribution' optuna '{"lr":{"type":"gamma","low":3,"high":2}}'
}

@test "import: Weights & Biases" {
    [ "$(import wandb '{"method":"bayes","metric":{"name":"loss"},"parameters":{"lr":{"distribution":"log_uniform","min":-9.210340372,"max":-2.302585093},"lr2":{"distribution":"log_uniform_values","min":1e-4,"max":0.1},"bs":{"values":[32,64],"probabilities":[0.25,0.75]},"e":{"value":5},"x":{"min":0,"max":3},"y":{"min":0.0,"max":3},"opt":{"parameters":{"mom":{"min":0.5,"max":0.9},"z":{"distribution":"q_uniform","min":0.1,"max":1.05,"q":0.1}}}}}')" = \
        '{"lr":{"type":"loguniform","low":0.0001,"high":0.1},"lr2":{"type":"loguniform","low":0.0001,"high":0.1},"bs":{"type":"choice","values":[32,64],"weights":[0.25,0.75]},"e":5,"x":{"type":"int","low":0,"high":3},"y":{"type":"uniform","low":0.0,"high":3.0},"opt.mom":{"type":"uniform","low":0.5,"high":0.9},"opt.z":{"type":"uniform","low":0.1,"high":1.0,"q":0.1}}' ]
    no 'other.json: parameters.x: "normal" has no counterpart' wandb '{"parameters":{"x":{"distribution":"normal","mu":0,"sigma":1}}}'
    no 'other.json: parameters.o.x: "min" is missing' wandb '{"parameters":{"o":{"parameters":{"x":{"distribution":"uniform","max":1}}}}}'
    no 'other.json: parameters.x: this is a whole number' wandb '{"parameters":{"x":3}}'
}

@test "import: usage; ours is nobody's" {
    run_err 2 'FORMAT is missing' hop-search import
    run_err 2 'FILE is missing' hop-search import nni
    run_err 2 'unknown format "hydra" \(known: madlib, nni, optuna, wandb\)' hop-search import hydra s.json
    run_err 2 'seed: is no option of import' hop-search import --seed 3 nni s.json
    run_err 1 'nix.json: cannot open' hop-search import nni nix.json
    # a dimension of ours may be called so
    [ "$(config '{"parameters":{"type":"choice","values":[4]}}')" = '{"parameters":4}' ]
    [ "$(config '{"n":{"type":"int","low":1,"high":2}}' --seed 7 | jq '.n | . == 1 or . == 2')" = true ]
}

@test "import: no file, however broken, makes it crash" {
    printf '%s' "\$\$ {'loss': ['mse'], 'optimizer_params_list': [{'optimizer': ['SGD', 'Adam'], 'lr': [0.0001, 0.001, 'log']}], 'metrics': [['accuracy']], 'batch_size': [(8), 16], 'x': True} \$\$" >m
    printf '%s' '{"a":{"_type":"choice","_value":[{"_name":"b","k":{"_type":"quniform","_value":[3,5,1]}},1]}}' >n
    printf '%s' '{"a":{"name":"FloatDistribution","attributes":{"low":1,"high":2,"step":0.5}},"b":{"type":"int","low":1,"high":9,"log":true}}' >o
    printf '%s' '{"parameters":{"a":{"distribution":"q_uniform","min":1,"max":4,"q":2},"b":{"parameters":{"c":{"values":[1,2]}}}}}' >w
    for f in "madlib m" "nni n" "optuna o" "wandb w"; do
        set -- $f
        hop-search import "$1" "$2" >/dev/null
        for ((i = 0; i < $(stat -c %s "$2"); i += 3)); do
            head -c $i "$2" >cut
            status=0
            hop-search -q import "$1" cut >/dev/null 2>err || status=$?
            [ $status -le 1 ] || { cat err; return 1; }
            { head -c $i "$2"; printf '['; tail -c +$((i + 2)) "$2"; } >cut
            status=0
            hop-search -q import "$1" cut >/dev/null 2>err || status=$?
            [ $status -le 1 ] || { cat err; return 1; }
        done
    done
}

# asked METHOD: 0 or one line that names s.json; what is printed has only numbers that are finite
asked()
{
    local status=0
    hop-search -q "$@" s.json </dev/null >out 2>err || status=$?
    if [ $status -eq 1 ]; then
        [ "$(wc -l <err)" -eq 1 ] && grep -q '^hop-search: s.json' err && [ "$(wc -c <err)" -lt 700 ]
    else
        [ $status -eq 0 ] && jq -es 'all(.[]; (has("lr") | not) or .lr != null)' out >/dev/null
    fi || { echo "$* $status:"; head -c 300 s.json; head -c 900 err; return 1; }
}

@test "no space, however broken, makes it crash; one line says where" {
    space='{"lr":{"type":"loguniform","low":1e-4,"high":0.1},"o":[{"_name":"s","z":{"type":"int","low":1,"high":9,"q":2}},{"_name":"a","b":[{"_name":1,"c":[1,2]},3]}],"u":{"type":"choice","values":[1,"a",null],"weights":[1,2,3]}}'
    tokens=('NaN' '-1' '1e308' '1e999' '1e-320' '""' '[]' '{}' '[[[]]]' '9223372036854775807' '{"type":7}' '{"_name":{}}')
    for ((i = 0; i < ${#space}; i += 3)); do
        printf '%s' "${space:0:i}" >s.json
        asked random -c 3
        printf '%s' "${space:0:i}${tokens[i % 11]}${space:i + 1}" >s.json
        asked random -c 3
    done
    # each number or word of it by something else
    n=$(printf '%s' "$space" | grep -oE '[0-9][0-9.e-]*|"[a-z_]*"' | wc -l)
    for ((i = 1; i <= n; i++)); do
        printf '%s' "$space" | awk -v at=$i -v with="${tokens[i % 12]}" '{
            while (match($0, /[0-9][0-9.e-]*|"[a-z_]*"/)) {
                out = out substr($0, 1, RSTART - 1) (++k == at ? with : substr($0, RSTART, RLENGTH))
                $0 = substr($0, RSTART + RLENGTH)
            }
            print out $0 }' >s.json
        asked random -c 3
        asked tpe
    done
}

@test "deep, long and extreme spaces" {
    for deep in '[' '{"a":' '{"a":[{"_name":"x","a":'; do
        for ((i = 0, n = 20000; i < n; i++)); do printf '%s' "$deep"; done >s.json
        asked random
    done
    # nested as deeply as JSON is read
    { for ((i = 0; i < 400; i++)); do printf '{"_name":"x","a":['; done; printf 1; for ((i = 0; i < 400; i++)); do printf ']}'; done; } | sed 's/^/{"lr":1,"a":[/; s/$/]}/' >s.json
    asked random
    awk 'BEGIN { printf "{\"lr\":1,\"a\":["; for (i = 0; i < 200000; i++) printf "%d,", i; print "7]}" }' >s.json
    asked random -c 3
    run_err 1 's.json: .*sobol|s.json: ' bash -c 'awk "BEGIN { printf \"{\"; for (i = 0; i < 300; i++) printf \"%s\\\"k%d\\\":[1,2]\", i ? \",\" : \"\", i; print \"}\" }" >s.json; hop-search -q sobol s.json </dev/null'
    for d in '"int","low":-9e18,"high":9e18' '"uniform","low":-1.7e308,"high":1.7e308' '"uniform","low":0,"high":1,"q":1e-300' \
        '"loguniform","low":5e-324,"high":1.7e308' '"logint","low":1,"high":9223372036854775807' '"lognearone","low":0,"high":0.9999999999999999'; do
        echo '{"lr":1,"a":{"type":'"$d"'}}' >s.json
        for m in random grid sobol tpe pbt; do asked $m; done
    done
}
