# hop-verify: equal is said only of what is equal, and what differs is named.
load lib
load tiny

setup_file()
{
    load lib
    load tiny
    cd "$BATS_FILE_TMPDIR"
    tiny_data 3
    tiny_space
    hop-run -q -o made --data data --workers 2 --device ref --eval-train grid --iterations 2 space.json >/dev/null
}

local_setup()
{
    cp -R "$BATS_FILE_TMPDIR"/{data,made,net.json,space.json} .
    mv made run
    (cd data && pwd -P) >run/data.txt
}

# flip FILE OFFSET: one bit of the byte OFFSET from its end.
flip()
{
    local at=$(($(stat -c %s "$1") - $2))
    printf "\\x$(printf %02x $(($(od -An -tu1 -j $at -N1 "$1") ^ 1)))" | dd of="$1" bs=1 seek=$at conv=notrunc status=none
}

@test "equal: every config of a run, and the run is as it was" {
    run --separate-stderr -0 hop-verify run c0001 c0004 c0006
    [ "$(jq -r '"\(.hop) \(.id) \(.visits) \(.status)"' <<<"$output" | xargs)" = "verify/1 c0001 6 equal verify/1 c0004 6 equal verify/1 c0006 6 equal" ]
    [ "$(jq -r .digest <<<"${lines[0]}")" = "$(meta run/models/c0001.safetensors digest)" ]
    [ "$(jq -r .fingerprint <<<"${lines[0]}")" = "$(jq -r 'select(.hop == "train/1") | .fingerprint' run/log.jsonl | head -n 1)" ]
    [[ $stderr == *"hop-verify: c0001: 6 visits again in "*": every byte is the same"* ]]
    # nothing in the run was touched, nothing is left behind
    diff -r run "$BATS_FILE_TMPDIR/made" -x data.txt
    mkdir tmp
    TMPDIR=$PWD/tmp hop-verify -q run c0002
    [ -z "$(ls -A tmp)" ]
}

@test "passes, a config that diverged, worker processes, one visit only" {
    echo '{"model":"./net.json","optimizer":"sgd","lr":[1e6,0.01],"momentum":0.9,"passes":3}' >space.json
    hop-run -q -o run2 --data data --workers 2 --device ref grid --iterations 2 space.json >/dev/null
    grep -q '"status":"diverged"' run2/log.jsonl
    hop-verify -q --keep 1m run2 c0001 c0002 >out
    hop-train --stop
    [ "$(jq -r .status out | sort -u)" = equal ]
    # passes that were asked for by hand are in the line, too
    hop-visit --run run2 --id c0002 --shard train-001 --visit 7 -- hop-train -q --passes 5 --device ref --shard data/train-001.safetensors
    hop-verify -q run2 c0002 | grep -q '"visits":7.*"status":"equal"'
}

@test "threads and precision come from the fingerprint" {
    hop-train --probe 2>/dev/null | grep -q '"device":"cpu"' || skip "there is no device cpu"
    hop-visit --run run2 --add-configs <<<"$(tiny_config a)"
    hop-visit --run run2 --id a --visit 0 -- hop-train --init
    for k in 1 2; do
        hop-visit --run run2 --id a --visit $k --shard train-00$k -- hop-train -q --device cpu --threads 2 --shard data/train-00$k.safetensors
    done
    grep -q ' t2"' run2/log.jsonl
    hop-verify -q --data data run2 a >out
    [ "$(jq -r .status out)" = equal ]
    jq -r .fingerprint out | grep -q ' t2$'
}

# again FILTER...: the visits of c0002 once more, in the run "other", whose model was made by FILTER
again()
{
    local k=0 shard device
    hop-visit --run other --add-configs <run/configs.jsonl
    hop-visit --run other --id c0002 --visit 0 -- "$@"
    for shard in $(jq -r 'select(.hop == "train/1" and .id == "c0002") | .shard' run/log.jsonl); do
        k=$((k + 1))
        device=ref
        [ $k -ne 4 ] || device=${FOURTH:-ref}
        hop-visit --run other --id c0002 --visit $k --shard "$shard" -- hop-train -q --device $device --shard "data/$shard.safetensors"
    done
}

@test "a weight that is another: exit 1, tensor, byte and numbers" {
    # begun with other weights, of which the config says nothing
    again hop-train -q --init --weights run/models/c0001.safetensors
    run --separate-stderr -1 hop-verify --data data other c0002
    [ "$(jq -r '"\(.status) \(.other_bytes)"' <<<"$output")" = "differs 1" ]
    tensor=$(jq -r .tensor <<<"$output")
    [[ $stderr == *"c0002: 6 visits again"*"$tensor: byte "*" differs: number "*" there, "*" now; the first visit after which anything differed is 1" ]]
    # it is the first in the file, and the byte is the first that cmp finds
    tensors other/models/c0002.safetensors >x
    tensors run/models/c0002.safetensors >y
    begin=$(tail -c +9 other/models/c0002.safetensors | head -c "$(od -An -tu8 -N8 other/models/c0002.safetensors | tr -d ' ')" | jq ".[\"$tensor\"].data_offsets[0]")
    [ "$(cmp x y | sed 's/.*byte \([0-9]*\),.*/\1/')" -eq "$((begin + $(jq .byte <<<"$output") + 1))" ]
    # of several the certain failure counts
    cp other/models/c0002.safetensors run/models/
    run --separate-stderr -1 hop-verify -q run c0001 c0002 c0003
    [ "$(jq -r .status <<<"$output" | xargs)" = "equal differs equal" ]
}

