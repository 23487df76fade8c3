/* sh - a POSIX script: models are made, then visits run through GNU parallel: one sub-epoch after
 * another where the plan has barriers, else each as soon as its config and a slot of its worker are
 * free (flow.h).
 *
 * The script may be ended and started again at any time, since every command in it is skipped when
 * it is done. Commands are whole lines, so that nothing of them passes through parallel's own
 * quoting; parallel gets /bin/sh to run them, whatever the user's shell is.
 */
#include "schedule/emitters.h"
#include "schedule/flow.h"
#include "schedule/script.h"

/* The most other workers that a line may have. */
#define OTHERS "3"
_Static_assert(HOP_SCRIPT_HOLDERS == 4, "OTHERS is one less");

static const char head[] =
    "PARALLEL_SHELL=/bin/sh\n"
    "export PARALLEL_SHELL\n";

static const char body[] =
    "\n"
    "joblog=$run/jobs/$(date -u +%Y%m%dT%H%M%SZ).$$.tsv\n"
    "show=${HOP_PROGRESS:-}\n"
    "[ -n \"$show\" ] || [ ! -t 2 ] || show=1\n"
    "began=$(date +%s)\n"
    "pid=\n"
    "caught=\n"
    "\n"
    "# At the end: files and connections that are this script's alone.\n"
    "pipes=\n"
    "ticker=\n"
    "clean() {\n"
    "    [ -z \"$ticker\" ] || kill \"$ticker\" 2>/dev/null\n"
    "    [ -z \"$pipes\" ] || rm -rf \"$pipes\"\n"
    "    close_hosts\n"
    "}\n"
    "trap clean EXIT\n"
    "need() {\n"
    "    command -v \"$1\" >/dev/null || { say \"$1 is not installed\"; exit 1; }\n"
    "}\n"
    "\n"
    "# Without /sys GNU parallel asks lscpu, which then complains; -j is given, so this is no guess.\n"
    "[ -e /sys/devices/system/cpu ] || export PARALLEL_LSCPU='CPU(s): 1'\n"
    "\n"
    "# A signal ends the visits that run (parallel passes it on), then the script. Who reads from a\n"
    "# pipe then is woken up by a line.\n"
    "is_reading=\n"
    "catch() {\n"
    "    caught=$1\n"
    "    [ -z \"$pid\" ] || kill -TERM \"$pid\" 2>/dev/null\n"
    "    [ -z \"$is_reading\" ] || echo caught >&3\n"
    "}\n"
    "trap 'catch 1' HUP\n"
    "trap 'catch 2' INT\n"
    "trap 'catch 15' TERM\n"
    "leave_if_caught() {\n"
    "    [ -z \"$caught\" ] && return\n"
    "    say \"ended by signal $caught; to go on: $again\"\n"
    "    exit $((128 + caught))\n"
    "}\n"
    "\n"
    "# run_lines N: the command lines in $lines side by side, N at a time, all to their end\n"
    "# even if some fail. TERM, then ten seconds, then KILL for those that are to be ended.\n"
    "run_lines() {\n"
    "    n_rows=0\n"
    "    [ ! -e \"$joblog\" ] || n_rows=$(wc -l <\"$joblog\")\n"
    "    printf '%s\\n' \"$lines\" |\n"
    "        parallel --will-cite --plain -j \"$1\" --termseq TERM,10000,KILL,25 \\\n"
    "            --joblog \"+$joblog\" >&2 9>&- &\n"
    "    pid=$!\n"
    "    wait \"$pid\"\n"
    "    while kill -0 \"$pid\" 2>/dev/null; do wait \"$pid\"; done\n"
    "    pid=\n"
    "    leave_if_caught\n"
    "    [ -e \"$joblog\" ] || return 0\n"
    "    awk -F '\\t' -v n_old=\"$n_rows\" '\n"
    "        NR <= n_old || $1 == \"Seq\" { next }\n"
    "        $7 == 0 && $8 == 0 { n_done++; next }\n"
    "        { sub(/ -- .*/, \"\", $9); status = $8 != 0 ? \"signal \" $8 : \"exit \" $7 }\n"
    "        $8 != 0 || $7 == 75 || $7 > 128 { again[++n_again] = $9 \" (\" status \")\"; next }\n"
    "        { failed[++n_failed] = $9 \" (\" status \")\" }\n"
    "        END {\n"
    "            print n_failed + 0, n_done + 0\n"
    "            for (i = 1; i <= n_failed; i++) print \"failed: \" failed[i]\n"
    "            for (i = 1; i <= n_again; i++) print \"try again: \" again[i]\n"
    "        }' <\"$joblog\"\n"
    "}\n"
    "\n"
    "# elsewhere TRY: of the lines on stdin those that begin with \"+ \" are the line before them for other\n"
    "# workers; of each, one, TRY after TRY.\n"
    "elsewhere() {\n"
    "    LC_ALL=C awk -v try=\"$1\" '\n"
    "        function choose() { if (n) print v[try % n] }\n"
    "        /^[+] / { v[n++] = substr($0, 3); next }\n"
    "        { choose(); v[0] = $0; n = 1 }\n"
    "        END { choose() }'\n"
    "}\n"
    "\n"
    "# batch N JOBS: the N commands on stdin, JOBS at a time. Those that ask for it (75, killed)\n"
    "# are tried again a few times, those that failed, too, while there are other workers; each time\n"
    "# elsewhere, if they can be. What was done is skipped then.\n"
    "batch() {\n"
    "    all=$(cat)\n"
    "    try=0\n"
    "    n_others=0\n"
    "    case $all in\n"
    "    *\"$HOP_NL+ \"*) n_others=" OTHERS " ;;\n"
    "    esac\n"
    "    while :; do\n"
    "        lines=$all\n"
    "        [ $n_others -eq 0 ] || lines=$(printf '%s\\n' \"$all\" | elsewhere $try)\n"
    "        run_lines \"$2\" >\"$joblog.last\"\n"
    "        leave_if_caught\n"
    "        read -r n_failed n_done <\"$joblog.last\" || n_failed=0 n_done=0\n"
    "        outcome=$(sed 1d \"$joblog.last\")\n"
    "        rm -f \"$joblog.last\"\n"
    "        [ \"$n_done\" -lt \"$1\" ] || return 0\n"
    "        [ \"$n_failed\" -eq 0 ] || [ $try -lt $n_others ] || break\n"
    "        [ $try -lt $retries ] || break\n"
    "        [ $n_others -gt $try ] || sleep $((1 << (try - n_others)))\n"
    "        try=$((try + 1))\n"
    "        leave_if_caught\n"
    "    done\n"
    "    end_line\n"
    "    [ -z \"$outcome\" ] || printf '%s\\n' \"$outcome\" | while IFS= read -r line; do say \"$line\"; done\n"
    "    [ -n \"$outcome\" ] || say \"GNU parallel did not end well\"\n"
    "    say \"what ran beside it is done; to go on: $again\"\n"
    "    [ \"$n_failed\" -eq 0 ] || exit 1\n"
    "    exit 75\n"
    "}\n"
    "\n"
    "need hop-visit\n"
    "need parallel\n"
    "case $(parallel --will-cite --version 2>/dev/null) in\n"
    "\"GNU parallel\"*) ;;\n"
    "*) say \"the parallel found by PATH is not GNU parallel\"; exit 1 ;;\n"
    "esac\n";

