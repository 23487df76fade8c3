# Engines: GNU parallel, GNU make, Slurm, all of them real. Whichever runs the visits, in whatever
# company, and whatever is killed meanwhile: the same bytes.
load lib
load tiny
load slurm

setup_file()
{
    load lib
    load tiny
    load slurm
    cd "$BATS_FILE_TMPDIR"
    export NO_SLURM=$(slurm_missing)
    # Jobs find the tools that are tested, and locks of devices of our own.
    [ -n "$NO_SLURM" ] || slurm_start "$BATS_FILE_TMPDIR/slurm" 2
    tiny_data 3
    tiny_net
    # Visits of about a tenth of a second: there must be time to be killed in.
    cat >space.json <<'JSON'
{"model": "./net.json", "passes": 300, "batch_size": [8],
 "optimizer": [{"_name": "sgd", "lr": [0.05], "momentum": [0.9]},
               {"_name": "adam", "lr": [0.01, 0.001]}, {"_name": "rmsprop", "lr": [0.001]}]}
JSON
    # Replicas: every shard on two workers.
    cat >workers <<'END'
{"name":"a","node":"n1","gres":"visit:1","shards":["train-000","train-001","val-000"]}
{"name":"b","node":"n2","gres":"visit:1","shards":["train-001","train-002","val-001","val-000"]}
END
    hop-run -q -o reference --data data --workers 1 --device ref grid --iterations 2 space.json >reference.txt
}

