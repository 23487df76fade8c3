# hop-train: one visit, what hops, what is refused.
load lib

setup_file()
{
    # Two small data folders of drawn shapes: of 16x16 pixels, and of 12x12.
    local b=${HOP_BUILD:-$BATS_TEST_DIRNAME/../build}
    cd "$BATS_FILE_TMPDIR"
    "$b/examples/shapes" -o pics -n 12 --size 16
    "$b/bin/hop-shard" -q -n 3 -o data --val pics/val pics/train >/dev/null
    "$b/bin/hop-shard" -q -n 1 -o small --size 12x12 pics/train >/dev/null
    cat >net.json <<'JSON'
{"class_name": "Sequential", "config": {"name": "tiny", "layers": [
  {"class_name": "InputLayer", "config": {"batch_input_shape": [null, 16, 16, 3]}},
  {"class_name": "Conv2D", "config": {"filters": 4, "kernel_size": 3, "activation": "relu"}},
  {"class_name": "BatchNormalization", "config": {}},
  {"class_name": "MaxPooling2D", "config": {}},
  {"class_name": "Flatten", "config": {}},
  {"class_name": "Dropout", "config": {"rate": 0.2}},
  {"class_name": "Dense", "config": {"units": 10, "activation": "softmax"}}]}}
JSON
}

local_setup()
{
    D=$BATS_FILE_TMPDIR
    export D
    config='{"id":"c1","model":"'$D'/net.json","optimizer":"adam","batch_size":16}'
    echo "$config" | hop-train --init >m0
}

# The bytes of the data area: everything behind the header.
tensors()
{
    tail -c "+$(($(od -An -tu8 -N8 "$1") + 9))" "$1"
}

# Fails when A and B are the same (a bare "! cmp" would not fail a test).
differ() # A B
{
    if cmp -s "$1" "$2"; then
        echo "$1 and $2 are the same"
        return 1
    fi
}

header()
{
    tail -c +9 "$1" | head -c "$(od -An -tu8 -N8 "$1" | tr -d ' ')" | jq '.__metadata__'
}

visit() # SHARD < model > model
{
    hop-train -q --device ref --shard "$D/data/train-00$1.safetensors"
}

history()
{
    header "$1" | jq -r '.["hop.history"]' | jq -c '.[]'
}

@test "law 1: a pipe of visits = files between visits; every device" {
    for device in ref cpu; do
        hop-train -n --device $device <m0 >/dev/null 2>&1 || continue
        v() { hop-train -q --device $device --shard "$D/data/train-00$1.safetensors"; }
        v 0 <m0 | v 1 | v 2 | v 0 >piped
        v 0 <m0 >m1; v 1 <m1 >m2; v 2 <m2 >m3; v 0 <m3 >m4
        cmp <(tensors piped) <(tensors m4)
        # and another order is another model
        v 1 <m0 | v 0 | v 2 | v 0 >other
        differ <(tensors other) <(tensors m4)
    done
}

@test "the train/1 line says what was done; progress and history hop" {
    visit 0 <m0 | visit 1 | visit 2 | visit 0 >m4
    run history m4
    [ "${#lines[@]}" -eq 4 ]
    echo "$output" | jq -es 'map(.hop) == ["train/1","train/1","train/1","train/1"]
        and map(.visit) == [1,2,3,4] and map(.iteration) == [1,1,1,2]
        and map(.shard) == ["train-000","train-001","train-002","train-000"]
        and all(.status == "ok" and .device == "ref" and .examples == 40 and .steps == 3
            and .loss > 0 and .accuracy >= 0 and .accuracy <= 1 and .lr == 0.001
            and (.digest | length) == 32)
        and .[3].loss < .[0].loss'
    # the digest of the last line is that of the tensors as they lie in the file
    [ "$(header m4 | jq -r '.["hop.digest"]')" = "$(history m4 | tail -n 1 | jq -r .digest)" ]
}

@test "--init --shard is init and then a visit" {
    echo "$config" | hop-train -q --init --device ref --shard "$D/data/train-000.safetensors" >both
    visit 0 <m0 >apart
    cmp <(tensors both) <(tensors apart)
}

