# hop-run: the loop, resuming, its lock.
load lib
load tiny

local_setup()
{
    tiny_data 2
    tiny_space
}

go()
{
    hop-run -q -o run --data data --workers 2 --device ref "$@"
}

@test "a search from space to table" {
    run --separate-stderr -0 go grid --iterations 2 space.json
    [ -z "$stderr" ]
    [ "${#lines[@]}" -eq 7 ]
    [[ ${lines[0]} == "rank  id     batch_size  optimizer    lr  momentum  val acc  val loss  train acc  iter  seconds" ]]
    [ "$(hop-search select <run/log.jsonl | jq -c .iteration | sort -u)" = 2 ]
    [ "$(jq -c 'select(.hop == "eval/1" and .shard == null)' run/log.jsonl | wc -l)" -eq 12 ]
    # the table is what select says
    hop-search select --best --table <run/log.jsonl | diff - <(printf '%s\n' "$output")
}

# best_is_kept RUN METRIC: of each config the state of the iteration that select --best names
best_is_kept()
{
    local id n=0 iteration
    while read -r id iteration; do
        [ "$(meta "$1/best/$id.safetensors" progress | jq .iteration)" = "$iteration" ] ||
            { echo "$id: not its iteration $iteration"; return 1; }
        n=$((n + 1))
    done < <(hop-search select --best --metric "$2" <"$1/log.jsonl" | jq -r '"\(.id) \(.iteration)"')
    [ "$(ls "$1/best" | wc -l)" -eq $n ]
}

@test "best states: kept by default, by another metric, or not" {
    go grid --iterations 3 space.json >table
    best_is_kept run val
    hop-search select --best --table --metric val.accuracy <run/log.jsonl | cmp - table
    hop-run -q -o run2 --data data --workers 2 --device ref --best train.loss --eval-train grid --iterations 3 space.json >/dev/null
    best_is_kept run2 train.loss
    [ "$(hop-search select --best --metric train.loss <run2/log.jsonl | jq .iteration | sort -u | xargs)" = 3 ]
    [ "$(cat run2/best.txt)" = train.loss ]
    # what was asked for once goes on
    hop-run -q -o run2 --data data --workers 2 --device ref --eval-train grid --iterations 4 space.json >table
    best_is_kept run2 train.loss
    hop-search select --best --table --metric train.loss <run2/log.jsonl | cmp - table
    hop-run -q -o run3 --data data --workers 2 --device ref --best none grid --iterations 2 space.json >table
    [ ! -e run3/best ]
    hop-search select --table <run3/log.jsonl | cmp - table
    run_err 2 'best: "accuracy" is not SPLIT.METRIC' hop-run -o run4 --data data --best accuracy grid space.json
    [ ! -e run4 ]
    run --separate-stderr -1 hop-run -q -o run4 --data data --workers 2 --device ref --best val.f1 grid space.json
    [[ $stderr == *'run4/best.txt: evaluations on val have no "f1"'* ]]
}

@test "patience: a config that does not improve gets no more iterations, the others their bytes" {
    echo '{"model":"./net.json","optimizer":"sgd","momentum":0.9,"lr":[0.01,0,0.02]}' >space.json
    go grid --iterations 7 --patience 2 --metric val.loss space.json >/dev/null
    [ "$(jq -r 'select(.hop == "train/1") | .id' run/log.jsonl | sort | uniq -c | xargs)" = "14 c0001 6 c0002 14 c0003" ]
    # as if the others had been alone, or never asked for in steps
    hop-run -q -o straight --data data --workers 3 --device ref grid --iterations 7 space.json >/dev/null
    for id in c0001 c0003; do
        tensors run/models/$id.safetensors >a
        tensors straight/models/$id.safetensors >b
        cmp a b
    done
    # again: over; more patience: it goes on
    cp run/log.jsonl before
    go grid --iterations 7 --patience 2 --metric val.loss space.json >/dev/null
    cmp before run/log.jsonl
    go grid --iterations 7 --patience 4 --metric val.loss space.json >/dev/null
    [ "$(jq -r 'select(.hop == "train/1") | .id' run/log.jsonl | sort | uniq -c | xargs)" = "14 c0001 10 c0002 14 c0003" ]
    tensors run/models/c0002.safetensors >a
    hop-run -q -o straight2 --data data --workers 1 --device ref grid --iterations 5 space.json >/dev/null
    tensors straight2/models/c0002.safetensors >b
    cmp a b
}

