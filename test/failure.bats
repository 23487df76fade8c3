# When things break: visits go where their shard lies too, a host that fails again and again is set
# aside, what is lost stops only what needs it, and the same command ends with the same bytes.
load lib
load tiny
load hosts

setup_file()
{
    load lib
    load tiny
    load hosts
    NO_HOSTS=$(no_hosts)
    export NO_HOSTS
    cd "$BATS_FILE_TMPDIR"
    tiny_data 3
    tiny_space
    sed -i 's/\[8, 16\]/8/' space.json
    hop-run -q -o reference --data data --workers 3 --device ref grid --iterations 2 space.json >/dev/null
    [ -z "$NO_HOSTS" ] || return 0
    export HOSTS=$BATS_FILE_TMPDIR/hosts
    start_hosts "$HOSTS" a b
}

teardown_file()
{
    [ -z "${HOSTS:-}" ] || stop_hosts "$HOSTS"
}

local_setup()
{
    cp -Rp "$BATS_FILE_TMPDIR"/{data,reference,net.json,space.json} .
    [ -n "$NO_HOSTS" ] || for h in a b; do
        [ -s "$HOSTS/$h/pid" ] && kill -0 "$(cat "$HOSTS/$h/pid")" 2>/dev/null || start_host "$HOSTS" $h
        rm -rf "${HOSTS:?}/$h/data"
        cp -R data "$HOSTS/$h/data"
    done
}

need_hosts() { [ -z "$NO_HOSTS" ] || skip "$NO_HOSTS"; }

# remote NAME HOST SHARD...: a line of a file of workers
remote()
{
    local name=$1 host=$2 shards
    shift 2
    shards=$(printf '"%s",' "$@")
    echo "{\"name\":\"$name\",\"ssh\":$(ssh_words "$HOSTS" "$host"),\"folder\":\"$HOSTS/$host/data\",\"path\":\"$HOP_BUILD/bin\",\"shards\":[${shards%,}]}"
}

go() # OPTIONS... (the search)
{
    hop-run -o run --data data --workers workers --device ref "$@" grid --iterations 2 space.json
}

same()
{
    same_tensors reference run
    no_leftovers run
    jq -c 'select(.hop == "train/1") | [.id, .visit]' run/log.jsonl | sort | uniq -d >twice
    [ ! -s twice ] || { cat twice; false; }
}

@test "a host that is away, every shard of it elsewhere too: the run does not notice but in words" {
    need_hosts
    {
        remote far a train-000 train-001 train-002 val-000 val-001 | sed 's/"-p","[0-9]*"/"-p","1"/'
        remote near b train-000 train-001 train-002 val-000 val-001
    } >workers
    run --separate-stderr -0 go --retries 2
    same
    [[ $stderr == *"hop-run: worker far is set aside: 3 visits in a row failed there"* ]]
    # it was tried three times, and no more
    [ "$(grep -c '"worker":"far"' run/jobs/failures.jsonl)" -eq 3 ]
    [ "$(jq -r 'select(.hop == "train/1") | .worker' run/log.jsonl | sort -u)" = near ]
}

@test "a visit that dies once is done, there or elsewhere; nobody is set aside" {
    mkdir bin
    cat >bin/hop-train <<END
#!/bin/sh
case " \$* " in
*" --init "*) ;;
*" --worker w1 "*) [ -e died ] || { : >died; exit 75; } ;;
esac
exec $HOP_BUILD/bin/hop-train "\$@"
END
    chmod +x bin/hop-train
    cp "$HOP_BUILD/bin/hop-eval" bin/
    for k in 0 1; do
        echo "{\"name\":\"w$k\",\"path\":\"$PWD/bin\",\"shards\":[\"train-000\",\"train-001\",\"train-002\",\"val-000\",\"val-001\"]}"
    done >workers
    run --separate-stderr -0 go
    same
    [[ $stderr != *"set aside"* ]]
    [ "$(wc -l <run/jobs/failures.jsonl)" -eq 1 ]
    id=$(jq -r .id run/jobs/failures.jsonl)
    visit=$(jq -r .visit run/jobs/failures.jsonl)
    [ "$(jq -r "select(.hop == \"train/1\" and .id == \"$id\" and .visit == $visit) | .worker" run/log.jsonl)" = w0 ]
}