@test "the seed and the id make the weights; the same line the same bytes" {
    echo "$config" | hop-train --init >again
    cmp m0 again
    echo "${config/\"id\":\"c1\"/\"id\":\"c1\",\"seed\":2}" | hop-train --init >seed2
    echo "${config/c1/c2}" | hop-train --init >id2
    differ <(tensors m0) <(tensors seed2)
    differ <(tensors m0) <(tensors id2)
}

@test "passes: from the config or the option, counted as steps" {
    echo "${config/\"id\"/\"passes\":2,\"id\"}" | hop-train -q --init --device ref \
        --shard "$D/data/train-000.safetensors" >two
    hop-train -q --device ref --passes 2 --shard "$D/data/train-000.safetensors" <m0 >option
    cmp <(tensors two) <(tensors option)
    history two | jq -e '.steps == 6 and .passes == 2 and .examples == 80'
}

@test "a diverged config is a result: exit 0, not trained further" {
    echo '{"id":"c1","model":"'$D'/net.json","optimizer":"sgd","lr":1e6,"batch_size":4}' |
        hop-train -q --init --device ref --shard "$D/data/train-000.safetensors" >gone
    history gone | jq -e '.status == "diverged" and .loss == null'
    visit 1 <gone >after
    cmp gone after
}

@test "--precision: bf16 where the processor has it, else refused; auto; part of the fingerprint" {
    hop-train -q --device cpu --shard "$D/data/train-000.safetensors" <m0 >full ||
        skip "no device cpu in this build"
    if hop-train -q --device cpu --precision bf16 --shard "$D/data/train-000.safetensors" <m0 >half 2>why; then
        history half | jq -e '.fingerprint | test("^cpu .* t1 bf16$")'
        hop-train -q --device cpu --precision auto --shard "$D/data/train-000.safetensors" <m0 >auto
        cmp <(tensors half) <(tensors auto)
        differ half full
        hop-eval -q --device cpu --precision bf16 "$D/data/val-000.safetensors" <half |
            jq -e '.status == "ok"'
    else
        grep -q 'no bf16 instructions' why
        hop-train -q --device cpu --precision auto --shard "$D/data/train-000.safetensors" <m0 >auto
        history auto | jq -e '.fingerprint | test("^cpu .* t1$")'
    fi
    run -2 hop-train -q --device ref --precision bf16 --shard "$D/data/train-000.safetensors" <m0
    [[ $output == *"--precision: device ref cannot do \"bf16\" (fp32, auto)"* ]]
}

@test "--pin: as many processors as threads" {
    grep -q Cpus_allowed_list /proc/self/status || skip "no /proc"
    hop-train -q --device ref --pin --passes 1000000 --shard "$D/data/train-000.safetensors" \
        <m0 >next 3>&- &
    pid=$!
    for _ in $(seq 500); do
        list=$(awk '/Cpus_allowed_list/ { print $2 }' "/proc/$pid/status")
        [[ $list == *[,-]* ]] || break
        sleep 0.02
    done
    kill -9 $pid
    [[ $list =~ ^[0-9]+$ ]]
    hop-train -q --device ref --pin --shard "$D/data/train-000.safetensors" <m0 >next
    visit 0 <m0 >free
    cmp <(tensors next) <(tensors free)
}

# held FILE: does somebody hold this lock?
held()
{
    [ -e "$1" ] && ! flock -n "$1" true
}

# until_ COMMAND...: wait for it to be true
until_()
{
    for _ in $(seq 1000); do
        if "$@"; then return 0; fi
        sleep 0.02
    done
    return 1
}

