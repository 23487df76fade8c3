/* slurm - a POSIX script that submits jobs with sbatch and waits until all visits are done.
 *
 * One job per slot of a worker, not per visit: a hop takes a fraction of a second, and not the
 * seconds that Slurm takes to start a job; and there are never more jobs than slots, however many
 * visits there are, so MaxJobCount is not in the way. Each job carries out whichever of its visits
 * can be begun, in the plan's order, and ends when there are none for a while. The script submits
 * it again when there are some. So whatever number of jobs runs at a time, one is enough for the
 * run to end; no job depends on another's fate, so none is left waiting for ever.
 *
 * Where RUN is no folder of the nodes (workers with "srun"), the same pilot runs here, in a job that
 * salloc holds for it, and each visit's hop-train is a step of that job: models travel through srun.
 *
 * Jobs share RUN and a folder RUN/jobs/slurm.*: `cells` and `lines` say what there is to do
 * (pick.awk reads the one), `journal/JOB` what each job did; each journal has one writer. Jobs go on
 * without the script; when it is started anew, they end after the visit that they are at.
 */
#include "schedule/emitters.h"

#include <stdlib.h>

#include "base/mem.h"
#include "schedule/cells.h"
#include "schedule/script.h"

/* What jobs ask for what to do. */
static const char pick[] =
    "# What is there to do? First the cells, one a line: \"RANK CONFIG STAGE JOB...\", the jobs that may\n"
    "# carry it out; then what the jobs have written down: \"b RANK .\" begun, \"e RANK STATUS .\" ended, \"a .\"\n"
    "# I am of no use; without the dot it was torn by a full disk, and follows again. -v job: what comes next for that one; empty: how it stands, for who submits.\n"
    "# -v gone: jobs that are not to be counted on.\n"
    "BEGIN {\n"
    "    n_gone = split(gone, words, \" \")\n"
    "    for (i = 1; i <= n_gone; i++) is_gone[words[i]] = 1\n"
    "}\n"
    "$1 == \"b\" && NF == 3 {\n"
    "    if (!((FILENAME, $2) in begun)) open[$2]++\n"
    "    begun[FILENAME, $2] = 1\n"
    "    next\n"
    "}\n"
    "$1 == \"e\" && NF == 4 {\n"
    "    if ((FILENAME, $2) in begun) open[$2]--\n"
    "    delete begun[FILENAME, $2]\n"
    "    if ($3 == 0) {\n"
    "        if (!($2 in is_done)) n_done++\n"
    "        is_done[$2] = 1\n"
    "        next\n"
    "    }\n"
    "    last[$2] = $3\n"
    "    n_bad[$2]++\n"
    "    if ($3 != 75 && $3 <= 128) n_failed[$2]++\n"
    "    next\n"
    "}\n"
    "NF == 0 || $1 ~ /^[abe]/ { next }\n"
    "{\n"
    "    n++\n"
    "    config[n] = $2\n"
    "    stage[n] = $3\n"
    "    n_holders[n] = NF - 3\n"
    "    holders[n] = $4\n"
    "    for (i = 5; i <= NF; i++) holders[n] = holders[n] \" \" $i\n"
    "}\n"
    "# Whose it is now: each time that it goes wrong, the next one's.\n"
    "function holder(r,   list, live, n_list, n_live, k) {\n"
    "    n_list = split(holders[r], list, \" \")\n"
    "    n_live = 0\n"
    "    for (k = 1; k <= n_list; k++)\n"
    "        if (!(list[k] in is_gone)) live[n_live++] = list[k]\n"
    "    return n_live ? live[n_bad[r] % n_live] : \"\"\n"
    "}\n"
    "function is_over(r) {\n"
    "    return n_failed[r] >= n_holders[r] || n_bad[r] - n_failed[r] > retries || holder(r) == \"\"\n"
    "}\n"
    "END {\n"
    "    for (r = 1; r <= n; r++)\n"
    "        if (!(r in is_done) && (!(config[r] in now) || stage[r] < now[config[r]]))\n"
    "            now[config[r]] = stage[r]\n"
    "    for (r = 1; r <= n; r++)\n"
    "        if (!(r in is_done) && stage[r] == now[config[r]] && open[r] <= 0 && is_over(r)) {\n"
    "            is_blocked[config[r]] = 1\n"
    "            verdict[r] = (r in last) ? last[r] : \"lost\"\n"
    "        }\n"
    "    pick = 0\n"
    "    n_coming = 0\n"
    "    for (r = 1; r <= n; r++) {\n"
    "        if ((r in is_done) || (r in verdict) || (stage[r] > now[config[r]] && (config[r] in is_blocked)))\n"
    "            continue\n"
    "        whose = holder(r)\n"
    "        if (job != \"\" && whose != job) continue\n"
    "        n_coming++\n"
    "        if (stage[r] > now[config[r]] || open[r] > 0) continue\n"
    "        if (job == \"\") is_ready[whose] = 1\n"
    "        else if (!pick) pick = r\n"
    "    }\n"
    "    if (job != \"\") {\n"
    "        print pick ? \"run \" pick : (n_coming ? \"wait\" : \"over\")\n"
    "        exit\n"
    "    }\n"
    "    print \"done\", n_done + 0\n"
    "    for (k in is_ready) print \"ready\", k\n"
    "    for (r = 1; r <= n; r++) if (r in verdict) print \"bad\", r, verdict[r]\n"
    "}\n";