@test "a shard that is damaged where it lies, whole elsewhere: it is trained on there" {
    cp -R data far
    printf X | dd of=far/train-001.safetensors bs=1 seek=1000 conv=notrunc status=none
    printf '%s\n' '{"name":"w0","shards":["train-000","train-001","train-002","val-000","val-001"]}' \
        "{\"name\":\"w1\",\"folder\":\"$PWD/far\",\"shards\":[\"train-001\",\"train-002\"]}" >workers
    run --separate-stderr -0 go
    same
    [ "$(jq -r 'select(.hop == "train/1" and .shard == "train-001") | .worker' run/log.jsonl | sort -u)" = w0 ]
    grep -q '"worker":"w1"' run/jobs/failures.jsonl
    # its other shard is used
    [ "$(jq -r 'select(.hop == "train/1" and .worker == "w1") | .shard' run/log.jsonl | sort -u)" = train-002 ]
}

@test "round-robin, with its barriers, tries again elsewhere, too" {
    cp -R data far
    printf X | dd of=far/train-001.safetensors bs=1 seek=1000 conv=notrunc status=none
    printf '%s\n' '{"name":"w0","shards":["train-000","train-001","train-002","val-000","val-001"]}' \
        "{\"name\":\"w1\",\"folder\":\"$PWD/far\",\"shards\":[\"train-001\",\"train-002\"]}" >workers
    run --separate-stderr -0 go --policy round-robin
    same
    [ "$(jq -r 'select(.hop == "train/1" and .shard == "train-001") | .worker' run/log.jsonl | sort -u)" = w0 ]
    grep -q '"worker":"w1"' run/jobs/failures.jsonl
    # where it lies nowhere else it fails, and says so
    rm -rf run
    printf '%s\n' '{"name":"w0","shards":["train-000","train-002","val-000","val-001"]}' \
        "{\"name\":\"w1\",\"folder\":\"$PWD/far\",\"shards\":[\"train-001\",\"train-002\"]}" >workers
    run --separate-stderr -1 go --policy round-robin
    [[ $stderr == *"hop-run: failed: "*"train-001"*"(exit 1)"* ]]
}

@test "a lost shard without replica: what does not need it is done, exit 75, and the command goes on" {
    need_hosts
    printf '%s\n' '{"name":"here","shards":["train-000","train-001","val-000","val-001"]}' "$(remote far a train-002)" >workers
    sed 's/"-p","[0-9]*"/"-p","1"/' workers >away
    run --separate-stderr -75 hop-run -o run --data data --workers away --device ref --retries 1 grid --iterations 2 space.json
    # of three configs in rotation over three shards one comes to it first, one second, one third
    [ "$(jq -r 'select(.hop == "train/1") | .id' run/log.jsonl | sort | uniq -c | xargs)" = "2 c0001 1 c0002" ]
    [[ $stderr == *"worker far is set aside: 2 visits in a row failed there"* ]]
    [[ $stderr == *"try again: hop-visit --run run --id c0003 --visit 1 "*"--worker far (exit 75)"* ]]
    [[ $stderr == *"worker far was set aside; 1 visits waited for it when all else was done"* ]]
    [[ $stderr == *"to go on: hop-run -o run --data data --workers away --device ref --retries 1 grid --iterations 2 space.json" ]]
    no_leftovers run
    go -q >/dev/null
    same
}

@test "a config that fails everywhere stands still alone: exit 1, the others end" {
    mkdir bin
    cat >bin/hop-train <<END
#!/bin/sh
case " \$* " in *" --init "*) exec $HOP_BUILD/bin/hop-train "\$@" ;; esac
cat >model.\$\$
if grep -aq '"id":"c0002"' model.\$\$ || grep -aq 'id..:..c0002' model.\$\$; then rm model.\$\$; echo "no memory for it" >&2; exit 1; fi
$HOP_BUILD/bin/hop-train "\$@" <model.\$\$
s=\$?
rm model.\$\$
exit \$s
END
    chmod +x bin/hop-train
    for k in 0 1; do
        echo "{\"name\":\"w$k\",\"path\":\"$PWD/bin\",\"shards\":[\"train-000\",\"train-001\",\"train-002\",\"val-000\",\"val-001\"]}"
    done >workers
    cp "$HOP_BUILD/bin/hop-eval" bin/
    run --separate-stderr -1 go
    [[ $stderr == *"failed: hop-visit --run run --id c0002 --visit 1 "*"(exit 1)"* ]]
    [ "$(jq -r 'select(.hop == "train/1") | .id' run/log.jsonl | sort | uniq -c | xargs)" = "6 c0001 6 c0003" ]
    [ "$(jq -r 'select(.hop == "failure/1") | .worker' run/jobs/failures.jsonl | sort | xargs)" = "w0 w1" ]
    for id in c0001 c0003; do
        tensors run/models/$id.safetensors >a
        tensors reference/models/$id.safetensors >b
        cmp a b
    done
}

