# hop-train --keep: the process that stays behind. Each test has workers of its own.
load lib
load tiny

[ "$(uname -s)" = Linux ] || KEEP_ABSENT=1

setup_file()
{
    local b=${HOP_BUILD:-$BATS_TEST_DIRNAME/../build}
    cd "$BATS_FILE_TMPDIR"
    "$b/examples/shapes" -o pics -n 12 --size 16
    "$b/bin/hop-shard" -q -n 3 -o data --val pics/val pics/train >/dev/null
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
    sed 's/"filters": 4/"filters": 6/' net.json >net2.json
}

local_setup()
{
    [ -z "${KEEP_ABSENT-}" ] || skip "--keep needs Linux"
    D=$BATS_FILE_TMPDIR
    export D XDG_RUNTIME_DIR=$PWD/rt
    # a device cuda of host memory and plain loops
    export HOP_PLUGINS=${HOP_BUILD:-$BATS_TEST_DIRNAME/../build}/test/plugin
    export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}log_path=$PWD/asan
    mkdir rt
    config='{"id":"c1","model":"'$D'/net.json","optimizer":"adam","batch_size":16}'
    echo "$config" | hop-train --init >m0
    S=$D/data/train-000.safetensors
}

teardown()
{
    # those that a failed test left
    [ -n "${KEEP_ABSENT-}" ] || timeout 20 hop-train --stop || kill_workers
    # what sanitizers had to say at the end of workers, whose standard error nobody reads
    if cat asan.* 2>/dev/null; then return 1; fi
}

# worker: the pid of the one worker process of this test, "" if there is none: its folder is among its
# descriptors, as it is among its callers', but it has left theirs.
worker()
{
    find /proc/[0-9]*/fd -lname "$PWD/rt/hop" 2>/dev/null | cut -d/ -f3 | sort -u |
        while read -r p; do
            [ "$(readlink "/proc/$p/cwd")" != / ] || echo "$p"
        done
}

kill_workers() # fails when there was none
{
    local p status=1
    for p in $(worker); do kill -9 "$p" && status=0; done
    return $status
}

# until CONDITION...: wait for it, a minute at most.
until_true()
{
    for _ in $(seq 3000); do
        if "$@"; then return 0; fi
        sleep 0.02
    done
    echo "never: $*"
    return 1
}
none() { [ -z "$(worker)" ]; }

warm() { hop-train -q --keep 60s "$@"; }
warm_lost() { HOP_FAKE_FAIL=1 warm -d cuda -s "$S" <m0; }

# lines FILE: the history without what depends on the clock.
lines() { meta "$1" history | jq -c '.[] | del(.wall_s, .examples_per_s)'; }

same() # MODEL MODEL
{
    cmp <(tensors "$1") <(tensors "$2") && diff <(lines "$1") <(lines "$2")
}

# all_slots: how many threads take the whole device.
all_slots() { getconf _NPROCESSORS_ONLN; }

@test "a warm visit is a cold one, byte for byte: devices, nets, optimizers, shards, in any mixture" {
    for device in ref cpu cuda; do
        hop-train -n --device $device <m0 >/dev/null 2>&1 || continue
        i=0
        for change in '' 's/adam/sgd/' 's/"adam"/"sgd","momentum":0.9,"lr":0.1/' 's/16}/7}/' 's/net.json/net2.json/' \
            's/"adam"/"adam","lr":0.1,"schedule":"cosine","decay_steps":9/' 's/"adam"/"adam","loss":"mse"/' 's/"id"/"passes":2,"id"/'; do
            i=$((i + 1))
            echo "$config" | sed "$change" | hop-train --init >"cold$i"
            cp "cold$i" "warm$i"
        done
        for round in 0 1 2 0; do
            for i in 1 2 3 4 5 6 7 8; do
                shard=$D/data/train-00$round.safetensors
                hop-train -q -d $device -s "$shard" <"cold$i" >next
                mv next "cold$i"
                warm -d $device -s "$shard" <"warm$i" >next
                mv next "warm$i"
                same "cold$i" "warm$i"
            done
        done
        # and they were all of one process
        [[ $(worker) =~ ^[0-9]+$ ]]
        hop-train --stop
    done
}