/* What is submitted: nothing in it is the user's. */
static const char pilot[] =
    "#!/bin/sh\n"
    "# A job of hop: carries out, of the visits that are its own, whichever can be begun, as long as there\n"
    "# are any. What it did is in its journal, so it may die, be requeued and begin again as it likes.\n"
    "cd \"$HOP_DIR\" || exit 1\n"
    "exec >>\"out.$HOP_JOB\" 2>&1\n"
    "HOP_NL='\n"
    "'\n"
    "export HOP_NL\n"
    "journal=$HOP_DIR/journal/$HOP_JOB\n"
    "pid=\n"
    "caught=\n"
    "catch() {\n"
    "    caught=1\n"
    "    [ -z \"$pid\" ] || kill -TERM \"$pid\" 2>/dev/null\n"
    "}\n"
    "trap catch HUP INT TERM\n"
    "\n"
    "# note TEXT: into the journal. A disk that is full may get room; what it tore is on lines of its own.\n"
    "note() {\n"
    "    n_notes=0\n"
    "    until printf '\\n%s .\\n' \"$1\" 2>/dev/null >>\"$journal\"; do\n"
    "        n_notes=$((n_notes + 1))\n"
    "        [ $n_notes -lt \"$HOP_PATIENCE\" ] && [ -z \"$caught\" ] || exit 1\n"
    "        sleep 1\n"
    "    done\n"
    "}\n"
    "\n"
    "# What an earlier life of this job left open has ended.\n"
    "# shellcheck disable=SC2013 # numbers\n"
    "for rank in $(awk '$1 == \"b\" && NF == 3 { n[$2] = 1 } $1 == \"e\" && NF == 4 { delete n[$2] }\n"
    "    END { for (r in n) print r }' <\"$journal\"); do note \"e $rank 137\"; done\n"
    "\n"
    "waited=0\n"
    "n_wrong=0\n"
    "last_wrong=\n"
    "try=0\n"
    "before=\n"
    "while [ -z \"$caught\" ]; do\n"
    "    # Without salloc nobody would give the job back.\n"
    "    [ -z \"$HOP_HEAD\" ] || kill -0 \"$PPID\" 2>/dev/null || exit 1\n"
    "    # Another script may have taken over: what runs ends, nothing begins.\n"
    "    read -r now <../slurm.now || now=\n"
    "    [ \"$now\" = \"${HOP_DIR##*/}\" ] || exit 0\n"
    "    size=$(cat journal/* gone | wc -c)\n"
    "    what=$(awk -f pick.awk -v \"job=$HOP_JOB\" -v \"retries=$HOP_RETRIES\" -v \"gone=$(cat gone)\" cells journal/*) || exit 1\n"
    "    case $what in\n"
    "    over) exit 0 ;;\n"
    "    wait)\n"
    "        # Nodes are not held for long by who has nothing to do; when there is, it is submitted again.\n"
    "        while [ -z \"$caught\" ]; do\n"
    "            [ \"$waited\" -lt $((HOP_PATIENCE * 5)) ] || exit 0\n"
    "            sleep 0.2\n"
    "            waited=$((waited + 1))\n"
    "            [ \"$(cat journal/* gone | wc -c)\" = \"$size\" ] || break\n"
    "            read -r now <../slurm.now || now=\n"
    "            [ \"$now\" = \"${HOP_DIR##*/}\" ] || exit 0\n"
    "        done\n"
    "        continue\n"
    "        ;;\n"
    "    esac\n"
    "    rank=${what#run }\n"
    "    line=$(sed -n \"/^$rank $HOP_JOB /{s///p;q;}\" lines)\n"
    "    [ -n \"$line\" ] || exit 1\n"
    "    [ \"$rank\" != \"$before\" ] || sleep $((1 << try))\n"
    "    [ -z \"$caught\" ] || exit 143\n"
    "    note \"b $rank\"\n"
    "    (cd \"$HOP_CWD\" && eval \"exec $line\") 2>\"err.$rank\" &\n"
    "    pid=$!\n"
    "    wait \"$pid\"\n"
    "    status=$?\n"
    "    while kill -0 \"$pid\" 2>/dev/null; do\n"
    "        wait \"$pid\"\n"
    "        status=$?\n"
    "    done\n"
    "    pid=\n"
    "    cat \"err.$rank\"\n"
    "    note \"e $rank $status\"\n"
    "    waited=0\n"
    "    if [ $status -eq 0 ]; then\n"
    "        n_wrong=0\n"
    "        before=\n"
    "        rm -f \"err.$rank\"\n"
    "        continue\n"
    "    fi\n"
    "    try=$((rank == ${before:-0} && try < 5 ? try + 1 : 0))\n"
    "    before=$rank\n"
    "    if [ $status -le 128 ] && [ \"$rank\" != \"$last_wrong\" ]; then\n"
    "        n_wrong=$((n_wrong + 1))\n"
    "        last_wrong=$rank\n"
    "    fi\n"
    "    if [ \"$n_wrong\" -ge \"$HOP_ASIDE\" ]; then\n"
    "        note a\n"
    "        exit 1\n"
    "    fi\n"
    "done\n"
    "exit 143\n";

