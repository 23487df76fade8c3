#!/bin/bash
# chaos.bash - kill and cut whatever there is, at random, while runs go on over three hosts (sshds of
# this machine with folders and keys of their own), three nodes of a Slurm of our own, and this machine;
# each run must end when it is called again, with the same bytes as one that nobody disturbed.
#
# Environment: SEED (default: of the clock, printed), EVENTS (200), MAX_S (seconds after which no more
# events come; default none), ENGINES ("parallel make slurm", the last where it is installed: one of them
# at random at every call), HOP_BUILD. Prints one line of JSON; exit 1 if anything was wrong.
set -u
BATS_RUN_TMPDIR=$(mktemp -d /tmp/hop-chaos.XXXXXX) || exit 1
export BATS_RUN_TMPDIR
HERE=$(cd "$(dirname "$0")" && pwd)
: "${HOP_BUILD:=$HERE/../build}" "${EVENTS:=200}" "${MAX_S:=100000}" "${ENGINES:=parallel make slurm}"
: "${SEED:=$(($(date +%s) % 32768))}"
PATH=$HOP_BUILD/bin:$PATH
export HOP_SHARE=$HERE/../share PATH
. "$HERE/tiny.bash"
. "$HERE/hosts.bash"
. "$HERE/slurm.bash"
W=$BATS_RUN_TMPDIR
HOSTS=$W/hosts
RANDOM=$SEED

# bash tells of every process of ours that was killed: not to people
exec 5>&2 2>"$W/bash.err"
say() { printf 'chaos: %s\n' "$*" >&5; }
wrong() { say "SEED=$SEED: WRONG: $*"; say "everything is in $W"; cat "$W/bash.err" >&5; trap - EXIT; cp -R "$W/run" "$W/run.then"; leave; exit 1; }
leave()
{
    [ -z "${pid:-}" ] || kill -9 "$pid" 2>/dev/null
    [ -z "$has_slurm" ] || slurm_stop
    victims . | xargs -r kill -9 2>/dev/null
    stop_hosts "$HOSTS"
    stepds | xargs -r kill -9 2>/dev/null
    sleep 0.3
    mountpoint -q "$W/run" && umount -l "$W/run"
}
has_slurm=
trap 'leave; rm -rf "$W"' EXIT
trap 'exit 130' INT TERM

# ---- the scene ----

missing=$(no_hosts)
[ -z "$missing" ] || { say "left out: $missing"; exit 0; }
case " $ENGINES " in
*' slurm '*)
    missing=$(slurm_missing)
    if [ -z "$missing" ]; then has_slurm=1; else
        say "without Slurm: $missing"
        ENGINES=$(echo " $ENGINES " | sed 's/ slurm / /; s/^ *//; s/ *$//')
    fi
    ;;
esac
cd "$W" || exit 1
tiny_data 4
tiny_net
# a visit takes about a fifth of a second: there must be time to be killed in
cat >space.json <<'JSON'
{"model": "./net.json", "passes": 2000, "batch_size": [8],
 "optimizer": [{"_name": "sgd", "lr": [0.05], "momentum": [0.9]}, {"_name": "adam", "lr": [0.01, 0.001]},
               {"_name": "rmsprop", "lr": [0.001]}]}