static const char subepochs[] =
    "\n"
    "# subepoch NUMBER N PERMILLE: N visits; after them PERMILLE of the expected time is over.\n"
    "n_visited=0\n"
    "subepoch() {\n"
    "    batch \"$2\" \"$2\"\n"
    "    n_visited=$((n_visited + $2))\n"
    "    [ \"$show\" = 1 ] || return 0\n"
    "    spent=$(($(date +%s) - began))\n"
    "    [ ! -t 2 ] || printf '\\r\\033[K' >&2\n"
    "    printf '%s: sub-epoch %d/%d, visits %d/%d, %s elapsed, %s to go%s' \"$me\" \"$1\" \\\n"
    "        \"$n_subepochs\" $n_visited \"$n_visits\" \"$(clock $spent)\" \\\n"
    "        \"$(clock $((spent * (1000 - $3) / ($3 > 0 ? $3 : 1))))\" \\\n"
    "        \"$(hop-visit --run \"$run\" --status --brief 2>/dev/null)\" >&2\n"
    "    midline=1\n"
    "    if [ ! -t 2 ] || [ \"$1\" -eq \"$n_subepochs\" ]; then end_line; fi\n"
    "}\n";

static void
add_top(const struct hop_emit_in *in, struct hop_str *out)
{
    hop_str_addf(out,
                 "#!/bin/sh\n"
                 "# Made by hop-schedule: %zu configs, %zu visits and %zu evaluations on %zu "
                 "workers.\n"
                 "# End it and start it again as you like: what is done is skipped.\n",
                 in->tasks->n, in->plan->n_train_visits, in->plan->n - in->plan->n_train_visits,
                 in->workers->n);
    hop_script_begin(in, in->plan->n, out);
    hop_script_hosts(in, out);
    hop_str_add(out, head);
    hop_str_add(out, body);
}