@test "side by side: as many as there are, the same bytes" {
    for device in ref cpu cuda; do
        hop-train -n --device $device <m0 >/dev/null 2>&1 || continue
        hop-train -q -d $device --passes 4 -s "$S" <m0 >cold
        pids=
        for i in $(seq 16); do
            warm -d $device --passes 4 -s "$S" <m0 >"w$i" 3>&- &
            pids="$pids $!"
        done
        for p in $pids; do wait "$p"; done
        for i in $(seq 16); do same cold "w$i"; done
        hop-train -q -d $device -t 2 -s "$S" <m0 >cold2
        warm -d $device -t 2 -s "$S" <m0 >warm2
        same cold2 warm2
    done
}

@test "a GPU: bfloat16 side by side; hyperparameters change without a new plan; one that is lost" {
    [ -e "$HOP_PLUGINS/hop-cuda.so" ]
    for rate in 0.1 0.2 0.3 0.4; do
        echo "$config" | sed "s/\"adam\"/\"sgd\",\"momentum\":0.9,\"lr\":$rate/" | hop-train --init >"g$rate"
        hop-train -q -d cuda --precision bf16 --passes 3 -s "$S" <"g$rate" >"cold$rate"
    done
    pids=
    for round in 1 2 3 4; do
        for rate in 0.1 0.2 0.3 0.4; do
            warm -d cuda --precision bf16 --passes 3 -s "$S" <"g$rate" >"w$rate.$round" 3>&- &
            pids="$pids $!"
        done
    done
    for p in $pids; do wait "$p"; done
    for round in 1 2 3 4; do
        for rate in 0.1 0.2 0.3 0.4; do same "cold$rate" "w$rate.$round"; done
    done
    cmp -s <(tensors cold0.1) <(tensors cold0.2) && return 1
    # the locks of slots are the GPU's, whatever its number is
    ls rt/hop/GPU-host.*
    hop-train --stop
    # lost after some calls: that visit is for another time, the process goes, the next has another
    export HOP_FAKE_FAIL=1000
    i=0
    while warm -d cuda -s "$S" <m0 >m 2>why; do
        first=$(worker)
        i=$((i + 1))
        [ $i -lt 100 ]
    done
    [ $i -gt 0 ]
    run_err 75 '' warm_lost
    until_true none
    unset HOP_FAKE_FAIL
    warm -d cuda -s "$S" <m0 >m
    [ "$(worker)" != "$first" ]
}

@test "pipes, relative paths, standard error and the exit status are the caller's" {
    mkdir a b
    cp "$D/data/train-000.safetensors" a/
    cp "$D/data/train-001.safetensors" b/train-000.safetensors
    (cd a && hop-train -q -s train-000.safetensors <../m0 >../cold-a)
    (cd b && hop-train -q -s train-000.safetensors <../m0 >../cold-b)
    (cd a && cat ../m0 | warm -s train-000.safetensors | cat >../warm-a)
    (cd b && cat ../m0 | warm -s train-000.safetensors | cat >../warm-b)
    same cold-a warm-a
    same cold-b warm-b
    run --separate-stderr -0 hop-train --keep 60s -v --progress -s "$S" <m0
    [[ $stderr == *"train-000 40/40 examples"* ]]
    run --separate-stderr -0 hop-train --keep 60s -q -s "$D/data/val-000.safetensors" <m0
    [ -z "$stderr" ]
    run --separate-stderr -0 hop-train --keep 60s -s "$D/data/val-000.safetensors" <m0
    [[ $stderr == *'training on a shard of split "val"'* ]]
    # a diverged model passes through
    echo '{"id":"c1","model":"'$D'/net.json","optimizer":"sgd","lr":1e6,"batch_size":4}' | hop-train -q --init -d ref -s "$S" >gone
    warm -s "$S" <gone >after
    cmp gone after
}