@test "--turn: all is read before the wait, the slot is nobody's meanwhile, and the turn goes before the result" {
    export XDG_RUNTIME_DIR=$PWD/rt
    mkdir -m 700 rt rt/hop
    hop-train -q --device ref --shard "$D/data/train-000.safetensors" <m0 >plain
    # a model that no pipe holds
    jq '.config.layers[1].config.filters = 512' "$D/net.json" >wide.json
    echo '{"id":"w","model":"./wide.json","optimizer":"sgd","batch_size":16}' | hop-train --init >w0
    [ "$(wc -c <w0)" -gt 500000 ]
    for name in t t:2; do
        mkfifo in out
        exec 7>>rt/hop/turn-t.0
        exec 8>>rt/hop/turn-t.1
        flock 7
        flock 8
        hop-train -q --device ref --turn $name --shard "$D/data/train-000.safetensors" >out <in 7>&- 8>&- 3>&- &
        pid=$!
        exec 6<out
        cat w0 >in # it is read whole, or this would not end
        sleep 0.5
        kill -0 $pid
        # nothing is trained, no slot of the device held
        [ "$(find rt/hop -name 'cpu.*' -exec flock -n {} true \; -print | wc -l)" -eq "$(find rt/hop -name 'cpu.*' | wc -l)" ]
        if [ $name = t ]; then exec 7>&-; else exec 8>&-; fi
        # it trains, and then waits for us to read: by then others have their turn
        until_ [ "$(timeout 20 head -c 8 <&6 | wc -c)" -eq 8 ]
        kill -0 $pid
        flock -n "rt/hop/turn-t.$([ $name = t ] && echo 0 || echo 1)" true
        cat <&6 >rest
        wait $pid
        exec 6<&- 7>&- 8>&-
        rm in out
    done
    hop-train -q --device ref --turn t --shard "$D/data/train-000.safetensors" <m0 >turned
    tensors plain >a
    tensors turned | cmp - a
    hop-eval -q --device ref --turn t --shard "$D/data/val-000.safetensors" <m0 | jq -e '.examples > 0'
    for bad in '' ' ' a/b a: a:0 a:65 a:b $'a\n' "$(printf '%65s' '' | tr ' ' a)"; do
        run_err 2 'turn' hop-train --turn "$bad" --shard "$D/data/train-000.safetensors" <m0
        run_err 2 'turn' hop-eval --turn "$bad" --shard "$D/data/train-000.safetensors" <m0
    done
}

@test "who waits or trains for nobody ends: its turn and its slot are free again" {
    export XDG_RUNTIME_DIR=$PWD/rt
    mkdir -m 700 rt rt/hop
    exec 7>>rt/hop/turn-t.0
    flock 7
    mkfifo out
    hop-train -q --device ref --turn t --shard "$D/data/train-000.safetensors" <m0 >out 7>&- 3>&- &
    pid=$!
    exec 6<out 6<&-
    status=0
    wait $pid || status=$?
    [ $status -eq 141 ]
    exec 7>&-
    # in the middle of what would take minutes
    hop-train -q --device ref --turn t --passes 1000000 --shard "$D/data/train-000.safetensors" <m0 >out 3>&- &
    pid=$!
    exec 6<out
    until_ held rt/hop/cpu.0
    exec 6<&-
    status=0
    wait $pid || status=$?
    [ $status -eq 141 ]
    flock -n rt/hop/turn-t.0 true
    flock -n rt/hop/cpu.0 true
}

@test "--measure: how many side by side pay, as a worker that hop-schedule takes" {
    export HOP_PLUGINS=$HOP_BUILD/test/plugin
    for device in ref cuda; do
        run --separate-stderr -0 hop-train --measure --device $device <m0
        jq -e '.hop == "worker/1" and .device == "'$device'" and .slots >= 1 and .probe.rates[0].slots == 1 and
            ([.probe.rates[].slots] | . == sort and contains([1]) and max <= 16) and
            ([.probe.rates[].examples_per_s] | min > 0) and
            .slots as $k | .probe.rates | any(.slots == $k)' <<<"$output"
        jq -c '.shards=["train-000","train-001","train-002"]' <<<"$output" >workers
        echo '{"hop":"config/1","id":"a","model":"'$D'/net.json","optimizer":"sgd","batch_size":16,"until":1}' |
            hop-schedule --workers workers --data "$D/data" --as json >plan
        grep '"visit/1"' plan
    done
    run_err 2 "\-\-measure: " hop-train --measure --shard x <m0
    run_err 75 "device cuda is not here" env HOP_PLUGINS=/nowhere hop-train --measure --device cuda <m0
}