/* The configs, so that the script needs nothing but itself, and their model files. */
static int
add_births(const struct hop_emit_in *in, struct hop_str *out, struct hop_err *e)
{
    size_t i, n = 0;
    int rc = HOP_OK;

    hop_str_add(out, "\nhop-visit --run \"$run\" --add-configs <<'HOP_CONFIGS' || failed $?\n");
    for (i = 0; i < in->tasks->n && !rc; i++) {
        rc = hop_json_dump(in->tasks->configs[i], out, e);
        hop_str_add(out, "\n");
        n += !in->tasks->v[i].is_born;
    }
    hop_str_add(out, "HOP_CONFIGS\nhop-visit --run \"$run\" --restore || failed $?\n");
    if (!n)
        return rc;
    hop_str_addf(out, "batch %zu 100%% <<'HOP_LINES'\n", n);
    for (i = 0; i < in->tasks->n; i++)
        if (!in->tasks->v[i].is_born) {
            hop_emit_birth(in, in->tasks->v[i].id, out);
            hop_str_add(out, "\n");
        }
    hop_str_add(out, "HOP_LINES\n");
    return rc;
}

/* The sub-epoch that begins with visit i; returns the first visit after it. */
static size_t
add_subepoch(const struct hop_emit_in *in, size_t i, struct hop_str *out)
{
    const struct hop_sched_visit *v = in->plan->v;
    double end_s;
    size_t end = i;

    while (end < in->plan->n && v[end].subepoch == v[i].subepoch)
        end++;
    end_s = end < in->plan->n ? v[end].start_s : in->plan->makespan_s;
    hop_str_addf(out, "subepoch %lld %zu %d <<'HOP_LINES'\n", (long long)v[i].subepoch, end - i,
                 in->plan->makespan_s > 0 ? (int)(1000 * end_s / in->plan->makespan_s) : 1000);
    for (; i < end; i++) {
        hop_emit_visit(in, &v[i], out);
        hop_str_add(out, "\n");
        hop_emit_others(in, &v[i], false, out);
    }
    hop_str_add(out, "HOP_LINES\n");
    return end;
}

static int
emit(const struct hop_emit_in *in, struct hop_str *out, struct hop_err *e)
{
    size_t i = 0;
    int rc;

    add_top(in, out);
    if ((rc = add_births(in, out, e)))
        return rc;
    hop_str_add(out, "\nopen_hosts\n");
    if (in->plan->has_barriers) {
        hop_str_addf(out, "\nn_subepochs=%lld\n", (long long)in->plan->n_subepochs);
        hop_str_add(out, subepochs);
        while (i < in->plan->n)
            i = add_subepoch(in, i, out);
    } else if ((rc = hop_emit_flow(in, out, e))) {
        return rc;
    }
    return hop_str_check(out, e);
}

const struct hop_emitter hop_emitter_sh = {
    "sh", "a script that runs the visits with GNU parallel", emit, true};