teardown_file()
{
    for conf in "$BATS_FILE_TMPDIR"/*/slurm.conf; do
        [ -e "$conf" ] || continue
        export SLURM_CONF=$conf SLURM_DIR=${conf%/*}
        slurm_stop
    done
}

local_setup()
{
    cd "$BATS_FILE_TMPDIR"
    export SLURM_CONF=$BATS_FILE_TMPDIR/slurm/slurm.conf SLURM_DIR=$BATS_FILE_TMPDIR/slurm
}

need_slurm()
{
    [ -z "$NO_SLURM" ] || skip "$NO_SLURM"
}

# go ENGINE RUN [OPTIONS]; `exec=exec go ... &` is hop-run itself, to be killed.
go()
{
    local engine=$1 run=$2
    shift 2
    ${exec:-} env HOP_PATIENCE="${patience:-15}" hop-run -q -o "$run" --data data --workers workers --device ref --engine "$engine" "$@" \
        grid --iterations "${iterations:-2}" space.json
}

# whole RUN: it is what it should be: bytes, log, no litter.
whole()
{
    no_leftovers "$1"
    same_tensors reference "$1"
    jq -c . "$1/log.jsonl" >/dev/null
    [ "$(jq -c 'select(.hop == "train/1") | [.id, .visit, .shard]' "$1/log.jsonl" | sort | uniq -d | wc -l)" -eq 0 ]
    [ "$(jq -c 'select(.hop == "train/1") | [.id, .visit]' "$1/log.jsonl" | wc -l)" -eq 24 ]
    [ "$(jq -c 'select(.hop == "eval/1" and .shard == null) | [.id, .iteration]' "$1/log.jsonl" | sort -u | wc -l)" -eq 8 ]
}

# results RUN: what was found out
results()
{
    jq -c 'select(.hop == "eval/1" and .shard == null) | [.id, .iteration, .split, .loss, .accuracy]' "$1/log.jsonl" | sort
}

@test "the same run under parallel, make: the same bytes, and the same results" {
    for engine in parallel make; do
        go $engine $engine >/dev/null
        whole $engine
        diff <(results reference) <(results $engine)
        # both workers worked
        [ "$(jq -r 'select(.hop == "train/1") | .worker' $engine/log.jsonl | sort -u | xargs)" = "a b" ]
    done
}

@test "the same run under slurm: the same bytes, and the same results" {
    need_slurm
    go slurm slurm >/dev/null
    whole slurm
    diff <(results reference) <(results slurm)
    [ "$(jq -r 'select(.hop == "train/1") | .worker' slurm/log.jsonl | sort -u | xargs)" = "a b" ]
    # a job's folder goes with its success
    [ -z "$(ls -d slurm/jobs/slurm.*Z.* 2>/dev/null)" ]
}

@test "a run that changes its engine at each iteration" {
    engines=(make parallel make)
    [ -n "$NO_SLURM" ] || engines=(make slurm parallel)
    iterations=1 go "${engines[0]}" changing >/dev/null
    # killed in the middle of the second iteration
    exec=exec go "${engines[1]}" changing >/dev/null 2>&1 3>&- &
    pid=$!
    for _ in $(seq 200); do
        [ "$(grep -c '"train/1"' changing/log.jsonl)" -lt 15 ] || break
        sleep 0.05
    done
    kill -TERM $pid
    status=0
    wait $pid || status=$?
    [ $status -eq 143 ] || [ $status -eq 0 ]
    for _ in 1 2 3 4; do
        status=0
        go "${engines[2]}" changing >/dev/null || status=$?
        [ $status -eq 75 ] || break
    done
    [ $status -eq 0 ]
    whole changing
}

# ---- names ----

# Whatever a shell, make or Slurm would do with it.
hostile_names()
{
    NL=$'\n'
    hostile="a=b \$(touch pwned)\`touch pwned\` '\"\$HOME\$\$ %j %% \\ # ; touch pwned & @x *${NL}touch pwned"
}

# hostile_run ENGINE: paths, workers, devices
hostile_run()
{
    hostile_names
    mkdir -p "hostile $1"
    cd "hostile $1"
    mkdir -- "-d $hostile" "f $hostile"
    cp ../data/* "./-d $hostile/"
    cp ../data/train-001.safetensors ../data/val-001.safetensors "f $hostile/"
    cp ../net.json .
    sed 's/300/2/' ../space.json >"space $hostile.json"
    jq -nc --arg n "-a $hostile" '{name: $n, node: "n1", gres: "visit:1", shards: ["train-000", "train-002", "val-000"]}' >"w $hostile"
    jq -nc --arg n "b@$hostile" --arg f "f $hostile" --arg p "$HOP_BUILD/bin" \
        '{name: $n, node: "n2", folder: $f, path: $p, shards: ["train-001", "val-001"]}' >>"w $hostile"
    HOP_PATIENCE=15 hop-run -q -o "$hostile" --data "-d $hostile" --workers "w $hostile" --device ref --engine "$1" \
        grid "space $hostile.json" >table
    [ ! -e pwned ] && [ ! -e ../pwned ]
    [ "$(wc -l <table)" -eq 5 ]
    jq -r 'select(.hop == "train/1") | .worker' "$hostile/log.jsonl" | sort -u | cmp - <(printf '%s\n' "-a $hostile" "b@$hostile" | sort -u)
    jq -r 'select(.hop == "eval/1" and .shard == null) | .id' "$hostile/log.jsonl" | sort | uniq -c | grep -c ' 1 ' | grep -qx 4
    mv "$hostile" run
    cd ..
    hop-run -q -o "-plain $1" --data data --workers 1 --device ref grid "hostile $1/space $hostile.json" >/dev/null
    same_tensors "./-plain $1" "hostile $1/run"
    # and the commands as lines are commands
    cd "hostile $1"
    hop-run --dry-run -q -o "-again $hostile" --data "-d $hostile" --workers "w $hostile" --device ref --engine "$1" \
        grid "space $hostile.json" >lines
    [ ! -e "-again $hostile" ]
    hop-visit --run "./-again $hostile" --add-configs <run/configs.jsonl
    sh lines
    [ ! -e pwned ]
    mv "./-again $hostile" again
    same_tensors run again
}

@test "names with quotes, \$(), newlines, dashes, @, =, %, \\ under parallel" {
    hostile_run parallel
}

@test "names with quotes, \$(), newlines, dashes, @, =, %, \\ under make" {
    hostile_run make
}

@test "names with quotes, \$(), newlines, dashes, @, =, %, \\ under slurm" {
    need_slurm
    hostile_run slurm
}

# ---- what goes wrong ----

# every engine that there is
engines()
{
    echo parallel make
    [ -n "$NO_SLURM" ] || echo slurm
}

# broken STATUS: ./broken/hop-train and hop-eval that exit so, having read what they are given
broken()
{
    mkdir -p broken
    printf '#!/bin/sh\ncat >/dev/null\necho "hop-train: out of order" >&2\nexit %s\n' "$1" >broken/hop-train
    cp broken/hop-train broken/hop-eval
    chmod +x broken/*
}

@test "a worker that does not work: its visits go to another that has the shards, and it is named" {
    cp workers workers.kept
    cat >replicas <<END
{"name":"lame one","node":"n1","path":"$PWD/broken","shards":["train-000","train-001","train-002","val-000","val-001"]}
{"name":"b","node":"n2","gres":"visit:1","shards":["train-000","train-001","train-002","val-000","val-001"]}
END
    cp replicas workers
    for how in 75 1; do
        broken $how
        for engine in $(engines); do
            [ $engine$how != slurm1 ] || continue
            run --separate-stderr -0 go $engine elsewhere.$engine.$how
            [[ $stderr == *"set aside"* ]]
            [[ $stderr == *"lame one"* ]]
            # the shared run folder: nothing is left of what went wrong
            whole elsewhere.$engine.$how
            [ "$(jq -r 'select(.hop == "train/1") | .worker' elsewhere.$engine.$how/log.jsonl | sort -u)" = b ]
        done
    done
    cp workers.kept workers
}

@test "a shard that is lost stops only what needs it: exit 75, the command that goes on, and it does" {
    cp workers workers.kept
    broken 75
    cat >workers <<END
{"name":"a","node":"n1","shards":["train-000","train-002","val-000","val-001"]}
{"name":"b","node":"n2","path":"$PWD/broken","shards":["train-001"]}
END
    for engine in $(engines); do
        run --separate-stderr -75 go $engine lost.$engine --retries 0
        [[ $stderr == *"try again: hop-visit --run "*"--shard train-001 --worker b"*"(exit 75)"* ]]
        [[ $stderr == *"to go on: hop-run -q -o lost.$engine "* ]]
        # 0 1 2 | 1 2 0 | 2 0 1 | 0 1 2: as far as each gets without train-001
        [ "$(jq -r 'select(.hop == "train/1") | .id' lost.$engine/log.jsonl | sort | uniq -c | xargs)" = "1 c0001 2 c0003 1 c0004" ]
        no_leftovers lost.$engine
    done
    cp workers.kept workers
    for engine in $(engines); do
        go $engine lost.$engine >/dev/null
        whole lost.$engine
    done
}

@test "a visit that fails: exit 1, its own words; --halt soon begins nothing more, now ends what runs" {
    cp workers workers.kept
    broken 3
    cat >workers <<END
{"name":"a","node":"n1","shards":["train-000","train-002","val-000","val-001"]}
{"name":"b","node":"n2","path":"$PWD/broken","shards":["train-001"]}
END
    for engine in $(engines); do
        run --separate-stderr -1 go $engine failing.$engine
        [[ $stderr == *"failed: hop-visit --run "*"--shard train-001 --worker b"*"(exit "* ]]
        [[ $stderr == *"hop-train: out of order"* ]]
        [ "$(jq -r 'select(.hop == "train/1") | .id' failing.$engine/log.jsonl | sort | uniq -c | xargs)" = "1 c0001 2 c0003 1 c0004" ]
        for halt in soon now; do
            [ $engine$halt != slurmsoon ] || continue
            run --separate-stderr -1 go $engine failing.$engine.$halt --halt $halt
            [[ $stderr == *"failed: hop-visit --run "* ]]
            no_leftovers failing.$engine.$halt
            [ $engine = slurm ] || [ "$(grep -c '"train/1"' failing.$engine.$halt/log.jsonl)" -lt 4 ]
        done
    done
    cp workers.kept workers
    for engine in $(engines); do
        go $engine failing.$engine.now >/dev/null
        whole failing.$engine.now
    done
}

# begin ENGINE RUN: in the background, as $pid, until a few visits are done.
begin()
{
    exec=exec go "$1" "$2" --retries 6 >/dev/null 2>"$2.err" 3>&- &
    pid=$!
    until_done "$2" 4
}

# until_done RUN N: N visits are in the log, or the run has ended.
until_done()
{
    for _ in $(seq 2400); do
        [ "$(cat "$1/log.jsonl" 2>/dev/null | grep -c '"train/1"')" -lt "$2" ] || return 0
        kill -0 $pid 2>/dev/null || return 0
        sleep 0.05
    done
    cat "$1.err"
    return 1
}

# end ENGINE RUN: what was begun has ended; called again until it is done, it is whole.
end()
{
    local status=0 n=0
    wait $pid || status=$?
    # visits that outlive their engine hold the run for a while
    for _ in $(seq 60); do
        [ $status -ne 0 ] || break
        case $status in 75 | 137 | 143) ;; *) echo "exit $status"; cat "$2.err"; return 1 ;; esac
        status=0
        [ "$1" != slurm ] || slurm_resume
        go "$1" "$2" --retries 6 >/dev/null 2>"$2.err" || status=$?
        grep -q 'another hop-run works on it' "$2.err" || n=$((n + 1))
        [ "$n" -lt 5 ] || break
        sleep 0.3
    done
    [ $status -eq 0 ] || { echo "exit $status"; cat "$2.err"; return 1; }
    whole "$2"
}

# child PATTERN: the process below $pid that is called so
child()
{
    pgrep -P "$pid" -f "$1" | head -n 1
}

@test "make is killed: the same command goes on" {
    begin make killed.make
    victim=$(child '^make -j')
    kill -9 "$victim"
    end make killed.make
    # by a signal: it ends, and what it ran
    begin make ended.make
    kill -TERM $pid
    status=0
    wait $pid || status=$?
    [ $status -eq 143 ]
    ! pgrep -f 'hop-visit --run ended.make' || { pgrep -af 'hop-visit --run ended.make'; false; }
    no_leftovers ended.make
    go make ended.make >/dev/null
    whole ended.make
}

@test "the script of Slurm is killed: its jobs work on, the same command takes over" {
    need_slurm
    begin slurm killed.head
    n=$(grep -c '"train/1"' killed.head/log.jsonl)
    kill -9 "$(child 'next.slurm')" $pid
    wait $pid || true
    pid=$$
    until_done killed.head $((n + 2))
    # (what hop-run had started last may hold its lock for a moment)
    for _ in $(seq 20); do
        status=0
        go slurm killed.head >/dev/null || status=$?
        [ $status -eq 75 ] || break
        sleep 0.2
    done
    [ $status -eq 0 ]
    whole killed.head
}

@test "a job is killed, another cancelled, another requeued: the run ends by itself" {
    need_slurm
    begin slurm killed.job
    scancel --full --signal=KILL "$(squeue -h -t R -o %i | head -n 1)"
    until_done killed.job 8
    scancel "$(squeue -h -t R -o %i | tail -n 1)" || true
    until_done killed.job 12
    job=$(squeue -h -t R -o %i | head -n 1)
    [ -z "$job" ] || scontrol requeue "$job"
    status=0
    wait $pid || status=$?
    [ $status -eq 0 ] || { cat killed.job.err; false; }
    whole killed.job
}

@test "slurmctld is killed and comes back" {
    need_slurm
    begin slurm killed.ctld
    kill -9 "$(slurm_pid slurmctld)"
    sleep 2
    slurm_controller
    end slurm killed.ctld
}

@test "slurmd and all of its node are killed and come back" {
    need_slurm
    begin slurm killed.slurmd
    jobs=$(squeue -h -w n2 -o %A)
    kill -9 "$(slurm_pid n2)"
    for job in $jobs; do pkill -9 -f "slurmstepd: \\[$job" || true; done
    pkill -9 -f "$SLURM_DIR/spool.n2/job" || true
    sleep 1
    slurm_node n2
    # as after a reboot: a node that was given up meanwhile is brought back
    for _ in $(seq 150); do
        case $(sinfo -h -N -n n2 -o %T) in
        idle | mixed | allocated) break ;;
        *) slurm_resume ;;
        esac
        sleep 0.2
    done
    end slurm killed.slurmd
    scancel -u "$(id -un)" # jobs of which Slurm has not noticed that they are gone
    slurm_resume
    for _ in $(seq 150); do
        [ "$(sinfo -h -N -o %T | grep -c idle)" -lt 2 ] || break
        sleep 0.2
    done
    [ "$(sinfo -h -N -o %T | grep -c idle)" -eq 2 ]
}

@test "a node that is down: its visits go elsewhere or wait for it, and it is named" {
    need_slurm
    slurm_resume
    scontrol update NodeName=n2 State=DRAIN Reason=test
    patience=3
    run --separate-stderr -75 go slurm down
    scontrol update NodeName=n2 State=RESUME
    [[ $stderr == *"worker b is set aside: its job cannot begin"* ]]
    [[ $stderr == *"no worker for: hop-visit --run "*"--shard train-002 --worker b"* ]]
    # b alone has train-002; a has all else
    [ "$(jq -r 'select(.hop == "train/1") | .worker' down/log.jsonl | sort -u)" = a ]
    go slurm down >/dev/null
    whole down
}

@test "a Slurm that takes three jobs at a time, finished ones included (MaxJobCount), and five workers" {
    need_slurm
    slurm_stop
    cp workers workers.kept
    slurm_start "$BATS_FILE_TMPDIR/small-slurm" 2 "MaxJobCount=3"
    for k in 0 1 2; do echo "{\"name\":\"w$k\",\"shards\":[\"train-00$k\"]}"; done >workers
    for k in 0 1; do echo "{\"name\":\"v$k\",\"shards\":[\"val-00$k\"]}"; done >>workers
    # idle jobs make room soon
    patience=4
    for _ in 1 2 3 4; do
        status=0
        iterations=1 go slurm crowded >/dev/null || status=$?
        [ $status -eq 75 ] || break
    done
    [ $status -eq 0 ]
    cp workers.kept workers
    no_leftovers crowded
    iterations=1 go parallel short >/dev/null
    same_tensors short crowded
}

@test "nodes that do not see the run folder: models travel through srun, under each engine" {
    need_slurm
    unshare -m true 2>/dev/null || skip "no mount namespaces here"
    slurm_stop
    mkdir head
    export SLURM_HIDES=$PWD/head
    slurm_start "$BATS_FILE_TMPDIR/far-slurm" 2
    cp -R data net.json space.json reference head/
    # each node has hop of its own, which writes down where it ran
    for node in n1 n2; do
        mkdir -p "on $node/bin"
        ln -s "$HOP_BUILD"/bin/* "on $node/bin"
        for tool in hop-train hop-eval; do
            rm "on $node/bin/$tool"
            printf '#!/bin/sh\necho "$SLURMD_NODENAME" >>"${0%%/bin/*}/ran"\nexec %s "$@"\n' "$HOP_BUILD/bin/$tool" >"on $node/bin/$tool"
            chmod +x "on $node/bin/$tool"
        done
    done
    cp data/train-000.* data/train-001.* data/val-000.* "on n1"
    cp data/train-001.* data/train-002.* data/val-00* "on n2"
    cat >head/workers <<END
{"name":"a","srun":[],"node":"n1","folder":"$PWD/on n1","path":"$PWD/on n1/bin","shards":["train-000","train-001","val-000"]}
{"name":"b","srun":["--cpus-per-task=1"],"node":"n2","gres":"visit:1","folder":"$PWD/on n2","path":"$PWD/on n2/bin","shards":["train-001","train-002","val-001","val-000"]}
END
    cd head
    [ -z "$(srun -w n1 --chdir=/ ls "$PWD")" ]
    hop-schedule probe workers --data data >probed
    [ "$(jq -r .probe.status probed | xargs)" = "ok ok" ] || { cat probed; false; }
    for engine in slurm parallel make; do
        rm -f ../on*/ran
        status=0
        go $engine $engine >/dev/null 2>$engine.err || status=$?
        [ $status -eq 0 ] || { echo "exit $status"; cat $engine.err; false; }
        whole $engine
        # 24 visits, and evaluations, each where its worker is
        [ "$(sort -u "../on n1/ran") $(sort -u "../on n2/ran")" = "n1 n2" ]
        [ "$(cat ../on*/ran | wc -l)" -ge 40 ]
        [ "$(jq -r 'select(.hop == "train/1") | .worker' $engine/log.jsonl | sort -u | xargs)" = "a b" ]
        [ -z "$(squeue -h -t R)" ] || sleep 3
        [ -z "$(squeue -h -t R)" ] || { squeue; false; }
    done
    # in a job that holds both nodes visits are its steps
    salloc --quiet -N2 --gres=visit:1 env HOP_PATIENCE=15 hop-run -q -o held --data data --workers workers --device ref \
        --engine parallel grid --iterations 2 space.json >/dev/null
    whole held
    # a step is killed, a job cancelled, salloc killed: the run ends all the same
    begin slurm broken
    timeout 5 scancel "$(squeue -h -t R -o %i | head -n 1)" || true
    until_done broken 8
    victim=$(pgrep -P "$(child next.slurm)" -f '^salloc ' | head -n 1)
    [ -z "$victim" ] || kill -9 "$victim"
    until_done broken 12
    victim=$(pgrep -f "^srun .*$BATS_FILE_TMPDIR/on n" | head -n 1)
    [ -z "$victim" ] || kill -9 "$victim"
    end slurm broken
    unset SLURM_HIDES
}