/* The script that submits, up to the configs, and from the cells on. */
static const char head[] =
    "\n"
    "patience=${HOP_PATIENCE:-60}\n"
    "show=${HOP_PROGRESS:-}\n"
    "[ -n \"$show\" ] || [ ! -t 2 ] || show=1\n"
    "began=$(date +%s)\n"
    "caught=\n"
    "pid=\n"
    "in_time() { # COMMAND...: in the background, so that a signal is heard\n"
    "    \"$@\" &\n"
    "    pid=$!\n"
    "    wait \"$pid\"\n"
    "    status=$?\n"
    "    while kill -0 \"$pid\" 2>/dev/null; do\n"
    "        wait \"$pid\"\n"
    "        status=$?\n"
    "    done\n"
    "    pid=\n"
    "    return $status\n"
    "}\n"
    "need() {\n"
    "    command -v \"$1\" >/dev/null || { say \"$1 is not installed\"; exit 1; }\n"
    "}\n"
    "for tool in hop-visit sbatch squeue scancel timeout; do need $tool; done\n"
    "mkdir -p \"$run/jobs\" || exit 1\n"
    "run=$(cd \"$run\" && pwd -P) || exit 1\n"
    "job_name=hop-$(printf %s \"$run\" | cksum | cut -d ' ' -f 1)\n"
    "id=slurm.$(date -u +%Y%m%dT%H%M%SZ).$$\n"
    "HOP_DIR=$run/jobs/$id\n"
    "HOP_CWD=$(pwd -P)\n"
    "HOP_RETRIES=$retries\n"
    "HOP_PATIENCE=$patience\n"
    "HOP_ASIDE=$n_aside\n"
    "export HOP_DIR HOP_CWD HOP_RETRIES HOP_PATIENCE HOP_ASIDE\n"
    "{ mkdir \"$HOP_DIR\" \"$HOP_DIR/journal\" && true >\"$HOP_DIR/gone\"; } || cannot_write\n"
    "\n"
    "# What Slurm has of this run: \"JOB|STATE|REASON|COMMENT\" lines in jobs. In no file, since what a full\n"
    "# disk cuts short would be taken for jobs that have ended.\n"
    "queue() { jobs=$(timeout 10 squeue -h -u \"$(id -un)\" -n \"$job_name\" -o '%i|%T|%r|%k' 2>\"$HOP_DIR/squeue.err\"); }\n"
    "cancel() { in_time scancel -u \"$(id -un)\" -n \"$job_name\" \"$@\" 2>/dev/null; }\n"
    "catch() {\n"
    "    caught=$1\n"
    "    [ -z \"$pid\" ] || kill -TERM \"$pid\" 2>/dev/null\n"
    "}\n"
    "trap 'catch 1' HUP\n"
    "trap 'catch 2' INT\n"
    "trap 'catch 15' TERM\n"
    "leave_if_caught() {\n"
    "    [ -n \"$caught\" ] || return 0\n"
    "    end_line\n"
    "    n=0\n"
    "    cancel\n"
    "    while queue && [ -n \"$jobs\" ] && [ $n -lt 20 ]; do\n"
    "        sleep 0.5\n"
    "        n=$((n + 1))\n"
    "    done\n"
    "    say \"ended by signal $caught; to go on: $again\"\n"
    "    exit $((128 + caught))\n"
    "}\n"
    "show_visits() {\n"
    "    [ \"$show\" = 1 ] || return 0\n"
    "    [ \"$n_done\" != \"${shown:-}\" ] || return 0\n"
    "    shown=$n_done\n"
    "    [ ! -t 2 ] || printf '\\r\\033[K' >&2\n"
    "    printf '%s: visits %d/%d, %s elapsed, %d jobs' \"$me\" \"$n_done\" \"$n_visits\" \\\n"
    "        \"$(clock $(($(date +%s) - began)))\" \"$n_live\" >&2\n"
    "    midline=1\n"
    "    [ -t 2 ] || end_line\n"
    "}\n"
    "\n"
    "# Jobs of an earlier call, whose script was killed: those that wait go, those that run end their\n"
    "# visit, which is not to be lost.\n"
    "{ printf '%s\\n' \"$id\" >\"$run/jobs/slurm.now.new\" && mv \"$run/jobs/slurm.now.new\" \"$run/jobs/slurm.now\"; } || cannot_write\n"
    "if ! queue; then\n"
    "    say \"$(tail -n 1 \"$HOP_DIR/squeue.err\")\"\n"
    "    say \"Slurm does not answer; to go on: $again\"\n"
    "    rm -rf \"$HOP_DIR\"\n"
    "    exit 75\n"
    "fi\n"
    "n=0\n"
    "n_free=0\n"
    "while printf '%s\\n' \"$jobs\" | grep -v '|COMPLETING|' | grep -q '|'; do\n"
    "    n=$((n + 1))\n"
    "    [ $n -ne 4 ] || say \"waiting for the visits that jobs of an earlier call are at\"\n"
    "    cancel --state=PENDING\n"
    "    # Jobs that Slurm has, though they are at nothing, may be dead ones of which it does not know yet.\n"
    "    if flock -n \"$run/.visits.lock\" true; then n_free=$((n_free + 1)); else n_free=0; fi\n"
    "    if [ $n_free -ge 10 ]; then\n"
    "        cancel\n"
    "        n_free=0\n"
    "    fi\n"
    "    sleep 0.5\n"
    "    queue\n"
    "    leave_if_caught\n"
    "done\n"
    "for old in \"$run\"/jobs/slurm.*Z.*; do\n"
    "    [ \"$old\" = \"$HOP_DIR\" ] || rm -f \"$old/cells\" \"$old/lines\"\n"
    "done\n";