@test "the head's disk is full: said, nothing half-written, and with room the same command goes on" {
    [ "$(id -u)" -eq 0 ] || skip "mounting needs root"
    mkdir small
    mount -t tmpfs -o size=1m tmpfs small 2>/dev/null || skip "cannot mount a tmpfs here"
    # what is left on it is enough for some models only
    head -c 970000 /dev/zero >small/filler
    cat >workers <<END
{"name":"w0"}
{"name":"w1"}
END
    status=0
    hop-run -o small/run --data data --workers workers --device ref --retries 0 grid --iterations 2 space.json >out 2>err || status=$?
    cat err
    grep -q 'No space left on device\|disk full' err
    [ "$status" -eq 1 ] || [ "$status" -eq 75 ]
    # every model file there is is whole
    for f in small/run/models/*.safetensors; do
        [ ! -e "$f" ] || hop-eval -q --device ref --shard data/val-000.safetensors <"$f" >/dev/null
    done
    rm small/filler
    hop-run -q -o small/run --data data --workers workers --device ref grid --iterations 2 space.json >/dev/null || { umount small; false; }
    cp -R small/run run
    umount small
    same
}

# engine NAME SCRIPT: what stands in for a program, in ./engines
engine()
{
    mkdir -p engines
    printf '#!/bin/sh\n%s\n' "$2" >"engines/$1"
    chmod +x "engines/$1"
}

@test "an engine that ends in its own way: hop-run's status is one of ours, and it says how to go on" {
    printf '{"name":"w0"}\n{"name":"w1"}\n' >workers
    make_says() { engine make "case \$1 in --version) echo 'GNU Make 4.3' ;; *) $1 ;; esac"; }
    for pair in 'exit 2:1' 'exit 77:1' 'exit 127:1' 'kill -9 $$:75' 'kill -SEGV $$:75'; do
        make_says "${pair%:*}"
        run --separate-stderr -"${pair##*:}" env PATH="$PWD/engines:$PATH" hop-run -o run --data data --workers workers --device ref \
            --engine make grid --iterations 2 space.json
        [[ ${stderr_lines[-1]} == "hop-run: make "*"; to go on: hop-run -o run "*" space.json" ]] || { echo "$stderr"; false; }
    done
    # a shell that runs the script of GNU parallel or of Slurm
    rm engines/make
    engine sh "case \$1 in */next.sh) kill -9 \$\$ ;; *) exec /bin/sh \"\$@\" ;; esac"
    cp "$HOP_BUILD/bin/hop-run" engines/hop-run
    for tool in "$HOP_BUILD"/bin/hop-*; do [ -e "engines/${tool##*/}" ] || ln -s "$tool" engines/; done
    run --separate-stderr -75 engines/hop-run -o run --data data --workers workers --device ref grid --iterations 2 space.json
    [[ ${stderr_lines[-1]} == "hop-run: parallel was ended by signal 9; to go on: "*" space.json" ]] || { echo "$stderr"; false; }
    go >/dev/null
    same
}

