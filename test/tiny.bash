# tiny.bash - a search small enough to run in seconds: a table of 240 rows, a net of 59 weights.

# Slots of devices of their own, or tests would wait for whatever else trains on this machine.
export XDG_RUNTIME_DIR=${BATS_FILE_TMPDIR:-${BATS_RUN_TMPDIR:-/tmp}}

# tiny_data N [DIR]: N train shards and 2 val shards in DIR (data).
tiny_data()
{
    awk 'BEGIN {
        x = 7
        print "a,b,c,label"
        for (i = 0; i < 240; i++) {
            for (j = 0; j < 3; j++) { x = (x * 16807) % 2147483647; u[j] = x / 2147483647 }
            k = i % 3
            printf "%.4f,%.4f,%.4f,%s\n", k + u[0] * 1.5, (k == 1) * 2 + u[1], u[2] * 3, substr("xyz", k + 1, 1)
        }
    }' >table.csv
    hop-shard -q -n "$1" --val-fraction 0.25 --val-shards 2 --label label -o "${2:-data}" table.csv >/dev/null
}

# tiny_net: ./net.json
tiny_net()
{
    cat >net.json <<'JSON'
{"class_name": "Sequential", "config": {"name": "tiny", "layers": [
  {"class_name": "InputLayer", "config": {"batch_input_shape": [null, 3]}},
  {"class_name": "Dense", "config": {"units": 8, "activation": "relu"}},
  {"class_name": "Dropout", "config": {"rate": 0.1}},
  {"class_name": "Dense", "config": {"units": 3, "activation": "softmax"}}]}}
JSON
}

# tiny_space: ./space.json, six configs
tiny_space()
{
    tiny_net
    cat >space.json <<'JSON'
{"model": "./net.json", "batch_size": [8, 16],
 "optimizer": [{"_name": "sgd", "lr": [0.1, 0.01], "momentum": [0.9]},
               {"_name": "adam", "lr": [0.01]}]}
JSON
}

# tiny_config ID: a config line
tiny_config()
{
    echo '{"hop":"config/1","id":"'"$1"'","model":"./net.json","optimizer":"adam","lr":0.01,"batch_size":8,"seed":1,"until":2}'
}

# tensors FILE: the bytes behind the header
tensors()
{
    tail -c "+$(($(od -An -tu8 -N8 "$1") + 9))" "$1"
}

# same_tensors RUN RUN: all model files, and none missing
same_tensors()
{
    local f n=0
    [ "$(cd "$1/models" && ls)" = "$(cd "$2/models" && ls)" ] || { ls "$1/models" "$2/models"; return 1; }
    for f in "$1"/models/*.safetensors; do
        tensors "$f" >.tensors.a
        tensors "$2/models/${f##*/}" >.tensors.b
        cmp .tensors.a .tensors.b || { echo "${f##*/} differs"; return 1; }
        n=$((n + 1))
    done
    [ "$n" -gt 0 ]
}

# meta FILE KEY: a value of the model file's metadata
meta()
{
    tail -c +9 "$1" | head -c "$(od -An -tu8 -N8 "$1" | tr -d ' ')" | jq -r ".__metadata__[\"hop.$2\"]"
}

# no_leftovers RUN: no temporary files
no_leftovers()
{
    [ -z "$(find "$1" -name '*.tmp')" ] || { find "$1" -name '*.tmp'; return 1; }
}