@test "--dry-run: shapes, parameters, memory, FLOPs; nothing is trained" {
    run --separate-stderr -0 hop-train --dry-run --device ref <m0
    [[ $output == *"net tiny: 2098 parameters, 2090 of them trainable"* ]]
    [[ $output == *"conv2d "*"Conv2D"*"14x14x4"*112* ]]
    [[ $output == *"MFLOP per example"* ]]
}

@test "bad input: one line, the right status" {
    run_err 1 "stdin@0: ends inside the 8-byte header length" hop-train --shard x </dev/null
    run_err 1 "nowhere.safetensors: cannot open: No such file" hop-train --shard nowhere.safetensors <m0
    run_err 1 "small/train-000.safetensors: examples are 12x12x3, net \"tiny\" wants 16x16x3" \
        hop-train --shard "$D/small/train-000.safetensors" <m0
    run_err 2 "\-\-shard: is missing" hop-train <m0
    run_err 2 "\-\-device: unknown device \"gpu\"" hop-train --device gpu --shard "$D/data/train-000.safetensors" <m0
    HOP_PLUGINS=$PWD run_err 75 "device cuda is not here" hop-train --device cuda --shard "$D/data/train-000.safetensors" <m0
    run_err 2 "\-\-precision: " hop-train --precision fp8 --device ref --shard "$D/data/train-000.safetensors" <m0
    run_err 2 "\-\-passes: \"0\" is out of range" hop-train --passes 0 --shard x <m0
    run_err 2 "unknown option" hop-train --pass 2 --shard x <m0
    run_err 2 "unexpected operand" hop-train x --shard x <m0
}

@test "bad config lines: stdin:1, what and the known names" {
    bad() { run_err 1 "$1" bash -c 'printf "%s\n" "$1" | hop-train --init >/dev/null' - "$2"; }
    bad 'stdin:1: unknown optimizer "adamx" \(known: adadelta, adagrad, adam, adamw, lion, nadam, rmsprop, sgd\)' "${config/adam/adamx}"
    bad 'stdin:1: "batch_size" -16 is out of range' "${config/16\}/-16\}}"
    bad 'stdin:1: unknown net "vgg99"' '{"id":"a","model":"vgg99","optimizer":"sgd"}'
    bad 'stdin:1: not valid JSON' '{"id":'
    bad 'stdin:1: not valid JSON: duplicate object key' '{"id":"a","id":"b"}'
    bad 'stdin:1: "id" is missing' '{"optimizer":"sgd","model":"mlp"}'
    bad 'stdin:1: unknown key "learning_rate" \(call it "lr"\)' "${config/\"id\"/\"learning_rate\":1,\"id\"}"
    run_err 1 "the last line has no newline" bash -c 'printf %s "{}" | hop-train --init >/dev/null'
    run_err 1 "stdin: is empty" bash -c 'hop-train --init </dev/null >/dev/null'
}

@test "a shard of another data set is refused after the first visit" {
    hop-shard -q -n 1 --seed 9 -o other "$D/pics/val" >/dev/null
    visit 0 <m0 >m1
    run_err 1 "belongs to another dataset" hop-train --device ref --shard other/train-000.safetensors <m1
}

@test "--weights: from another model by name; a frozen layer keeps them" {
    visit 0 <m0 >trained
    sed 's/"filters": 4,/"filters": 4, "trainable": false,/; s/"units": 10/"units": 10, "name": "head"/' \
        "$D/net.json" >net2.json
    config2='{"id":"c2","model":"./net2.json","optimizer":"sgd","batch_size":16}'
    run --separate-stderr -0 bash -c 'echo "$1" | hop-train --init -v --weights trained >m2' - "$config2"
    [[ $stderr == *"trained: 6 tensors loaded"* ]]
    [[ $stderr == *"missing, freshly drawn: head/kernel"* ]]
    [[ $stderr == *"left in the file: dense/kernel"* ]]
    visit 0 <m2 >m3
    first() { tensors "$1" | head -c $((3 * 3 * 3 * 4 * 4)); }
    cmp <(first trained) <(first m2)
    cmp <(first m2) <(first m3)
    differ <(tensors m2) <(tensors m3)
    # the config may name the file itself
    echo "${config2/\"id\"/\"weights\":\"trained\",\"id\"}" | hop-train -q --init >m4
    cmp <(tensors m2) <(tensors m4)
    run_err 1 "no tensor has the name and shape" bash -c \
        'echo "{\"id\":\"a\",\"model\":\"mlp\",\"optimizer\":\"sgd\"}" | hop-train --init --weights trained >/dev/null'
    run_err 2 "weights-by: unknown way" bash -c 'echo "$1" | hop-train --init --weights trained --weights-by luck' - "$config2"
}