@test "called again: nothing is done twice; more iterations go on" {
    go grid --iterations 1 space.json >first
    cp run/log.jsonl log.before
    go grid --iterations 1 space.json >second
    diff first second
    cmp log.before run/log.jsonl
    go grid --iterations 2 space.json >/dev/null
    head -n "$(wc -l <log.before)" run/log.jsonl | cmp - log.before
    hop-run -q -o straight --data data --workers 3 --device ref grid --iterations 2 space.json >/dev/null
    same_tensors straight run
    [ "$(wc -l <run/configs.jsonl)" -eq 6 ]
}

@test "another space, method or data folder is refused, not mixed" {
    go grid space.json >/dev/null
    sed 's/0\.01/0.02/' space.json >other.json
    run_err 1 '^hop-run: run: was begun with another space' go grid other.json
    cp -R data data2
    run_err 1 'was begun with another data folder' hop-run -o run --data data2 --workers 2 grid space.json
    # the same folder by another name is the same
    go grid space.json >/dev/null
    (cd data && hop-run -q -o ../run --data . --workers 2 grid ../space.json >/dev/null)
    run_err 1 'c0001 of the log has another "seed"' go grid --seed 5 space.json
}

@test "while another works on RUN: exit 75" {
    mkdir -p run
    (
        flock 9
        touch locked
        sleep 10
    ) 9>run/.lock 3>&- &
    until [ -e locked ]; do sleep 0.02; done
    run_err 75 'another hop-run works on it' go grid space.json
    kill $!
}

@test "a failing visit: exit 1, the call to continue; it continues" {
    mv data/train-001.safetensors away
    ln -s gone data/train-001.safetensors
    run --separate-stderr -1 hop-run -o run --data data --workers 2 --device ref grid space.json
    [[ $stderr == *"train-001.safetensors: "*"No such file"* ]]
    rm data/train-001.safetensors
    cp away data/train-001.safetensors
    printf 'X' | dd of=data/train-001.safetensors bs=1 seek=1000 conv=notrunc status=none
    run --separate-stderr -1 hop-run -o run --data data --workers 2 --device ref grid space.json
    [[ $stderr == *"hop-run: failed: hop-visit --run run --id c0002 --visit 1 --shard train-001 --worker w1 (exit 1)"* ]]
    [[ $stderr == *"to go on: hop-run -o run --data data --workers 2 --device ref grid space.json"* ]]
    cp away data/train-001.safetensors
    go grid space.json | grep -q c0006
}

@test "TERM ends it, and it goes on where it was" {
    sed -i 's/"model"/"passes": 400, "model"/' space.json
    hop-run -q -o run --data data --workers 2 --device ref grid --iterations 1 space.json >/dev/null 2>err 3>&- &
    pid=$!
    until [ "$(grep -c train/1 run/log.jsonl 2>/dev/null)" -ge 3 ] 2>/dev/null; do sleep 0.05; done
    kill -TERM $pid
    status=0
    wait $pid || status=$?
    [ "$status" -eq 143 ]
    no_leftovers run
    # nothing of it runs on
    for f in /proc/[0-9]*/cmdline; do
        case $(tr '\0' ' ' 2>/dev/null <"$f") in *"$PWD/"*hop-*) echo "$f"; false ;; esac
    done
    go grid --iterations 1 space.json >/dev/null
    hop-run -q -o straight --data data --workers 1 --device ref grid --iterations 1 space.json >/dev/null
    same_tensors straight run
}

@test "progress on request" {
    run --separate-stderr -0 hop-run --progress -o run --data data --workers 2 --device ref grid space.json
    [[ $stderr == *"hop-run: visits 1/"*"to go"* ]]
    run --separate-stderr -0 hop-run -q -o run2 --data data --workers 2 --device ref grid space.json
    [ -z "$stderr" ]
}

@test "a grid that all diverges ends too" {
    echo '{"model":"./net.json","optimizer":"sgd","lr":[1e6,9e5],"momentum":0.9}' >space.json
    run --separate-stderr -0 go grid --iterations 2 space.json
    [[ ${lines[1]} == *diverged* ]]
    [[ ${lines[2]} == *diverged* ]]
}

@test "without evaluation a grid cannot end: said, not looped" {
    run --separate-stderr -1 go --eval-every 0 grid space.json
    [[ $stderr == *"eval-every"* ]]
}

@test "evaluation on train as well" {
    go --eval-train grid space.json >/dev/null
    [ "$(jq -r 'select(.hop == "eval/1" and .shard == null) | .split' run/log.jsonl | sort | uniq -c | xargs)" = "6 train 6 val" ]
}