static const char body[] =
    "\n"
    "# All visits may be done before.\n"
    "i=0\n"
    "while [ $i -lt \"$n_jobs\" ]; do\n"
    "    true >\"$HOP_DIR/journal/$i\" || cannot_write\n"
    "    eval \"job_$i= begun_$i=0 down_$i= head_$i=\"\n"
    "    i=$((i + 1))\n"
    "done\n"
    "n_live=0\n"
    "n_done=0\n"
    "\n"
    "# send: submit the job $i of worker $name, with the words given. sbatch waits by itself while Slurm\n"
    "# takes no more jobs, but there is other work to do meanwhile.\n"
    "send() {\n"
    "    HOP_JOB=$i\n"
    "    HOP_HEAD=$at_head\n"
    "    export HOP_JOB HOP_HEAD\n"
    "    if [ -n \"$at_head\" ]; then\n"
    "        salloc --quiet --kill-command=TERM --job-name=\"$job_name\" --comment=\"$id.$i\" --nodes=1 --ntasks=1 \"$@\" \\\n"
    "            sh \"$HOP_DIR/pilot.sh\" </dev/null >/dev/null 2>\"$HOP_DIR/salloc.$i\" 9>&- &\n"
    "        eval \"head_$i=$! job_$i=asked size_$i=$(wc -c <\"$HOP_DIR/journal/$i\")\"\n"
    "        refused=\n"
    "        n_live=$((n_live + 1))\n"
    "        return 0\n"
    "    fi\n"
    "    if number=$(timeout 5 sbatch --parsable --export=ALL --requeue --job-name=\"$job_name\" --comment=\"$id.$i\" \\\n"
    "        --chdir=/ --output=/dev/null --nodes=1 --ntasks=1 \"$@\" \"$HOP_DIR/pilot.sh\" 2>\"$HOP_DIR/sbatch.err\"); then\n"
    "        eval \"job_$i=\\${number%%;*} size_$i=$(wc -c <\"$HOP_DIR/journal/$i\")\"\n"
    "        refused=\n"
    "        n_live=$((n_live + 1))\n"
    "        return 0\n"
    "    fi\n"
    "    leave_if_caught\n"
    "    not_before=$((clock_now + 5))\n"
    "    refused=$(grep 'error' \"$HOP_DIR/sbatch.err\" | tail -n 1)\n"
    "    [ -n \"$refused\" ] || refused='sbatch: no answer yet: temporarily'\n"
    "    # What Slurm may grant later is asked for again.\n"
    "    case $refused in\n"
    "    *contact* | *onnect* | *'timed out'* | *emporar* | *imit* | *olicy*) ;;\n"
    "    *) [ -z \"$can_ask\" ] || set_aside \"$refused\" ;;\n"
    "    esac\n"
    "    return 1\n"
    "}\n"
    "\n"
    "# set_aside WHY: all jobs of the worker of $i.\n"
    "set_aside() {\n"
    "    end_line\n"
    "    say \"worker $name is set aside: $1\"\n"
    "    k=$from\n"
    "    while [ \"$k\" -lt $((from + n_slots)) ]; do\n"
    "        here=\n"
    "        eval \"here=\\$job_$k\"\n"
    "        [ \"$here\" != asked ] || eval \"kill \\$head_$k\" 2>/dev/null\n"
    "        case $here in [0-9]*) in_time scancel \"$here\" 2>/dev/null ;; esac\n"
    "        printf ' %s' \"$k\" >>\"$HOP_DIR/gone\"\n"
    "        k=$((k + 1))\n"
    "    done\n"
    "}\n"
    "is_gone() {\n"
    "    case \" $(cat \"$HOP_DIR/gone\") \" in *\" $1 \"*) return 0 ;; esac\n"
    "    return 1\n"
    "}\n"
    "\n"
    "# look_after: what has become of job $i, of which Slurm says $state.\n"
    "look_after() {\n"
    "    case $state in\n"
    "    '')\n"
    "        # It has ended: what it was at as well.\n"
    "        eval \"job_$i=\"\n"
    "        n_live=$((n_live - 1))\n"
    "        # shellcheck disable=SC2013 # numbers\n"
    "        for which in $(awk '$1 == \"b\" && NF == 3 { n[$2] = 1 } $1 == \"e\" && NF == 4 { delete n[$2] }\n"
    "            END { for (r in n) print r }' <\"$HOP_DIR/journal/$i\"); do\n"
    "            printf '\\ne %s 137 .\\n' \"$which\" 2>/dev/null >>\"$HOP_DIR/journal/$i\" || cannot_write\n"
    "        done\n"
    "        if is_gone \"$i\"; then return; fi\n"
    "        if grep -q '^a' \"$HOP_DIR/journal/$i\"; then\n"
    "            set_aside \"$n_aside visits in a row failed there\"\n"
    "            return\n"
    "        fi\n"
    "        before=\n"
    "        eval \"before=\\$size_$i\"\n"
    "        if [ \"$(wc -c <\"$HOP_DIR/journal/$i\")\" -gt \"$before\" ]; then\n"
    "            eval \"begun_$i=0\"\n"
    "            return\n"
    "        fi\n"
    "        idle=\n"
    "        eval \"begun_$i=\\$((begun_$i + 1))\"\n"
    "        eval \"idle=\\$begun_$i\"\n"
    "        [ \"$idle\" -lt \"$n_aside\" ] ||\n"
    "            set_aside \"$n_aside jobs in a row ended before they did anything$(tail -n 1 \"$HOP_DIR/out.$i\" 2>/dev/null | sed 's/^/: /')\"\n"
    "        ;;\n"
    "    PENDING*DOWN* | PENDING*NotAvail* | PENDING*[Hh]eld* | PENDING*Invalid* | PENDING*BadConstraints*)\n"
    "        eval \"since=\\$down_$i\"\n"
    "        if [ -z \"$since\" ]; then\n"
    "            eval \"down_$i=$clock_now\"\n"
    "        elif [ $((clock_now - since)) -ge \"$patience\" ] && ! is_gone \"$i\"; then\n"
    "            set_aside \"its job cannot begin (${state#*|})\"\n"
    "        fi\n"
    "        ;;\n"
    "    *) eval \"down_$i=\" ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "# ask: which jobs Slurm still has; when it does not answer, we know no better than before.\n"
    "ask() {\n"
    "    can_ask=\n"
    "    queue || return 0\n"
    "    can_ask=1\n"
    "    answered=$clock_now\n"
    "    i=0\n"
    "    while [ $i -lt \"$n_jobs\" ]; do\n"
    "        eval \"number=\\$job_$i\"\n"
    "        if [ -z \"$number\" ]; then\n"
    "            # one whose number did not get through to us\n"
    "            number=$(printf '%s\\n' \"$jobs\" | sed -n \"/|$id\\.$i\\$/{s/|.*//p;q;}\")\n"
    "            if [ -n \"$number\" ]; then\n"
    "                eval \"job_$i=$number size_$i=0\"\n"
    "                n_live=$((n_live + 1))\n"
    "            fi\n"
    "        fi\n"
    "        # salloc's are known by their comment, too; without salloc they are nobody's.\n"
    "        head=\n"
    "        eval \"head=\\$head_$i\"\n"
    "        if [ \"$number\" = asked ]; then\n"
    "            found=$(printf '%s\\n' \"$jobs\" | sed -n \"/|$id\\.$i\\$/{s/|.*//p;q;}\")\n"
    "            if [ -n \"$found\" ]; then\n"
    "                number=$found\n"
    "                eval \"job_$i=$found\"\n"
    "            elif kill -0 \"$head\" 2>/dev/null; then\n"
    "                number=\n"
    "            else\n"
    "                [ ! -s \"$HOP_DIR/salloc.$i\" ] || tail -n 1 \"$HOP_DIR/salloc.$i\" >>\"$HOP_DIR/out.$i\"\n"
    "            fi\n"
    "        elif [ -n \"$number\" ] && [ -n \"$head\" ] && ! kill -0 \"$head\" 2>/dev/null; then\n"
    "            in_time scancel \"$number\" 2>/dev/null\n"
    "        fi\n"
    "        if [ -n \"$number\" ]; then\n"
    "            state=$(printf '%s\\n' \"$jobs\" | sed -n \"/^$number|/{s///;s/|[^|]*\\$//p;q;}\")\n"
    "            with \"$i\" look_after\n"
    "        fi\n"
    "        i=$((i + 1))\n"
    "    done\n"
    "}\n"
    "\n"
    "# read_state: sets n_done, ready and bad.\n"
    "read_state() {\n"
    "    size=$(cat \"$HOP_DIR\"/journal/* \"$HOP_DIR/gone\" | wc -c)\n"
    "    [ \"$size\" != \"${read_size:-}\" ] || return 0\n"
    "    read_size=$size\n"
    "    verdicts=$(cd \"$HOP_DIR\" && awk -f pick.awk -v job= -v \"retries=$retries\" -v \"gone=$(cat gone)\" cells journal/*) || cannot_write\n"
    "    ready=\n"
    "    n_bad=0\n"
    "    while read -r what which how; do\n"
    "        case $what in\n"
    "        done) n_done=$which ;;\n"
    "        ready) ready=\"$ready $which\" ;;\n"
    "        bad) n_bad=$((n_bad + 1)) ;;\n"
    "        esac\n"
    "    done <<END\n"
    "$verdicts\n"
    "END\n"
    "}\n"
    "\n"
    "# finish: say what went wrong, if anything.\n"
    "finish() {\n"
    "    leave_if_caught\n"
    "    end_line\n"
    "    if [ \"$n_done\" -ge \"$n_visits\" ]; then\n"
    "        [ -z \"$any_head\" ] || cancel\n"
    "        rm -rf \"$HOP_DIR\"\n"
    "        return 0\n"
    "    fi\n"
    "    status=75\n"
    "    while read -r what which how; do\n"
    "        [ \"$what\" = bad ] || continue\n"
    "        text=$(sed -n \"/^$which [0-9]* /{s///p;q;}\" \"$HOP_DIR/lines\")\n"
    "        [ ! -s \"$HOP_DIR/err.$which\" ] || cat \"$HOP_DIR/err.$which\" >&2\n"
    "        case $how in\n"
    "        lost) say \"no worker for: ${text%% -- *}\" ;;\n"
    "        75) say \"try again: ${text%% -- *} (exit 75)\" ;;\n"
    "        *)\n"
    "            if [ \"$how\" -gt 128 ]; then\n"
    "                say \"try again: ${text%% -- *} (signal $((how - 128)))\"\n"
    "            else\n"
    "                say \"failed: ${text%% -- *} (exit $how)\"\n"
    "                status=1\n"
    "            fi\n"
    "            ;;\n"
    "        esac\n"
    "    done <<END\n"
    "$verdicts\n"
    "END\n"
    "    [ -z \"$refused\" ] || say \"$refused\"\n"
    "    say \"what does not need it is done; to go on: $again\"\n"
    "    exit $status\n"
    "}\n"
    "\n"
    "can_ask=1\n"
    "refused=\n"
    "answered=$(date +%s)\n"
    "asked=0\n"
    "moved=\n"
    "moved_at=$answered\n"
    "halting=\n"
    "not_before=0\n"
    "while :; do\n"
    "    clock_now=$(date +%s)\n"
    "    read_state\n"
    "    show_visits\n"
    "    if [ \"$n_done\" -ge \"$n_visits\" ]; then break; fi\n"
    "    if [ $((clock_now - asked)) -ge 2 ]; then\n"
    "        asked=$clock_now\n"
    "        ask\n"
    "        leave_if_caught\n"
    "        read_state\n"
    "    fi\n"
    "    if [ \"$moved\" != \"$n_done $n_bad\" ] || [ $n_live -gt 0 ]; then moved_at=$clock_now; fi\n"
    "    [ \"$moved\" = \"$n_done $n_bad\" ] || answered=$clock_now\n"
    "    moved=\"$n_done $n_bad\"\n"
    "    if [ -z \"$can_ask\" ] && [ $((clock_now - answered)) -ge \"$patience\" ]; then\n"
    "        end_line\n"
    "        say \"$(tail -n 1 \"$HOP_DIR/squeue.err\")\"\n"
    "        say \"Slurm does not answer; jobs that run go on; to go on: $again\"\n"
    "        exit 75\n"
    "    fi\n"
    "    # Jobs whose script has gone end after the visit that they are at.\n"
    "    if [ \"$n_bad\" -gt 0 ] && [ \"$halt\" != never ] && [ -z \"$halting\" ]; then\n"
    "        halting=1\n"
    "        echo halt >\"$run/jobs/slurm.now\"\n"
    "        [ \"$halt\" != now ] || cancel\n"
    "    fi\n"
    "    if [ -n \"$halting\" ]; then ready=; fi\n"
    "    n_sent=0\n"
    "    for i in $ready; do\n"
    "        eval \"number=\\$job_$i\"\n"
    "        if [ -n \"$number\" ] || is_gone \"$i\"; then continue; fi\n"
    "        if [ -z \"$can_ask\" ] || [ \"$clock_now\" -lt $not_before ]; then break; fi\n"
    "        with \"$i\" send || break\n"
    "        n_sent=$((n_sent + 1))\n"
    "    done\n"
    "    leave_if_caught\n"
    "    if [ $n_live -eq 0 ] && [ $n_sent -eq 0 ] && [ -n \"$can_ask\" ]; then\n"
    "        read_state\n"
    "        if [ -z \"$ready\" ] || [ -n \"$halting\" ]; then break; fi\n"
    "        [ $((clock_now - moved_at)) -lt $((patience * 10)) ] || break\n"
    "    fi\n"
    "    sleep 0.5\n"
    "    leave_if_caught\n"
    "done\n"
    "finish\n";

