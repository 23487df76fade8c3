#!/bin/sh
# hop-run - the whole search in one command: ask hop-search, plan with hop-schedule, run the plan,
# until hop-search asks for nothing more. All that is decided is decided by those two.
set -u

me=hop-run
run=
data=
engine=parallel
quiet=
verbose=
progress=
dry=
best=
every=
workers=
again=

say() { printf '%s: %s\n' "$me" "$*" >&2; }
die() { # STATUS TEXT
    status=$1
    shift
    say "$*"
    exit "$status"
}

usage() {
    cat 2>/dev/null <<'END'
usage: hop-run -o RUN --data DIR [OPTIONS] METHOD [METHOD'S OPTIONS] SPACE
       hop-run status RUN [--json]
       hop-run --gc RUN [--top K] [--dry-run]

Search: train and evaluate configs until METHOD asks for no more, then print
the best. Called again, it goes on where it was.

options:
  -o, --output RUN            the run folder; made if missing
      --data DIR              the data folder that hop-shard made
  -w, --workers N|FILE        workers, as for hop-schedule
      --engine NAME           what runs the visits: parallel, make or slurm (parallel)
      --dry-run               print the next visits as commands (--gc: name files), and
                              do nothing
  -d, --device NAME           device of workers that name none
      --precision NAME        precision of workers that name none
      --same-fingerprint      refuse workers whose numbers differ in their bits
      --keep TIME             let hop-train leave processes behind for TIME (10m), so
                              that visits start faster
      --eval-every N          evaluate every N iterations and after the last (1)
      --eval-train            evaluate on the train shards too
      --order NAME            cyclic or free, as for hop-schedule
      --policy NAME           as for hop-schedule
      --best METRIC           keep each config's best state by METRIC in RUN/best
                              (val: its accuracy, or loss); none = do not
      --retries N             try a visit again that asks for it (3)
      --send-ahead N          models sent to each slot while it trains (1 over ssh,
                              else 0)
      --halt WHEN             when a visit fails: never, soon or now (never)
      --nets DIR              where nets are found by name
      --json                  status as a line of JSON
      --gc RUN                remove what the run needs no longer, and name it
      --top K                 --gc: when the search is over, keep the K best configs
  -q, --quiet                 say nothing but errors
  -v, --verbose               say more
      --progress              show progress even if stderr is no terminal
  -h, --help                  show this help
  -V, --version               show version

exit: 0 done, 1 failed, 2 usage, 75 try again later or elsewhere
More: man hop-run
END
}

# A word as a POSIX shell reads it back.
quote() {
    case $1 in
    *[!A-Za-z0-9_./:=,+@-]* | '') printf "'%s'" "$(printf '%s\n' "$1" | sed "s/'/'\\\\''/g")" ;;
    *) printf '%s' "$1" ;;
    esac
}