JSON
start_hosts "$HOSTS" a b c || wrong "no sshd"
for h in a b c; do cp data/*.safetensors "$HOSTS/$h/data/"; done
remote() # NAME HOST KEYS
{
    echo "{\"name\":\"$1\",\"ssh\":$(ssh_words "$HOSTS" "$2"),\"folder\":\"$HOSTS/$2/data\",\"path\":\"$HOP_BUILD/bin\",$3}"
}
{
    remote a a '"node":"n1","shards":["train-000","train-001","val-000"]'
    remote b b '"node":"n2","shards":["train-001","train-002"]'
    remote c c '"node":"n3","shards":["train-002","val-001"],"slots":2'
    echo '{"name":"here","shards":["train-003","val-000"]}'
} >workers
hop-run -q -o "$W/reference" --data "$W/data" --workers 2 --device ref --best val.loss grid --iterations 2 "$W/space.json" >/dev/null ||
    wrong "the undisturbed run failed"
n_trained=$(grep -c '"hop":"train/1"' reference/log.jsonl)
# jobs hold nodes for a while when there is nothing to do, and wait so long for nodes that are down
export HOP_PATIENCE=15
if [ -n "$has_slurm" ]; then slurm_start "$W/slurm" 3 >&5 || wrong "no Slurm"; fi
mkdir run
can_fill=
mount -t tmpfs -o size=6m tmpfs "$W/run" 2>/dev/null && can_fill=1
[ -n "$can_fill" ] || say "cannot mount a tmpfs: no full disks"

# ---- what can break ----

# victims PATTERN: processes of this scene whose command line matches, one a line
victims()
{
    local p line
    pgrep -f "$1" | while read -r p; do
        [ "$p" -ne $$ ] && [ "$p" -ne "$BASHPID" ] || continue
        line=$(tr '\0' ' ' 2>/dev/null <"/proc/$p/cmdline") || continue
        case $line in
        *chaos.bash* | pgrep*) ;;
        *"$W/"*) echo "$p" ;;
        esac
    done
}

# hit KIND PATTERN: kill -9 one of them
hit()
{
    local p
    p=$(victims "$2" | one_of)
    [ -n "$p" ] && kill -9 "$p" 2>/dev/null || return 1
    note "$1"
}

note() { echo "$1" >>events; n_events=$((n_events + 1)); }

kinds=(train train visit visit ssh ssh session session engine head script term away)
[ -z "$can_fill" ] || kinds+=(full)
[ -z "$has_slurm" ] || kinds+=(job job pilot pilot stepd stepd scancel requeue ctld slurmd node munge)
names=(a b c)

# stepds [NODE]: what looks after jobs on our nodes, process ids
stepds()
{
    local p
    pgrep -f '^slurmstepd: ' | while read -r p; do
        tr '\0' '\n' 2>/dev/null <"/proc/$p/environ" | grep -qx "SLURM_CONF=$W/slurm/slurm.conf" || continue
        [ -z "${1:-}" ] || tr '\0' '\n' 2>/dev/null <"/proc/$p/environ" | grep -qx "SLURMD_NODENAME=$1" || continue
        echo "$p"
    done
}

one_of() { shuf -n 1 --random-source=<(yes "$RANDOM"); }

# break_slurm KIND NODE: false when Slurm has no such thing now
break_slurm()
{
    local p job
    [ "$engine" = slurm ] || return 1
    case $1 in
    job | pilot | stepd | scancel | requeue)
        job=$(timeout 5 squeue -h -t R -o %A 2>/dev/null | one_of)
        [ -n "$job" ] || return 1
        ;;
    esac
    case $1 in
    job) timeout 5 scancel --full --signal=KILL "$job" ;;
    scancel) timeout 5 scancel "$job" ;;
    requeue) timeout 5 scontrol requeue "$job" ;;
    pilot) hit pilot '/slurm_script' && n_events=$((n_events - 1)) && sed -i '$d' events ;;
    stepd)
        p=$(stepds | one_of)
        [ -n "$p" ] && kill -9 "$p"
        ;;
    ctld)
        kill -9 "$(slurm_pid slurmctld)"
        sleep "$((RANDOM % 3)).5"
        slurm_controller || wrong "slurmctld does not come back"
        ;;
    munge)
        kill -9 "$(cat "$W/slurm/munge.pid")"
        sleep "$((RANDOM % 2)).5"
        slurm_munge || wrong "munged does not come back"
        ;;
    slurmd | node)
        kill -9 "$(slurm_pid "$2")"
        if [ "$1" = node ]; then
            # with all that ran there
            stepds "$2" | xargs -r kill -9
            on_node "$2" | xargs -r kill -9
        fi
        sleep "$((RANDOM % 3)).5"
        slurm_node "$2" || wrong "slurmd $2 does not come back"
        ;;
    esac || return 1
    note "$1"
}

# on_node NODE: processes of jobs there
on_node()
{
    local p
    for p in /proc/[0-9]*; do
        tr '\0' '\n' 2>/dev/null <"$p/environ" | grep -qx "SLURMD_NODENAME=$1" || continue
        grep -qz "^SLURM_CONF=$W/" "$p/environ" 2>/dev/null && echo "${p#/proc/}"
    done
}

# mend_slurm: nodes that Slurm has given up come back, as an administrator would see to it.
mend_slurm()
{
    local node state
    timeout 5 sinfo -h -N -o '%N %T' 2>/dev/null | while read -r node state; do
        case $state in down* | drain*) timeout 5 scontrol update "NodeName=$node" State=RESUME ;; esac
    done
}

break_something()
{
    local kind=${kinds[RANDOM % ${#kinds[@]}]} h=${names[RANDOM % 3]} s
    case $kind in
    train) hit train '^[^ ]*hop-(train|eval) .*--shard' ;;
    visit) hit visit '^hop-visit ' ;;
    ssh) hit ssh '^ssh ' ;;
    session)
        s=$(sessions "$HOSTS" "$h" | one_of)
        [ -n "$s" ] && kill -9 "$s" 2>/dev/null && note session
        ;;
    engine) hit engine '(parallel --will-cite|^make) ' ;;
    head) hit head '/hop-run -q -o ' ;;
    script) hit script '^sh [^ ]*/jobs/next' ;;
    term) kill -TERM "$pid" 2>/dev/null && note term ;;
    job | pilot | stepd | scancel | requeue | ctld | slurmd | node | munge) break_slurm "$kind" "n$((RANDOM % 3 + 1))" ;;
    away)
        stop_host "$HOSTS" "$h"
        sleep "0.$((RANDOM % 10))"
        s=$(sessions "$HOSTS" "$h")
        [ -z "$s" ] || kill -9 $s 2>/dev/null
        note away
        sleep "0.$((RANDOM % 10))"
        start_host "$HOSTS" "$h" || wrong "host $h does not come back"
        ;;
    full)
        note full
        n_full=$((n_full + 1))
        was_full=1
        dd if=/dev/zero of="$W/run/filler" bs=64k 2>/dev/null
        dd if=/dev/zero of="$W/run/filler2" bs=512 2>/dev/null
        sleep "0.$((RANDOM % 10))"
        rm -f "$W/run/filler" "$W/run/filler2"
        ;;
    esac
}