@test "a functional net trains; every optimizer and a schedule too" {
    cat >res.json <<'JSON'
{"class_name": "Functional", "config": {"layers": [
  {"class_name": "InputLayer", "name": "in", "config": {"batch_input_shape": [null, 16, 16, 3]}},
  {"class_name": "RandomFlip", "name": "flip", "config": {"mode": "horizontal"}, "inbound_nodes": ["in"]},
  {"class_name": "Conv2D", "name": "a", "config": {"filters": 6, "kernel_size": 3, "padding": "same"}, "inbound_nodes": ["flip"]},
  {"class_name": "SeparableConv2D", "name": "b", "config": {"filters": 6, "kernel_size": 3, "padding": "same", "activation": "swish"}, "inbound_nodes": ["a"]},
  {"class_name": "Add", "name": "sum", "config": {}, "inbound_nodes": ["a", "b"]},
  {"class_name": "GlobalAveragePooling2D", "name": "pool", "config": {}, "inbound_nodes": ["sum"]},
  {"class_name": "Dense", "name": "out", "config": {"units": 10, "activation": "softmax"}, "inbound_nodes": ["pool"]}]}}
JSON
    for device in ref cpu; do
        hop-train -n --device $device <m0 >/dev/null 2>&1 || continue
        for o in sgd rmsprop adam adamw nadam adagrad adadelta lion; do
            echo '{"id":"r","model":"./res.json","optimizer":"'$o'","batch_size":16,"schedule":"cosine","decay_steps":9,"clipnorm":1}' |
                hop-train -q --init --device $device --shard "$D/data/train-000.safetensors" >r
            history r | jq -e '.status == "ok" and .steps == 3 and .lr > 0 and .loss > 1'
        done
    done
}

@test "law 5: a cut or altered model or shard is refused, wherever; nothing is written" {
    local n size
    size=$(stat -c %s m0)
    for n in 0 1 7 8 9 100 1000 $((size / 2)) $((size - 1)); do
        head -c "$n" m0 >cut
        run --separate-stderr -1 hop-train --device ref --shard "$D/data/train-000.safetensors" <cut
        [ "${#stderr_lines[@]}" -eq 1 ] && [ -z "$output" ]
    done
    cp "$D/data/train-000.safetensors" s
    for n in 3 20 200 600 5000; do
        cp m0 bad
        printf '\377' | dd of=bad bs=1 seek=$n conv=notrunc status=none
        run --separate-stderr -1 hop-train --device ref --shard s <bad
        [ "${#stderr_lines[@]}" -eq 1 ]
        cp s sbad
        printf '\377' | dd of=sbad bs=1 seek=$n conv=notrunc status=none
        run --separate-stderr -1 hop-train --device ref --shard sbad <m0
        [ "${#stderr_lines[@]}" -eq 1 ]
    done
}

@test "a failed write is a failure" {
    run_err 1 "stdout: cannot write: No space left" bash -c 'hop-train --device ref --shard "$D/data/train-000.safetensors" <m0 >/dev/full'
    run_err 1 "cannot write" bash -c 'hop-train --dry-run --device ref <m0 >/dev/full'
}

@test "--version names the oneDNN that the device cpu then runs" {
    named=$(hop-train --version | sed -n 's/.*oneDNN \([0-9.]*\) (device cpu.*/\1/p')
    [ -n "$named" ] || skip "built without oneDNN"
    hop-train -q --device cpu --shard "$D/data/train-000.safetensors" <m0 >m1
    [[ $(head -c 65536 m1 | tr -d '\\' | grep -ao 'cpu onednn-[^ ]*' | head -n 1) = "cpu onednn-$named" ]]
}