@test "what is wrong is told as by a cold call, and the worker lives on" {
    warm -d ref -s "$S" <m0 >m1
    first=$(worker)
    [ -n "$first" ]
    hop-shard -q -n 1 --seed 9 -o other "$D/pics/val" >/dev/null
    head -c 1000 m0 >cut
    cp m0 bad
    printf '\377' | dd of=bad bs=1 seek=5000 conv=notrunc status=none
    head -c 5000 "$S" >shortshard
    cp "$S" badshard
    printf '\377' | dd of=badshard bs=1 seek=9000 conv=notrunc status=none
    fails() # STATUS MODEL OPTIONS...
    {
        local want=$1 model=$2
        shift 2
        run --separate-stderr -"$want" hop-train -d ref "$@" <"$model"
        [ "${#stderr_lines[@]}" -eq 1 ]
        cold=$stderr
        run --separate-stderr -"$want" hop-train -d ref --keep 60s "$@" <"$model"
        [ "$stderr" = "$cold" ] || { printf '%s\n' "cold: $cold" "warm: $stderr"; false; }
        [ -z "$output" ]
    }
    fails 1 /dev/null -s "$S"
    fails 1 cut -s "$S"
    fails 1 bad -s "$S"
    fails 1 m0 -s nowhere.safetensors
    fails 1 m0 -s .
    fails 1 m0 -s shortshard
    fails 1 m0 -s badshard
    fails 1 m1 -s other/train-000.safetensors
    fails 2 m0 --precision fp8 -s "$S"
    run_err 1 "stdout: cannot write: No space left" bash -c 'hop-train -d ref --keep 60s -s "$1" <m0 >/dev/full' - "$S"
    # a reader that goes away ends the filter by SIGPIPE
    for keep in '' '--keep=60s'; do
        run -0 bash -c 'hop-train -d ref $2 --passes 300 -s "$1" <m0 | true; echo "${PIPESTATUS[0]}"' - "$S" "$keep"
        [ "$output" = 141 ]
    done
    warm -d ref -s "$S" <m0 >m2
    same m1 m2
    [ "$(worker)" = "$first" ]
    run_err 2 "\-\-keep: " hop-train --keep 5 -s "$S" <m0
    run_err 2 "\-\-keep-memory: " hop-train --keep 5m --keep-memory 5X -s "$S" <m0
    run_err 2 "\-\-stop: does not go" hop-train --stop -s "$S" <m0
}

@test "it goes when idle, and on --stop; --stop without any is fine" {
    hop-train --stop
    [ ! -e rt/hop ]
    hop-train -q --keep 1s -d ref -s "$S" <m0 >m1
    until_true none
    [ -z "$(find rt -type s)" ]
    warm -d ref -s "$S" <m0 >m1
    [ -n "$(worker)" ]
    hop-train --stop --device cpu
    [ -n "$(worker)" ]
    hop-train --stop --device ref
    until_true none
    [ -z "$(find rt -type s)" ]
}

@test "--stop waits for the visits under way" {
    hop-train -q --keep 60s -d ref --passes 400 -s "$S" <m0 >m1 3>&- &
    pid=$!
    until_true busy
    hop-train --stop
    none
    wait $pid
    meta m1 history | jq -e '.[0].passes == 400'
}
busy() { [ -n "$(find /proc/"$(worker)"/fd -lname "*/rt/hop/cpu.*" 2>/dev/null)" ]; }

@test "another build takes over: the old process finishes and goes" {
    mkdir bin
    cp "$HOP_BUILD/bin/hop-train" bin/
    bin/hop-train -q --keep 60s -d ref --passes 400 -s "$S" <m0 >slow 3>&- &
    pid=$!
    until_true busy
    old=$(worker)
    cp bin/hop-train bin/new
    mv bin/new bin/hop-train
    bin/hop-train -q --keep 60s -d ref -t "$(all_slots)" -s "$S" <m0 >m1
    wait $pid
    meta slow history | jq -e '.[0].passes == 400'
    until_true [ ! -e "/proc/$old/fd" ]
    new=$(worker)
    [ -n "$new" ] && [ "$new" != "$old" ]
    hop-train -q -d ref -t "$(all_slots)" -s "$S" <m0 >cold
    same cold m1
}

@test "kill -9 of the worker: callers exit 75 with a line each, the next call is served" {
    for i in 1 2 3; do
        hop-train --keep 60s -d ref --passes 1000000 -s "$S" <m0 >"out$i" 2>"err$i" 3>&- &
        eval "p$i=$!"
    done
    until_true busy
    kill -9 "$(worker)"
    for i in 1 2 3; do
        eval "p=\$p$i"
        status=0
        wait "$p" || status=$?
        [ "$status" -eq 75 ]
        [ "$(wc -l <"err$i")" -eq 1 ]
        grep -q 'worker process [0-9]*: died' "err$i"
        [ ! -s "out$i" ]
    done
    # its socket is still there
    [ -n "$(find rt -type s)" ]
    warm -d ref -s "$S" <m0 >m1
    hop-train -q -d ref -s "$S" <m0 >cold
    same cold m1
}