@test "start weights that the config names are taken again" {
    cp run/models/c0001.safetensors start.safetensors
    sed -i 's/"model"/"weights": ".\/start.safetensors", "model"/' space.json
    hop-run -q -o run2 --data data --workers 2 --device ref grid --iterations 1 space.json >/dev/null
    hop-verify -q run2 c0002 c0003
    rm start.safetensors
    run_err 1 'start.safetensors' hop-verify -q run2 c0002
}

@test "other numerics: equal bytes are equal; others prove nothing, exit 3" {
    hop-train --probe 2>/dev/null | grep -q '"device":"cpu"' || skip "there is no device cpu"
    run --separate-stderr -3 hop-verify --device cpu run c0001
    [ "$(jq -r .status <<<"$output")" = "other numerics" ]
    [ "$(jq -r .other_numerics <<<"$output")" = 1 ]
    [[ $stderr == *'visit 1 was made with "ref'*'", and now with "cpu '*'so this proves nothing'* ]]
    # one visit of a run elsewhere
    FOURTH=cpu again hop-train --init
    run --separate-stderr -3 hop-verify --data data --device ref other c0002
    [ "$(jq -c '[.status, .other_numerics, .other_bytes]' <<<"$output")" = '["other numerics",4,4]' ]
    # and where each was made, equal
    hop-verify -q --data data other c0002
}

@test "where the shards lie: by a file of workers" {
    mkdir far
    mv data/train-001.safetensors far/
    printf '%s\n' '{"name":"a","shards":["train-000","train-002","val-000","val-001"]}' \
        "{\"name\":\"b\",\"folder\":\"$PWD/far\",\"shards\":[\"train-001\"]}" >workers
    run --separate-stderr -1 hop-verify run c0001
    [[ $stderr == *"data/train-001.safetensors"*"No such file"* ]]
    hop-verify -q --workers workers run c0001 | grep -q '"status":"equal"'
}

@test "shards that are damaged, or of other data" {
    cp -R data data2
    flip data2/train-001.safetensors 5
    run --separate-stderr -1 hop-verify --data data2 run c0001
    [[ $stderr == *"data2/train-001.safetensors"*digest* ]]
    [ -z "$output" ]
    sed 's/^0\.[0-9]*,/0.5,/' "$BATS_FILE_TMPDIR/table.csv" >other.csv
    hop-shard -q -n 3 --val-fraction 0.25 --val-shards 2 --label label -o data3 other.csv >/dev/null
    run_err 1 'train-00.: this shard is of another data set' hop-verify -q --data data3 run c0001
    tiny_data 2 data4
    run --separate-stderr -1 hop-verify -q --data data4 run c0003
}

@test "bad input: one line, the right exit" {
    run_err 2 '^hop-verify: RUN: is missing' hop-verify
    run_err 2 '^hop-verify: ID: is missing' hop-verify run
    run_err 1 'run/models/nix.safetensors' hop-verify run nix
    run_err 1 'ID: ' hop-verify run ../x
    rm run/data.txt
    run_err 2 '^hop-verify: --data: is missing' hop-verify run c0001
    hop-visit --run fresh --add-configs <<<"$(tiny_config a)"
    hop-visit --run fresh --id a --visit 0 -- hop-train --init
    run_err 1 'has had no visit' hop-verify --data data fresh a
    flip run/models/c0001.safetensors 3
    run_err 1 'c0001.safetensors.*digest' hop-verify --data data run c0001
    run --separate-stderr -75 hop-verify -q --data data --device cuda:77 run c0002
    [[ $stderr == *cuda*'exit status 75'* ]]
}

@test "a config with a parent: from the first ancestor on" {
    cat >space.json <<'JSON'
{"model": "./net.json", "batch_size": 8, "optimizer": "adam", "lr": {"type": "loguniform", "low": 1e-3, "high": 0.1}}
JSON
    hop-run -q -o pbt --data data --workers 2 --device ref pbt -c 4 -n 5 --interval 1 --metric val.loss space.json >/dev/null
    ids=$(jq -r 'select(.parent)|.id' pbt/configs.jsonl)
    [ "$(wc -w <<<"$ids")" -ge 2 ]
    run --separate-stderr -0 hop-verify pbt $ids
    [ "$(jq -r .status <<<"$output" | sort -u)" = equal ]
    # all visits of all ancestors are repeated: as many as the model file counts
    id=$(tail -n 1 <<<"$ids")
    [ "$(jq --arg id "$id" 'select(.id==$id)|.visits' <<<"$output")" -eq "$(meta pbt/models/$id.safetensors progress | jq .visits)" ]
    # of another ancestor it is not the same
    parent=$(jq -r --arg id "$id" 'select(.id==$id)|.parent' pbt/configs.jsonl)
    mv pbt/models/$parent.safetensors kept
    run_err 1 "its parent.s model file .*$parent.safetensors is not there" hop-verify -q pbt $id
}
