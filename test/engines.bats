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
    slurm_stop
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