@test "whatever lies in the place of the socket" {
    warm -d ref -s "$S" <m0 >m1
    name=$(basename "$(find rt -type s)")
    hop-train --stop
    echo x >"rt/hop/$name"
    warm -d ref -s "$S" <m0 >m2
    [ -n "$(worker)" ]
    same m1 m2
    hop-train --stop
    mkdir "rt/hop/$name"
    run_err 1 "$name: cannot listen" hop-train --keep 60s -d ref -s "$S" <m0
}

@test "a folder that others can enter, or that is not one's own, is refused" {
    mkdir rt/hop
    chmod 755 rt/hop
    run_err 1 "rt/hop: the folder for workers is open to others" hop-train --keep 60s -d ref -s "$S" <m0
    run_err 1 "rt/hop: the folder for workers is open to others" hop-train --stop
    rmdir rt/hop
    mkdir elsewhere
    chmod 700 elsewhere
    ln -s ../elsewhere rt/hop
    run_err 1 "rt/hop: cannot open the folder for workers" hop-train --keep 60s -d ref -s "$S" <m0
    rm rt/hop
    [ "$(id -u)" -eq 0 ] || skip "only root can make a folder another user's"
    mkdir -m 700 rt/hop
    chown 12345 rt/hop
    run_err 1 "rt/hop: the folder for workers is open to others .*XDG_RUNTIME_DIR" hop-train --keep 60s -d ref -s "$S" <m0
    chown 0 rt/hop
}

@test "a caller that is ended takes its visit with it, and nothing else" {
    n=$(all_slots)
    warm -d ref -s "$S" <m0 >cold
    first=$(worker)
    for signal in KILL TERM INT; do
        # & has it ignored; env of coreutils 8.31 sets it back
        env --default-signal=INT true 2>/dev/null || [ $signal != INT ] || continue
        env ${ENV_INT=$(env --default-signal=INT echo --default-signal=INT 2>/dev/null)} \
            hop-train -q --keep 60s -d ref -t "$n" --passes 1000000 -s "$S" <m0 >out 2>err 3>&- &
        pid=$!
        until_true busy
        kill -$signal $pid
        status=0
        wait $pid || status=$?
        case $signal in
        KILL) [ "$status" -eq 137 ] ;;
        TERM) [ "$status" -eq 143 ] ;;
        INT) [ "$status" -eq 130 ] ;;
        esac
        # the whole device is free again
        warm -d ref -t "$n" -s "$S" <m0 >m1
        [ ! -s err ]
    done
    [ "$(worker)" = "$first" ]
    # one that waits for its model through a pipe, and one that waits for its turn
    mkfifo pipe
    sleep 60 >pipe 3>&- &
    sleeper=$!
    hop-train -q --keep 60s -d ref -s "$S" <pipe >out 3>&- &
    pid=$!
    hop-train -q --keep 60s -d ref -t "$n" --passes 1000000 -s "$S" <m0 >out 3>&- &
    long=$!
    until_true busy
    hop-train -q --keep 60s -d ref -t "$n" -s "$S" <m0 >out 3>&- &
    waits=$!
    threads() { [ "$(ls "/proc/$first/task" | wc -l)" -eq "$1" ]; }
    until_true threads 4
    kill -9 $pid $waits
    until_true threads 2
    kill -9 $long
    until_true threads 1
    kill $sleeper
}