# ---- what must hold ----

# Whatever has just died, every model file is a whole one.
check_files()
{
    local f
    for f in "$1"/models/*.safetensors "$1"/best/*.safetensors; do
        [ -e "$f" ] || continue
        hop-eval -q --device ref --shard "$W/data/val-000.safetensors" <"$f" >/dev/null || wrong "$f is damaged"
    done
}

# Lines are whole; a disk that was full may have cut some, once each, and nothing is lost by that.
check_log()
{
    local n_bad
    n_bad=$(jq -R 'select(length > 0) | try (fromjson | empty) catch 1' "$1" | wc -l)
    [ "$n_bad" -le $((n_full * 8)) ] || wrong "$1: $n_bad lines are not whole"
    [ "$n_full" -gt 0 ] || [ "$n_bad" -eq 0 ] || wrong "$1: a torn line"
}

lines() { jq -R -c 'fromjson? | '"$2" "$1" | sort; }

check_end()
{
    local run=$1 twice
    check_files "$run"
    check_log "$run/log.jsonl"
    same_tensors "$W/reference" "$run" || wrong "$run: tensors"
    twice=$(lines "$run/log.jsonl" 'select(.hop == "train/1") | [.id, .visit]' | uniq -d)
    [ -z "$twice" ] || wrong "$run: done twice: $twice"
    [ "$(lines "$run/log.jsonl" 'select(.hop == "train/1") | [.id, .visit, .shard]')" = \
        "$(lines reference/log.jsonl 'select(.hop == "train/1") | [.id, .visit, .shard]')" ] || wrong "$run: visits"
    [ "$(lines "$run/log.jsonl" 'select(.hop == "eval/1" and .shard == null) | [.id, .iteration, .split, .loss]')" = \
        "$(lines reference/log.jsonl 'select(.hop == "eval/1" and .shard == null) | [.id, .iteration, .split, .loss]')" ] ||
        wrong "$run: evaluations"
    [ -z "$(find "$run" -name '*.tmp')" ] || wrong "$run: $(find "$run" -name '*.tmp')"
    [ "$(ls "$run/best")" = "$(ls reference/best)" ] || wrong "$run: best states"
}

# ---- go on until enough was broken, and the last run has ended ----

engines=($ENGINES)
n_events=0
n_full=0
n_runs=1
n_calls=0
n_75=0
was_full=
mend_at=0
quiet_since=$SECONDS
pid=
begin=$SECONDS
: >events
while :; do
    if [ -z "$pid" ]; then
        engine=${engines[RANDOM % ${#engines[@]}]}
        hop-run -q -o "$W/run/$n_runs" --data "$W/data" --workers "$W/workers" --engine "$engine" --device ref --retries 2 \
            --best val.loss grid --iterations 2 "$W/space.json" >run.out 2>run.err &
        pid=$!
        n_calls=$((n_calls + 1))
        n_before=$n_events
    fi
    sleep "0.$((RANDOM % 6))$((RANDOM % 10))"
    [ -z "$has_slurm" ] || [ $SECONDS -lt $mend_at ] || { mend_slurm; mend_at=$((SECONDS + 3)); }
    if [ $n_events -lt "$EVENTS" ] && [ $((SECONDS - begin)) -lt "$MAX_S" ]; then break_something; fi
    kill -0 "$pid" 2>/dev/null && continue
    wait "$pid"
    status=$?
    pid=
    case $status in
    0)
        check_end "run/$n_runs"
        [ $n_events -lt "$EVENTS" ] && [ $((SECONDS - begin)) -lt "$MAX_S" ] || break
        say "run $n_runs has ended, $n_events events so far"
        [ -z "$can_fill" ] || rm -rf "run/$n_runs"
        n_runs=$((n_runs + 1))
        n_full=0
        ;;
    75 | 137 | 143)
        # an orphan may hold the run's lock for a moment
        n_75=$((n_75 + 1))
        [ $n_before -eq $n_events ] || quiet_since=$SECONDS
        [ $((SECONDS - quiet_since)) -lt 120 ] || { cat run.err >&5; wrong "undisturbed, it does not get on"; }
        [ ! -e "run/$n_runs/log.jsonl" ] || check_log "run/$n_runs/log.jsonl"
        [ $((n_calls % 5)) -ne 0 ] || check_files "run/$n_runs"
        ;;
    1)
        # only a full disk is a failure for good
        [ -n "$was_full" ] || { cat run.err >&5; wrong "exit 1"; }
        ;;
    *) cat run.err >&5; wrong "exit $status" ;;
    esac
    [ $n_before -eq $n_events ] && was_full=
done
printf '{"chaos":%d,"seed":%d,"runs":%d,"calls":%d,"visits":%d,"wall_s":%d,"engines":"%s","events":{%s}}\n' \
    $n_events "$SEED" $n_runs $n_calls $((n_runs * n_trained)) $((SECONDS - begin)) "$ENGINES" \
    "$(sort events | uniq -c | awk '{ printf "%s\"%s\":%d", (NR > 1 ? "," : ""), $2, $1 }')"