@test "the disk is full when an engine begins: exit 1, one line with the reason and the command that goes on" {
    [ "$(id -u)" -eq 0 ] || skip "mounting needs root"
    mkdir small
    mount -t tmpfs -o size=2m tmpfs small 2>/dev/null || skip "cannot mount a tmpfs here"
    printf '{"name":"w0"}\n{"name":"w1"}\n' >workers
    fill='dd if=/dev/zero of=small/filler bs=4k 2>/dev/null; dd if=/dev/zero of=small/filler2 bs=1 2>/dev/null'
    # make, and what the script of parallel runs first, meet a disk that has just become full
    engine make "case \$1 in --version) ;; *) $fill ;; esac; exec $(command -v make) \"\$@\""
    engine hop-visit "case \$* in *--add-configs*) $fill ;; esac; exec $HOP_BUILD/bin/hop-visit \"\$@\""
    cp "$HOP_BUILD/bin/hop-run" engines/hop-run
    for tool in "$HOP_BUILD"/bin/hop-*; do [ -e "engines/${tool##*/}" ] || ln -s "$tool" engines/; done
    for engine in make parallel; do
        rm -rf small/*
        status=0
        PATH=$PWD/engines:$PATH engines/hop-run -q -o small/run --data data --workers workers --device ref \
            --engine $engine grid --iterations 2 space.json >out 2>err || status=$?
        cat err
        [ "$status" -eq 1 ] || { umount small; false; }
        grep -q 'small/run: cannot write: No space left on device; to go on: hop-run -q -o small/run .* space.json$' err || { umount small; false; }
        ! grep -q 'I/O error' err || { umount small; false; }
        rm small/filler*
        hop-run -q -o small/run --data data --workers workers --device ref --engine $engine grid --iterations 2 space.json >/dev/null ||
            { umount small; false; }
        rm -rf run
        cp -R small/run run
        same || { umount small; false; }
    done
    umount small
}

@test "a cut connection in the middle of a model, both ways; sshd gone and back" {
    need_hosts
    # a net whose file takes a while through ssh
    sed -i 's/"units": 8/"units": 20000/' net.json
    echo '{"model":"./net.json","optimizer":"adam","lr":[0.001,0.002],"batch_size":64}' >space.json
    rm -rf reference
    hop-run -q -o reference --data data --workers 1 --device ref grid --iterations 2 space.json >/dev/null
    { remote far a train-000 train-001 train-002 val-000 val-001; } >workers
    n=0
    # a quick machine may be done before it was cut off three times: then once more
    for round in 1 2 3 4 5; do
        rm -rf run
        go -q --retries 6 >/dev/null 2>err 3>&- &
        pid=$!
        for _ in $(seq 400); do
            kill -0 $pid 2>/dev/null || break
            sleep 0.05
            s=$(sessions "$HOSTS" a)
            [ -n "$s" ] && [ $n -lt 4 ] || continue
            # at once, a little later, later still: the model on its way there, in training, on its way back
            sleep "0.$((n % 3))5"
            kill -9 $s 2>/dev/null && n=$((n + 1))
            [ $n -ne 2 ] || { stop_host "$HOSTS" a; sleep 0.5; start_host "$HOSTS" a; }
        done
        wait $pid || { cat err; false; }
        same
        [ $n -lt 3 ] || break
    done
    [ $n -ge 3 ]
}

@test "the head, parallel and the script killed: the same command ends with the same bytes" {
    cat >workers <<END
{"name":"w0"}
{"name":"w1"}
END
    sed -i 's/"model"/"passes": 300, "model"/' space.json
    rm -rf reference
    hop-run -q -o reference --data data --workers 3 --device ref grid --iterations 2 space.json >/dev/null
    for what in "hop-run" "parallel" "sh .*/jobs/next"; do
        go -q >/dev/null 2>err 3>&- &
        pid=$!
        for _ in $(seq 200); do
            sleep 0.02
            [ "$(grep -c train/1 run/log.jsonl 2>/dev/null)" -ge "${n:-2}" ] 2>/dev/null && break
        done
        n=$(($(grep -c train/1 run/log.jsonl) + 3))
        case $what in
        hop-run) kill -9 $pid ;;
        parallel) pgrep -f "/parallel --will-cite .*run/jobs" | while read -r p; do
            [ "$(readlink "/proc/$p/cwd")" != "$PWD" ] || kill -9 "$p"; done ;;
        *) pgrep -f "^sh run/jobs/next" | while read -r p; do
            [ "$(readlink "/proc/$p/cwd")" != "$PWD" ] || kill -9 "$p"; done ;;
        esac
        wait $pid || :
    done
    # visits that outlive it hold the run's lock
    for _ in $(seq 100); do
        status=0
        go -q >/dev/null 2>err || status=$?
        [ $status -eq 75 ] || break
        sleep 0.1
    done
    cat err
    [ $status -eq 0 ]
    same
}

@test "what a killed parallel leaves behind does not hold the run" {
    # its dummy processes (it counts how many it may have) sleep for hours
    mkdir bin
    cat >bin/parallel <<END
#!/bin/sh
case " \$* " in *" --joblog "*) [ -e left ] || { sleep 1000 & echo \$! >left; kill -9 \$\$; } ;; esac
exec $(command -v parallel) "\$@"
END
    chmod +x bin/parallel
    printf '%s\n' '{"name":"w0"}' '{"name":"w1"}' >workers
    status=0
    PATH=$PWD/bin:$PATH go -q >/dev/null 2>err 3>&- || status=$?
    [ $status -eq 0 ] || [ $status -eq 75 ]
    kill -0 "$(cat left)"
    PATH=$PWD/bin:$PATH go -q >/dev/null
    kill "$(cat left)"
    same
}