@test "the shard is read anew when it is another file or was changed" {
    cp "$D/data/train-000.safetensors" train-000.safetensors
    touch -d '1 hour ago' train-000.safetensors
    sleep 0.2
    warm -s train-000.safetensors <m0 >a
    warm -s train-000.safetensors <m0 >a2
    same a a2
    # in place: same inode, perhaps the same size
    cat "$D/data/train-001.safetensors" >train-000.safetensors
    warm -s train-000.safetensors <m0 >b
    hop-train -q -s train-000.safetensors <m0 >cold
    same cold b
    # another file of the same times
    cp "$D/data/train-002.safetensors" new
    touch -r train-000.safetensors new
    mv new train-000.safetensors
    warm -s train-000.safetensors <m0 >c
    hop-train -q -s train-000.safetensors <m0 >cold
    same cold c
    # one byte, the times put back, after it was kept
    sleep 0.2
    warm -s train-000.safetensors <m0 >c
    same cold c
    touch -r train-000.safetensors times
    printf '\377' | dd of=train-000.safetensors bs=1 seek=9000 conv=notrunc status=none
    touch -r times train-000.safetensors
    run --separate-stderr -1 hop-train --keep 60s -s train-000.safetensors <m0
    [[ $stderr == *"train-000.safetensors"* ]]
}

@test "64 callers are served in the order of their arrival" {
    n=$(all_slots)
    for i in $(seq 64); do
        echo "${config/c1/id$i}" | hop-train --init >"m-$i"
    done
    # the device is taken until all are there
    warm -d ref -s "$S" <m0 >m1
    pid=$(worker)
    come() { [ "$(ls "/proc/$pid/task" | wc -l)" -gt "$1" ]; }
    exec 8>rt/hop/cpu.0
    flock 8
    for i in $(seq 64); do
        (hop-train -vv --keep 60s -d ref -t "$n" -s "$S" <"m-$i" >"o$i" 2>>log && echo "$i" >>served) 3>&- 8>&- &
        until_true come "$i"
    done
    [ ! -e served ]
    exec 8>&-
    all_done() { [ "$(wc -l <served)" -eq 64 ]; }
    until_true all_done
    sed -n 's/^hop-train: id\([0-9]*\) visit 1 on train-000: .* ready$/\1/p' log >order
    diff order <(seq 64)
    hop-train -q -d ref -s "$S" <m-64 >cold
    same cold o64
}

@test "warm and cold visits share the slots" {
    warm -d ref -s "$S" <m0 >m1
    for k in $(seq 0 $(($(all_slots) - 1))); do
        eval "exec $((20 + k))>rt/hop/cpu.$k"
        flock $((20 + k))
    done
    (hop-train -q --keep 60s -d ref -s "$S" <m0 >m2; echo done >served) 3>&- 20>&- 21>&- &
    two() { [ "$(ls /proc/"$(worker)"/task | wc -l)" -eq 2 ]; }
    until_true two
    sleep 0.3
    [ ! -e served ]
    flock -u 20
    until_true [ -e served ]
    same m1 m2
}

@test "--turn: one whose turn others have is passed by, and comes when they have trained" {
    export XDG_RUNTIME_DIR=$PWD/rt
    [ "$(all_slots)" -ge 2 ] || skip "one slot"
    warm -d ref -s "$S" <m0 >m1
    # the first trains for as long as somebody reads its result
    mkfifo endless
    hop-train -q --keep 60s -d ref --turn t --passes 1000000 -s "$S" <m0 >endless 3>&- &
    first=$!
    exec 6<endless
    took_turn() { [ -e rt/hop/turn-t.0 ] && ! flock -n rt/hop/turn-t.0 true; }
    until_true took_turn
    (hop-train -q --keep 60s -d ref --turn t -s "$S" <m0 >m2; echo done >second) 3>&- 6<&- &
    for k in 1 2; do
        timeout 60 hop-train -q --keep 60s -d ref --turn u -s "$S" <m0 >m3
        same m1 m3
    done
    sleep 0.3
    [ ! -e second ]
    exec 6<&-
    status=0
    wait $first || status=$?
    [ $status -eq 141 ]
    until_true [ -e second ]
    same m1 m2
}

@test "the worker holds nothing of its first caller's" {
    exec 9>lock
    flock 9
    mkdir here
    (cd here && hop-train -q --keep 60s -d ref -s "$S" <../m0 >../m1)
    exec 9>&-
    flock -n lock true
    [ -n "$(worker)" ]
    # only the lock, the socket, its folder, its pipe and /dev/null are open
    ls -l "/proc/$(worker)/fd" | awk 'NR > 1 { print $NF }' | grep -Ev '^/dev/null$|^socket:|^pipe:|/rt/hop' >open || true
    [ ! -s open ] || { cat open; false; }
    [ "$(ps -o sid= -p "$(worker)" | tr -d ' ')" = "$(worker)" ]
}