@test "evaluation on train as well, when a run died between the last one on val and that" {
    # This is what it leaves: all of val, and of train nothing or a part.
    go grid --iterations 2 space.json >/dev/null
    hop-visit --run run --id c0003 --shard train-001 --visit 4 --eval -- \
        hop-eval -q --device ref --shard data/train-001.safetensors
    cp run/log.jsonl before
    hop-run -q -o run --data data --workers 2 --device ref --eval-train grid --iterations 2 space.json >/dev/null
    [ "$(jq -r 'select(.hop == "eval/1" and .shard == null and .iteration == 2) | .split' run/log.jsonl | sort | uniq -c | xargs)" = "6 train 6 val" ]
    [ "$(jq -c 'select(.shard == "train-001" and .id == "c0003" and .hop == "eval/1")' run/log.jsonl | wc -l)" -eq 1 ]
    tail -n "+$(($(wc -l <before) + 1))" run/log.jsonl | jq -r .hop | sort -u | grep -qx eval/1
    # nothing more, and no training that was not asked for
    cp run/log.jsonl before
    hop-run -q -o run --data data --workers 2 --device ref --eval-train grid --iterations 2 space.json >/dev/null
    cmp before run/log.jsonl
    # a state on the way to a third iteration is none to evaluate
    sed 's/"until":2/"until":3/' run/configs.jsonl | hop-visit --run run --add-configs
    shard=$(jq -r 'select(.hop == "train/1" and .id == "c0001" and .visit == 3) | .shard' run/log.jsonl)
    hop-visit --run run --id c0001 --shard "$shard" --visit 5 -- hop-train -q --device ref --shard "data/$shard.safetensors"
    cp run/log.jsonl before
    hop-run -q -o run --data data --workers 2 --device ref --eval-train grid --iterations 2 space.json >/dev/null
    cmp before run/log.jsonl
}

@test "names with spaces and quotes" {
    mkdir "my 'dir' \$(touch pwned)"
    cp -R data net.json "my 'dir' \$(touch pwned)/"
    cp space.json "my 'dir' \$(touch pwned)/my space.json"
    hop-run -q -o "my 'dir' \$(touch pwned)/my run" --data "my 'dir' \$(touch pwned)/data" --workers=2 -dref grid "my 'dir' \$(touch pwned)/my space.json" >out
    [ "$(wc -l <out)" -eq 7 ]
    [ -z "$(find . -name pwned)" ]
}

@test "usage and bad input: one line, the right exit" {
    run_err 2 'hop-run: --output: is missing' hop-run --data data grid space.json
    run_err 2 'hop-run: --data: is missing' hop-run -o run grid space.json
    run_err 2 'METHOD is missing' hop-run -o run --data data
    run_err 2 'SPACE is missing' hop-run -o run --data data grid
    run_err 2 'engine: unknown engine "pbs" \(known: parallel, make, slurm\)' hop-run -o run --data data --engine pbs grid space.json
    run_err 2 '--nix: unknown option' hop-run -o run --data data --nix grid space.json
    run_err 2 '--quiet: given twice|-q: given twice' hop-run -q -q -o run --data data grid space.json
    run_err 1 'nix.json: cannot open' hop-run -o run --data data grid nix.json
    run_err 1 'nix/manifest.json: cannot open' hop-run -o run --data nix grid space.json
    run_err 2 'unknown method "nix"' hop-run -o run2 --data data nix space.json
    printf '{"name":"a"}\n{"name":"a"}\n' >workers
    run_err 1 'two workers are called "a"' hop-run -q -o run3 --data data --workers workers grid space.json
    go grid space.json >/dev/null
    run_err 1 'stdout: cannot write' bash -c 'hop-run -q -o run --data data grid space.json >/dev/full'
}

@test "random: draws, repeats; called again it has nothing to do" {
    cat >space.json <<'JSON'
{"model": "./net.json", "batch_size": [8, 16], "optimizer": "adam",
 "lr": {"type": "loguniform", "low": 1e-3, "high": 0.1}}
JSON
    tiny_net
    go random --num-configs 3 --repeats 2 --iterations 2 space.json >table
    [ "$(ls run/models | xargs)" = "c0001-2.safetensors c0001.safetensors c0002-2.safetensors c0002.safetensors c0003-2.safetensors c0003.safetensors" ]
    [ "$(jq -c '[.id, .seed, .lr]' run/configs.jsonl | sort | cut -d, -f2 | xargs)" = "1 2 1 2 1 2" ]
    [ "$(jq -c '.lr' run/configs.jsonl | sort -u | wc -l)" -eq 3 ]
    go random --num-configs 3 --repeats 2 --iterations 2 space.json | cmp - table
    # more of them: the first ones stay as they are
    go random --num-configs 4 --repeats 2 --iterations 2 space.json >table
    [ "$(ls run/models | wc -l)" -eq 8 ]
    [ "$(jq -s 'map(select(.hop == "train/1")) | length' run/log.jsonl)" -eq 32 ]
}
