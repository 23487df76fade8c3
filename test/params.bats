# params: nets with open places, filled from configs.
load lib
load tiny

local_setup()
{
    cat >net.json <<'JSON'
{"class_name": "Sequential", "config": {"name": "open", "layers": [
  {"class_name": "InputLayer", "config": {"batch_input_shape": [null, 3]}},
  {"$repeat": {"$param": "depth"}, "layers": [
    {"class_name": "Dense", "config": {"name": "body", "units": {"$param": "width"}, "activation": {"$param": "activation", "default": "relu"}}},
    {"class_name": "Dropout", "config": {"rate": {"$param": "dropout", "default": 0.1}}}]},
  {"class_name": "Dense", "config": {"units": {"$param": "width", "times": 2}}},
  {"class_name": "Dense", "config": {"units": 3, "activation": "softmax"}}]}}
JSON
}

# init MEMBERS [NET]: a fresh model
init()
{
    echo '{"hop":"config/1","id":"a","model":"'"${2:-./net.json}"'","optimizer":"sgd","lr":0.1'"$1"'}' | hop-train --init
}

# layers FILE: class, units or rate, activation
layers()
{
    meta "$1" architecture | jq -r '.config.layers[] | [.class_name, .config.name, .config.units // .config.rate, .config.activation] | map(select(. != null)) | join(":")' | xargs
}

# refused PATTERN MEMBERS
refused()
{
    echo '{"hop":"config/1","id":"a","model":"./net.json","optimizer":"sgd","lr":0.1'"$2"'}' >c
    run_err 1 "$1" bash -c 'hop-train --init <c >/dev/null'
}

@test "width, depth, dropout, activation: the model file has the filled net, its config the parameters" {
    init ',"depth":2,"width":5' >m
    [ "$(layers m)" = "InputLayer Dense:body_1:5:relu Dropout:0.1 Dense:body_2:5:relu Dropout:0.1 Dense:10 Dense:3:softmax" ]
    [ "$(meta m config | jq -c '[.depth, .width]')" = "[2,5]" ]
    init ',"depth":1,"width":7,"activation":"tanh","dropout":0.5' >m
    [ "$(layers m)" = "InputLayer Dense:body_1:7:tanh Dropout:0.5 Dense:14 Dense:3:softmax" ]
    init ',"depth":0,"width":4' >m
    [ "$(layers m)" = "InputLayer Dense:8 Dense:3:softmax" ]
    init ',"depth":true,"width":4' >m
    [ "$(layers m)" = "InputLayer Dense:body_1:4:relu Dropout:0.1 Dense:8 Dense:3:softmax" ]
}

@test "a net without places is what it was, byte for byte" {
    tiny_net
    init '' >m
    [ "$(meta m architecture)" = "$(jq -c . net.json)" ]
    init ',"depth":2,"width":512' mlp-any >any
    init '' mlp >mlp
    [ "$(hop-train --dry-run --device ref <any | head -n 1 | grep -o '[0-9]* parameters')" = "$(hop-train --dry-run --device ref <mlp | head -n 1 | grep -o '[0-9]* parameters')" ]
    init '' mlp-any >any
    [ "$(layers any)" = "InputLayer:input_1 Flatten:flatten Dense:dense_1:512:relu Dropout:dropout_1:0.2 Dense:dense_2:512:relu Dropout:dropout_2:0.2 Dense:top:10:softmax" ]
}

@test "places that cannot be filled: one line, the path in it" {
    refused './net.json: config.layers\[1\].layers\[0\].config.units: the config has no "width"' ',"depth":1'
    refused './net.json: config.layers\[1\].\$repeat: the config has no "depth"' ',"width":1'
    refused 'config.layers\[1\]: "\$repeat" should be a whole number' ',"depth":-1,"width":1'
    refused 'config.layers\[1\]: "\$repeat" should be a whole number' ',"depth":1.5,"width":1'
    refused 'config.layers\[1\]: "\$repeat" should be a whole number' ',"depth":"a","width":1'
    refused 'config.layers\[2\].config.units: "width" and "times" should be numbers' ',"depth":0,"width":"a"'
    refused 'units' ',"depth":1,"width":0.5'
    echo '{"class_name":"Sequential","config":{"layers":[{"$repeat":2}]}}' >net.json
    refused 'config.layers\[0\]: "layers" should be a list' ''
    echo '{"class_name":"Sequential","config":{"$repeat":2,"layers":[]}}' >net.json
    refused 'net.json: config: "\$repeat" belongs into a list' ''
    echo '{"class_name":"Sequential","config":{"layers":[{"$param":"x","dflt":1}]}}' >net.json
    refused 'config.layers\[0\]: unknown key "dflt"' ''
    echo '{"class_name":"Sequential","config":{"layers":[{"$param":3}]}}' >net.json
    refused 'config.layers\[0\]: "\$param" should be a name' ''
    # a billion layers
    echo '{"class_name":"Sequential","config":{"layers":[{"$repeat":1000,"layers":[{"$repeat":1000,"layers":[{"$repeat":1000,"layers":[{"a":1}]}]}]}]}}' >net.json
    refused 'repeats too often' ''
}

@test "a search over architectures, from space to table" {
    tiny_data 2
    cat >space.json <<'JSON'
{"model": "./net.json", "optimizer": "adam", "lr": 0.01, "batch_size": 8,
 "width": {"type": "logint", "low": 4, "high": 16}, "depth": [0, 1, 2], "activation": ["relu", "tanh"]}
JSON
    hop-run -q -o run --data data --workers 2 --device ref random --num-configs 4 --iterations 1 space.json >table
    [[ $(head -n 1 table) == *width*depth* ]]
    for m in run/models/*.safetensors; do
        [ "$(meta "$m" architecture | jq '[.config.layers[] | select(.class_name == "Dense")] | length')" -eq \
            "$(meta "$m" config | jq '.depth + 2')" ]
        [ "$(meta "$m" architecture | jq '[.config.layers[].config.units // empty][-2]')" -eq "$(meta "$m" config | jq '.width * 2')" ]
    done
    # without the width the search does not begin
    sed -i 's/"width"/"widht"/' space.json
    run_err 1 'the config has no "width"' hop-run -q -o run2 --data data --workers 2 --device ref random --iterations 1 space.json
    [ ! -e run2/models ] || [ -z "$(ls run2/models)" ]
}