/* first[w] is the number of worker w's first job; first[n] that of all. */
static size_t *
number_jobs(const struct hop_emit_in *in, struct hop_err *e)
{
    size_t i, *first = hop_alloc(in->workers->n + 1, sizeof *first, e);

    for (i = 0; first && i < in->workers->n; i++)
        first[i + 1] = first[i] + in->in->workers[i].n_slots;
    return first;
}

/* sbatch's options for a worker's jobs. */
static void
add_options(const struct hop_worker *w, struct hop_str *out)
{
    size_t i;

    if (w->node) {
        hop_str_add(out, " --nodelist=");
        hop_str_quote(out, w->node);
    }
    if (w->gres) {
        hop_str_add(out, " --gres=");
        hop_str_quote(out, w->gres);
    }
    for (i = 0; i < hop_json_len(w->sbatch); i++) {
        hop_str_add(out, " ");
        hop_str_quote(out, hop_json_str(hop_json_at(w->sbatch, i)));
    }
}

/* with JOB FUNCTION: FUNCTION with what is known of the job's worker. */
static void
add_workers(const struct hop_emit_in *in, const size_t *first, struct hop_str *out)
{
    const struct hop_worker *w;
    bool any_head = false;
    size_t i, k;

    hop_str_addf(out, "\nn_jobs=%zu\n", first[in->workers->n]);
    hop_str_add(out, "# with JOB FUNCTION: FUNCTION with the options for sbatch; $name of its "
                     "worker, whose\n# $n_slots jobs are number $from and up; $at_head: its pilots run here.\n"
                     "with() {\n    i=$1\n    shift\n    case $i in\n");
    for (i = 0; i < in->workers->n; i++) {
        w = &in->workers->v[i];
        hop_str_add(out, "    ");
        for (k = first[i]; k < first[i + 1]; k++)
            hop_str_addf(out, "%s%zu", k > first[i] ? " | " : "", k);
        hop_str_add(out, ")\n        name=");
        hop_str_quote(out, w->name);
        hop_str_addf(out, " from=%zu n_slots=%zu at_head=%s\n        set -- \"$@\"", first[i],
                     first[i + 1] - first[i], w->srun ? "1" : "");
        any_head = any_head || w->srun;
        add_options(w, out);
        hop_str_add(out, "\n        ;;\n");
    }
    hop_str_add(out, "    esac\n    \"$@\"\n}\n");
    hop_str_addf(out, "any_head=%s\n%s", any_head ? "1" : "",
                 any_head ? "for tool in salloc srun; do need $tool; done\n" : "");
}