@test "another environment of the libraries is another worker" {
    warm -d ref -s "$S" <m0 >m1
    OMP_PROC_BIND=false hop-train -q --keep 60s -d ref -s "$S" <m0 >m2
    [ "$(find rt -type s | wc -l)" -eq 2 ]
    same m1 m2
    hop-train --stop
    until_true none
}

@test "--keep-memory: what is kept is bounded, and visits go on without it" {
    hop-train -q -d ref -s "$S" <m0 >cold
    for _ in 1 2 3; do
        hop-train -q --keep 60s --keep-memory 1K -d ref -s "$S" <m0 >m1
        same cold m1
    done
    # nothing of the shard stays mapped
    [ -z "$(grep train-000 "/proc/$(worker)/maps")" ]
    hop-train -q --keep 60s --keep-memory 1G -d ref -s "$S" <m0 >m1
    hop-train -q --keep 60s --keep-memory 1G -d ref -s "$S" <m0 >m1
    grep -q train-000 "/proc/$(worker)/maps"
}

# The sanitizers keep freed memory for a while, and count what is lost by themselves.
no_sanitizer() { ! hop-train --version | grep -q '^flags:.*address'; }

@test "200 visits leave no memory behind" {
    no_sanitizer || skip "memory is not given back with the address sanitizer"
    rss() { awk '/^VmRSS/ { print $2 }' "/proc/$(worker)/status"; }
    some() # N
    {
        for _ in $(seq "$1"); do
            warm -s "$S" <m0 >m1
            warm -s "$D/data/train-001.safetensors" <m0 >m1
        done
    }
    some 50
    before=$(rss)
    some 50
    after=$(rss)
    echo "$before kB, then $after kB"
    # 1 of 100 parts, and a few pages of the C library's
    [ "$after" -le $((before + before / 100 + 256)) ]
}

@test "10,000 visits leave no memory behind" {
    [ -n "${HOP_SLOW-}" ] || skip "slow: HOP_SLOW=1"
    no_sanitizer || skip "memory is not given back with the address sanitizer"
    warm -s "$S" <m0 >m1
    pid=$(worker)
    for i in $(seq 10000); do
        warm -s "$D/data/train-00$((i % 3)).safetensors" <m0 >m1
        [ $i -ne 100 ] || before=$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")
    done
    after=$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")
    echo "$before kB, then $after kB"
    [ "$after" -le $((before + before / 100)) ]
}

@test "law 3: a run whose workers are killed again and again is the run without" {
    tiny_data 3
    tiny_space
    sed -i 's/"batch_size"/"passes": 100, "batch_size"/' space.json # visits long enough to die in
    hop-run -q -o calm --data data -w 3 -d ref --keep 60s grid --iterations 2 space.json >/dev/null 3>&-
    hop-train --stop
    hop-run -q -o cold --data data -w 3 -d ref grid --iterations 2 space.json >/dev/null 3>&-
    same_tensors calm cold
    : >kills
    # a quick machine may be done before it was hit three times: then once more
    for round in 1 2 3 4 5 6 7 8; do
        rm -rf wild over
        # in a shell without the trap of bats, which would make it slow
        bash -c "$(declare -f worker kill_workers)"'
            n=0
            while [ ! -e over ] && [ $n -lt 8 ]; do
                sleep 0.$((RANDOM % 3))$((RANDOM % 10))
                kill_workers && n=$((n + 1)) && echo $n >>kills
            done' 3>&- >/dev/null 2>&1 &
        killer=$!
        for _ in $(seq 60); do
            status=0
            hop-run -q -o wild --data data -w 3 -d ref --keep 60s --retries 9 grid --iterations 2 space.json >/dev/null 2>err 3>&- || status=$?
            [ $status -eq 75 ] || break
        done
        touch over
        wait $killer || true
        cat err
        [ $status -eq 0 ]
        same_tensors wild cold
        [ "$(wc -l <kills)" -lt 3 ] || break
    done
    [ "$(wc -l <kills)" -ge 3 ]
    no_leftovers wild
    # every visit was logged once
    jq -r 'select(.hop == "train/1") | "\(.id) \(.visit)"' wild/log.jsonl | sort >visits
    [ -z "$(uniq -d visits)" ]
    [ "$(wc -l <visits)" -eq 36 ]
}