# The tools that belong to this script come first.
case $0 in
*/*) PATH=$(cd "$(dirname "$0")" && pwd):$PATH ;;
esac
export PATH

# ---- status and --gc: hop-visit looks after run folders ----

clerk() { # OPTION ARGUMENT OF HOP-RUN...
    what=$1
    word=$2
    shift 2
    case ${1:-} in
    '') die 2 "$word: RUN is missing (see --help)" ;;
    -*) die 2 "$1: RUN comes first (see --help)" ;;
    esac
    clerk_run=$1
    shift
    for option in "$@"; do
        case $option in
        -h | --help) usage || die 1 "stdout: cannot write"; exit 0 ;;
        esac
    done
    HOP_CALLED_AS=$me
    export HOP_CALLED_AS
    exec hop-visit $quiet --run "$clerk_run" "$what" "$@"
}
case ${1:-}:${2:-} in
-q:status | -q:--gc | --quiet:status | --quiet:--gc)
    quiet=-q
    shift
    ;;
esac
case ${1:-} in
status) clerk --status "$@" ;;
--gc) clerk --gc "$@" ;;
--gc=*) die 2 "--gc: RUN comes after it (see --help)" ;;
esac

# ---- options ----

again=$me
for word in "$@"; do again="$again $(quote "$word")"; done

# $plan holds options for hop-schedule, each word quoted.
plan=
seen=' '
while [ $# -gt 0 ]; do
    option=$1
    value=
    case $option in
    --) shift; break ;;
    --*=*)
        value=${option#*=}
        option=${option%%=*}
        shift
        set -- "$option" "$value" "$@"
        ;;
    -[owd]?*)
        value=${option#-?}
        option=${option%"$value"}
        shift
        set -- "$option" "$value" "$@"
        ;;
    esac
    shown=$option
    case $option in
    -o) option=--output ;;
    -w) option=--workers ;;
    -d) option=--device ;;
    esac
    case $option in
    --output | --data | --workers | --engine | --device | --precision | --keep | --eval-every | --best | --order | --policy | --retries | --halt | --send-ahead | --nets)
        [ $# -ge 2 ] || die 2 "$shown: needs a value (see --help)"
        value=$2
        shift 2
        ;;
    --eval-train | --same-fingerprint | --dry-run | -q | --quiet | -v | --verbose | --progress | -h | --help | -V | --version)
        [ -z "$value" ] || die 2 "$shown: takes no value (see --help)"
        shift
        ;;
    -?*) die 2 "$option: unknown option (see --help)" ;;
    *) break ;;
    esac
    case $seen in
    *" $option "*) die 2 "$shown: given twice (see --help)" ;;
    esac
    seen="$seen$option "
    case $option in
    --workers) workers=$value ;;
    esac
    case $option in
    --output) run=$value ;;
    --data) data=$value ;;
    --engine) engine=$value ;;
    --eval-every)
        plan="$plan $option=$(quote "$value")"
        [ "$value" = 0 ] || every=$value
        ;;
    --best) best=$value ;;
    --workers | --device | --precision | --keep | --order | --policy | --retries | --halt | --send-ahead | --nets)
        plan="$plan $option=$(quote "$value")"
        ;;
    --eval-train | --same-fingerprint) plan="$plan $option" ;;
    --dry-run) dry=1 ;;
    -q | --quiet) quiet=-q ;;
    -v | --verbose) verbose=-v ;;
    --progress) progress=1 ;;
    -h | --help) usage || die 1 "stdout: cannot write"; exit 0 ;;
    -V | --version) printf '%s (hop) %s\n' "$me" '@VERSION@' 2>/dev/null || die 1 "stdout: cannot write"; exit 0 ;;
    esac
done
[ -n "$run" ] || die 2 "--output: is missing (see --help)"
[ -n "$data" ] || die 2 "--data: is missing (see --help)"
case $run in -*) run=./$run ;; esac
case $data in -*) data=./$data ;; esac
# What hop-schedule makes for an engine, and what runs that.
case $engine in
parallel) form=sh needs=parallel ;;
make) form=make needs=make ;;
slurm) form=slurm needs='sbatch squeue scancel' ;;
*) die 2 "--engine: unknown engine \"$engine\" (known: parallel, make, slurm)" ;;
esac
[ -z "$dry" ] || needs=
[ $# -ge 1 ] || die 2 "METHOD is missing (see --help)"
[ $# -ge 2 ] || die 2 "SPACE is missing (see --help)"
method=$1
# Methods that choose by results: as soon as a config has what it was to have, they are asked for another, by
# the script while it runs, or, where the engine's plans are whole, after every evaluation. tpe has as many
# configs in training as there are workers, since each is drawn by what is known; asha three times as many,
# since configs that wait for each other's shards leave workers idle.
is_asked=
case $method in
asha | tpe)
    case $engine$plan in
    parallel*--policy=round-robin*) plan="$plan --ahead=${every:-1}" ;;
    parallel*) is_asked=1 ;;
    *) plan="$plan --ahead=${every:-1}" ;;
    esac
    case " $* " in
    *' --parallel'[\ =]* | *' -j'*) ;;
    *)
        if [ -f "$workers" ]; then
            workers=$(grep -c '"name"' "$workers")
        fi
        workers=${workers:-$(getconf _NPROCESSORS_ONLN)}
        case $method:$workers in
        tpe:* | *:*[!0-9]*) ;; # what is no number is refused below
        *) workers=$((workers * 3)) ;;
        esac
        shift
        set -- "$method" "--parallel=$workers" "$@"
        ;;
    esac
    ;;
esac
for space in "$@"; do :; done
case $method in
select | narrow | import) die 2 "$method: is no method (known: hop-search --help)" ;;
esac

for tool in hop-search hop-schedule hop-visit flock $needs; do
    command -v "$tool" >/dev/null || die 1 "$tool is not installed"
done
if [ "$engine" = make ] && [ -z "$dry" ]; then
    case $(make --version 2>/dev/null) in
    "GNU Make"*) ;;
    *) die 1 "the make found by PATH is not GNU make" ;;
    esac
fi

case $seen in
*" --best "*)
    [ "$best" = none ] || hop-search select --metric "$best" </dev/null >/dev/null 2>&1 ||
        die 2 "--best: \"$best\" is not SPLIT.METRIC (like val.accuracy), nor none"
    ;;
esac

# ---- the run folder ----

[ -e "$space" ] || die 1 "$space: cannot open: No such file or directory"
[ -e "$data/manifest.json" ] || die 1 "$data/manifest.json: cannot open: No such file or directory (hop-shard makes it)"
# What asks and plans is text, since the script that runs the visits asks, too. What was asked for is part
# of what is known: methods that choose by results go on from there.
words=
for word in "$@" ${every:+"--eval-every=$every"}; do words="$words $(quote "$word")"; done
verbs="
run=$(quote "$run")
data=$(quote "$data")
schedule() { hop-schedule --run \"\$run\" --data \"\$data\" $plan \"\$@\"; }
search() {
    { [ ! -e \"\$run/configs.jsonl\" ] || cat \"\$run/configs.jsonl\"; cat \"\$log\"; } |
        hop-search \"\$@\" $words
}
"
eval "$verbs"
log=$run/log.jsonl
if [ -n "$dry" ]; then
    [ -e "$log" ] || log=/dev/null
    search -q | schedule -q --as lines
    exit
fi
mkdir -p "$run/jobs" || exit 1

# stop STATUS [TEXT]: the search cannot go on now. A tool has said why, or TEXT does; where the disk is
# full, that is why, and the command that goes on follows. No status but those of our manual leaves here.
stop() {
    status=$1
    text=${2:-}
    if [ "$status" -gt 128 ]; then
        text=${text:-a tool was ended by signal $((status - 128))}
        status=75
    fi
    why=$({ printf '%4096s\n' x | LC_ALL=C tee "$run/jobs/room" >/dev/null; } 2>&1)
    rm -f "$run/jobs/room"
    if [ -n "$why" ]; then
        text="$run: cannot write: ${why##*: }"
        [ "$status" -eq 75 ] || status=1
    fi
    [ -z "$text" ] || say "$text; to go on: $again"
    exit "$status"
}

# The script inherits the lock, so that a run whose hop-run was killed is not begun again beside it;
# visits, which may outlive both, hold another one. (Slurm's are waited for by its script.)
command exec 9>"$run/.lock" || exit 1
flock -n 9 || die 75 "$run: another hop-run works on it"
# Jobs of Slurm that an earlier call left end after the visit that they are at.
[ "$engine" = slurm ] || rm -f "$run/jobs/slurm.now"
[ "$engine" = slurm ] || flock -n "$run/.visits.lock" true || die 75 "$run: visits of an earlier call still run"

# What makes two calls one search: the data, the method, the space.
keep() { # TEXT FILE WHAT
    if [ ! -e "$2" ]; then
        { printf '%s\n' "$1" >"$2.new" && mv "$2.new" "$2"; } 2>/dev/null || stop 1 "$2: cannot write"
    fi
    [ "$(cat "$2")" = "$1" ] ||
        die 1 "$run: was begun with another $3 (kept in $2; take a new run folder)"
}
keep "$(cd "$data" && pwd -P)" "$run/data.txt" "data folder"
# Searches with ids of their own (--prefix) share the folder: each has its method and space.
word_before=
prefix=
for word in "$@"; do
    case $word_before in
    --prefix) prefix=-$word ;;
    esac
    case $word in
    --prefix=*) prefix=-${word#*=} ;;
    esac
    word_before=$word
done
case $prefix in
-c) prefix= ;;
*[!A-Za-z0-9_-]*) die 2 "--prefix: \"${prefix#-}\" is not letters, digits, _ and -" ;;
esac
keep "$method" "$run/method$prefix.txt" "method"
keep "$(cat "$space")" "$run/space$prefix.json" "space"
true >>"$run/log.jsonl" || exit 1

# Which states are kept beside the last ones may change from call to call.
if [ -n "$best" ] || [ ! -e "$run/best.txt" ]; then
    { printf '%s\n' "${best:-val}" >"$run/best.txt.new" && mv "$run/best.txt.new" "$run/best.txt"; } 2>/dev/null ||
        stop 1 "$run/best.txt: cannot write"
fi
best=$(cat "$run/best.txt")

# ---- the loop ----

pid=
caught=
catch() {
    caught=$1
    [ -z "$pid" ] || kill -TERM "$pid" 2>/dev/null
}
trap 'catch 1' HUP
trap 'catch 2' INT
trap 'catch 15' TERM

HOP_NAME=$me
HOP_AGAIN=$again
[ -z "$progress" ] || HOP_PROGRESS=1
[ -z "$quiet" ] || HOP_PROGRESS=0
[ -z "${HOP_PROGRESS:-}" ] || export HOP_PROGRESS
export HOP_NAME HOP_AGAIN
# The script has the ids on stdin, and adds to itself what this prints. The plan gets longer by it, but no
# later (its time is that of the file).
# shellcheck disable=SC2016 # for the script's shell
more='
log=$run/log.jsonl
all=$run/jobs/more.jsonl
new=$run/jobs/more.new.jsonl
search -q >"$all" || exit
awk "is_all ? match(\$0, /\"id\":\"[^\"]*\"/) && !(substr(\$0, RSTART + 6, RLENGTH - 7) in is_here) : is_here[\$0]" \
    - is_all=1 "$all" >"$new" || exit
[ -s "$new" ] || exit 0
schedule -q --as more <"$new" || exit
schedule -q --as json <"$new" | sed 1d >"$all" || exit
hop-visit -q --run "$run" --add-configs <"$new" || exit
touch -r "$run/schedule.jsonl" "$new" && cat "$all" >>"$run/schedule.jsonl" && touch -r "$new" "$run/schedule.jsonl"
'
HOP_MORE=${is_asked:+"$verbs$more"}
export HOP_MORE

next=$run/jobs/next.jsonl
last=$run/jobs/last.jsonl
script=$run/jobs/next.$form
was=
rm -f "$last"
# make says 2 whatever went wrong; its last recipe leaves the status here.
made=$run/jobs/make.status
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEFILES GNUMAKEFLAGS

# Evaluations of present states that are due and not done, though hop-search has what it needs: one
# on train, when a run died right after that on val. Visits that come after training are not meant.
left_open() {
    [ -e "$run/configs.jsonl" ] || return 0
    schedule -q --as json <"$run/configs.jsonl" >"$run/jobs/left.jsonl" || return
    awk '!/^\{"hop":"visit\/1"/ || !match($0, /"id":"[^"]*"/) { next }
        { id = substr($0, RSTART, RLENGTH) }
        !/"task":"eval"/ { is_trained[id] = 1 }
        !(id in is_trained)' "$run/jobs/left.jsonl"
}

while :; do
    if [ -e "$run/configs.jsonl" ]; then
        hop-visit $quiet --run "$run" --restore || stop $?
    fi
    search $quiet >"$next" || stop $?
    if [ ! -s "$next" ]; then
        left_open >"$next" || stop 1
        [ -s "$next" ] || break
    fi
    size=$(wc -c <"$run/log.jsonl")
    if [ -e "$last" ] && [ "$size" = "$was" ] && cmp -s "$next" "$last"; then
        die 1 "$run: hop-search still asks for configs that hop-schedule takes for done (is --eval-every 0? does --metric need --eval-train?)"
    fi
    cp "$next" "$last" || stop 1
    was=$size
    schedule --as $form $quiet $verbose <"$next" >"$script" || stop $?
    schedule -q --as json <"$next" >>"$run/schedule.jsonl" || stop $?
    [ -n "$caught" ] && exit $((128 + caught))
    case $engine in
    make) rm -f "$made"; make -j -f "$script" >&2 & ;;
    *) sh "$script" & ;;
    esac
    pid=$!
    wait "$pid"
    status=$?
    while kill -0 "$pid" 2>/dev/null; do
        wait "$pid"
        status=$?
    done
    pid=
    [ -z "$caught" ] || exit $((128 + caught))
    if [ "$engine" = make ] && [ $status -ne 0 ] && [ -s "$made" ]; then read -r status <"$made"; fi
    # What a script exits with on purpose, 1 or 75, it has explained. Anything else is an engine's own.
    case $status in
    0) ;;
    1 | 75) exit "$status" ;;
    *)
        [ "$status" -le 128 ] || stop 75 "$engine was ended by signal $((status - 128))"
        stop 1 "$engine did not end well (exit $status)"
        ;;
    esac
done
# What is kept is what is shown: configs at their best, or at their last iteration.
case $best in
none) set -- ;;
*) set -- --best --metric "$best" ;;
esac
hop-search select --table "$@" <"$run/log.jsonl"