static int
add_configs(const struct hop_emit_in *in, struct hop_str *out, struct hop_err *e)
{
    size_t i;
    int rc = HOP_OK;

    hop_str_add(out, "\nhop-visit --run \"$run\" --add-configs <<'HOP_CONFIGS' || failed $?\n");
    for (i = 0; i < in->tasks->n && !rc; i++) {
        rc = hop_json_dump(in->tasks->configs[i], out, e);
        hop_str_add(out, "\n");
    }
    hop_str_add(out, "HOP_CONFIGS\nhop-visit --run \"$run\" --restore || failed $?\n");
    return rc;
}

/* The cells as pick.awk reads them, and the command of each on each of its jobs. */
static void
add_cells(const struct hop_emit_in *in, const struct hop_cells *cells, const size_t *first,
          struct hop_str *out)
{
    struct hop_sched_visit scratch;
    struct hop_str lines = {0};
    struct hop_cell at;
    size_t i, k, n, job;

    hop_str_add(out, "cat >\"$HOP_DIR/cells\" <<'HOP_CELLS' || cannot_write\n");
    for (i = 0; i < cells->n; i++) {
        hop_str_addf(out, "%zu %lu %lld", i + 1, (unsigned long)cells->c[i].task,
                     (long long)cells->c[i].stage);
        n = hop_cell_n_holders(in, &cells->c[i]);
        for (k = 0; k < n && k < HOP_SCRIPT_HOLDERS; k++) {
            at = hop_cell_at(in, &cells->c[i], k, &scratch);
            job = first[at.worker] + at.slot;
            hop_str_addf(out, " %zu", job);
            hop_str_addf(&lines, "%zu %zu ", i + 1, job);
            hop_cell_command(in, &at, &lines);
            hop_str_add(&lines, "\n");
        }
        hop_str_add(out, "\n");
    }
    hop_str_add(out, "HOP_CELLS\ncat >\"$HOP_DIR/lines\" <<'HOP_LINES' || cannot_write\n");
    hop_str_add(out, hop_str_c(&lines));
    hop_str_add(out, "HOP_LINES\n");
    out->is_oom = out->is_oom || lines.is_oom;
    hop_str_clear(&lines);
}

static void
add_file(const char *name, const char *text, struct hop_str *out)
{
    hop_str_addf(out, "cat >\"$HOP_DIR/%s\" <<'HOP_TEXT' || cannot_write\n%sHOP_TEXT\n", name, text);
}

static int
emit(const struct hop_emit_in *in, struct hop_str *out, struct hop_err *e)
{
    struct hop_cells cells;
    size_t *first;
    int rc;

    if ((rc = hop_cells_make(in, &cells, e)))
        return rc;
    if (!(first = number_jobs(in, e))) {
        hop_cells_clear(&cells);
        return HOP_ENOMEM;
    }
    hop_str_add(out, "#!/bin/sh\n# Made by hop-schedule, for Slurm; RUN lies on a folder that all "
                     "nodes share,\n# but for those of workers with \"srun\".\n# End it and start it again as you like: what is done is "
                     "skipped.\n");
    hop_script_begin(in, cells.n, out);
    hop_str_add(out, head);
    if (!(rc = add_configs(in, out, e)) && cells.n) {
        add_workers(in, first, out);
        add_file("pick.awk", pick, out);
        add_file("pilot.sh", pilot, out);
        add_cells(in, &cells, first, out);
        hop_str_add(out, body);
    }
    free(first);
    hop_cells_clear(&cells);
    return rc ? rc : hop_str_check(out, e);
}

const struct hop_emitter hop_emitter_slurm = {
    "slurm", "a script that runs the visits as jobs of Slurm", emit, true};
