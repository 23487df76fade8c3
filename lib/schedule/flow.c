/* flow - the part of a script (emit_sh.c) that runs a plan without barriers. What a worker takes
 * is decided when it is free, by the plan's order, so a visit that lasts longer than expected
 * holds up nobody but its config. */
#include "schedule/flow.h"

#include <stdlib.h>

#include "base/mem.h"
#include "schedule/cells.h"
#include "schedule/script.h"

static const char body[] =
    "\n"
    "# Without barriers. Config C has its visits in rest_C, one a line: \"STAGE WORKER RANK MS COMMAND\";\n"
    "# lines of one stage (the evaluations of one state) may run side by side. Those of the stage that\n"
    "# comes next wait in wait_WORKER, \"RANK C MS COMMAND\"; a worker with a free slot takes the lowest\n"
    "# rank. Each visit tells its beginning and its end through a pipe.\n"
    "n_running=0\n"
    "n_visited=0\n"
    "ms_done=0\n"
    "failed=\n"
    "ask=\n"
    "shown=\n"
    "look_at=0\n"
    "brief=\n"
    "draining=\n"
    "\n"
    "# worker W SLOTS; chain C: the lines of config C on stdin.\n"
    "worker() { eval \"free_$1=$2 wait_$1= gone_$1= wrong_$1=\"; }\n"
    "chain() {\n"
    "    rest=$(cat)\n"
    "    eval \"rest_$1=\\${rest:+\\$rest\\$HOP_NL}\"\n"
    "}\n"
    "\n"
    "# others RANK: \"WORKER COMMAND\" lines on stdin, of others that hold the shard.\n"
    "others() { eval \"other_$1=\\$(cat)\\$HOP_NL\"; }\n"
    "\n"
    "# turn RANK WORKER COMMAND [LAST]: to the next of the others that is not set aside: $at, $command.\n"
    "# With LAST the one that it was at comes again after them.\n"
    "turn() {\n"
    "    eval \"left=\\${other_$1:-}\"\n"
    "    [ -z \"${4:-}\" ] || left=\"$left$2 $3$HOP_NL\"\n"
    "    while [ -n \"$left\" ]; do\n"
    "        next=${left%%\"$HOP_NL\"*}\n"
    "        left=${left#*\"$HOP_NL\"}\n"
    "        at=${next%% *}\n"
    "        eval \"gone=\\$gone_$at\"\n"
    "        [ -z \"$gone\" ] || continue\n"
    "        command=${next#* }\n"
    "        eval \"other_$1=\\$left\"\n"
    "        return 0\n"
    "    done\n"
    "    eval \"other_$1=\"\n"
    "    return 1\n"
    "}\n"
    "\n"
    "# put \"RANK C MS COMMAND\": it waits at worker $at, or where that one is set aside, at another.\n"
    "put() {\n"
    "    eval \"gone=\\$gone_$at\"\n"
    "    if [ -n \"$gone\" ]; then\n"
    "        line=${1#* * * }\n"
    "        if ! turn \"${1%% *}\" \"$at\" \"$line\"; then\n"
    "            ask=\"$ask${line%% -- *} (its worker is set aside)$HOP_NL\"\n"
    "            return 0\n"
    "        fi\n"
    "        set -- \"${1%\"$line\"}$command\"\n"
    "    fi\n"
    "    eval \"wait_$at=\\$wait_$at\\$1\\$HOP_NL\"\n"
    "    come_to=\"$come_to $at\"\n"
    "}\n"
    "\n"
    "# come C: what config C does next waits at its workers.\n"
    "come() {\n"
    "    eval \"rest=\\$rest_$1\"\n"
    "    stage=${rest%% *}\n"
    "    n_open=0\n"
    "    while [ -n \"$rest\" ] && [ \"${rest%% *}\" = \"$stage\" ]; do\n"
    "        line=${rest%%\"$HOP_NL\"*}\n"
    "        rest=${rest#*\"$HOP_NL\"}\n"
    "        line=${line#* }\n"
    "        at=${line%% *}\n"
    "        line=${line#* }\n"
    "        n_open=$((n_open + 1))\n"
    "        put \"${line%% *} $1 ${line#* }\"\n"
    "    done\n"
    "    eval \"rest_$1=\\$rest open_$1=\\$n_open\"\n"
    "}\n"
    "\n"
    "# serve WORKER: as many of those that wait for it as it has free slots begin.\n"
    "serve() {\n"
    "    while eval \"[ \\$free_$1 -gt 0 ] && [ -n \\\"\\$wait_$1\\\" ]\"; do\n"
    "        [ -z \"$draining\" ] || return 0\n"
    "        eval \"left=\\$wait_$1\"\n"
    "        first=\n"
    "        while [ -n \"$left\" ]; do\n"
    "            line=${left%%\"$HOP_NL\"*}\n"
    "            left=${left#*\"$HOP_NL\"}\n"
    "            if [ -z \"$first\" ] || [ \"${line%% *}\" -lt \"${first%% *}\" ]; then first=$line; fi\n"
    "        done\n"
    "        eval \"before=\\${wait_$1%%\\\"\\$first\\$HOP_NL\\\"*} after=\\${wait_$1#*\\\"\\$first\\$HOP_NL\\\"}\"\n"
    "        rank=${first%% *}\n"
    "        eval \"wait_$1=\\$before\\$after free_$1=\\$((free_$1 - 1)) try_$rank=\\${try_$rank:-0} held_$rank=1\"\n"
    "        eval \"line_$rank=\\\"$1 \\${first#* }\\\"\"\n"
    "        n_running=$((n_running + 1))\n"
    "        launch \"$rank\"\n"
    "    done\n"
    "}\n"
    "\n"
    "# launch RANK: a shell of its own runs the command and says how it ended.\n"
    "launch() {\n"
    "    eval \"line=\\$line_$1\"\n"
    "    line=${line#* * * }\n"
    "    running=\"$running$1 \"\n"
    "    printf '%s\\n' \"echo \\\"begin $1 \\$\\$\\\" >&3; $line 3>&-; s=\\$?; echo \\\"end $1 \\$s\\\" >&3; exit \\$s\" >&4 2>/dev/null ||\n"
    "        lost=1\n"
    "}\n"
    "\n"
    "# end_visit RANK STATUS\n"
    "end_visit() {\n"
    "    eval \"line=\\$line_$1 try=\\$try_$1 shell_$1=\"\n"
    "    case $running in\n"
    "    *\" $1 \"*) running=${running%%\" $1 \"*}\" \"${running#*\" $1 \"} ;;\n"
    "    *) return 0 ;;\n"
    "    esac\n"
    "    here=${line%% *}\n"
    "    line=${line#* }\n"
    "    config=${line%% *}\n"
    "    line=${line#* }\n"
    "    ms=${line%% *}\n"
    "    command=${line#* }\n"
    "    come_to=\n"
    "    if [ \"$2\" -ne 0 ]; then\n"
    "        shown_as=${command%% -- *}\n"
    "        last=\n"
    "        is_new=\n"
    "        blame \"$1\" \"$here\" \"$command\"\n"
    "        if [ \"$2\" -ne 75 ] && [ \"$2\" -le 128 ]; then\n"
    "            why=\"exit $2\"\n"
    "            [ -n \"$draining\" ] || ! turn \"$1\" \"$here\" \"$command\" || is_new=1\n"
    "        else\n"
    "            why=\"exit $2\"\n"
    "            [ \"$2\" -le 128 ] || why=\"signal $(($2 - 128))\"\n"
    "            if [ -z \"$draining\" ] && [ \"$try\" -lt \"$retries\" ] && turn \"$1\" \"$here\" \"$command\" last; then\n"
    "                is_new=1\n"
    "                [ \"$at\" != \"$here\" ] || last=$((1 << try))\n"
    "                eval \"try_$1=\\$((try + 1))\"\n"
    "            fi\n"
    "        fi\n"
    "        if [ -n \"$is_new\" ]; then\n"
    "            # Whoever waits for the worker that it was at keeps its slot there.\n"
    "            if [ \"$at\" != \"$here\" ]; then eval \"free_$here=\\$((free_$here + 1)) held_$1=\"; fi\n"
    "            eval \"line_$1=\\\"\\$at \\$config \\$ms \\$command\\\"\"\n"
    "            running=\"$running$1 \"\n"
    "            aside \"sleep ${last:-0}; echo 'again $1' >&3\"\n"
    "            for at in $here $come_to; do serve \"$at\"; done\n"
    "            return 0\n"
    "        fi\n"
    "        if [ \"$2\" -ne 75 ] && [ \"$2\" -le 128 ]; then\n"
    "            failed=\"$failed$shown_as ($why)$HOP_NL\"\n"
    "        else\n"
    "            ask=\"$ask$shown_as ($why)$HOP_NL\"\n"
    "        fi\n"
    "        [ \"$halt\" = never ] || draining=1\n"
    "        if [ \"$halt\" = now ]; then kill -TERM \"$pid\" 2>/dev/null; fi\n"
    "    fi\n"
    "    n_running=$((n_running - 1))\n"
    "    eval \"free_$here=\\$((free_$here + 1))\"\n"
    "    unset \"line_$1\" \"try_$1\" \"held_$1\" \"other_$1\"\n"
    "    if [ \"$2\" -ne 0 ]; then\n"
    "        for at in $here $come_to; do serve \"$at\"; done\n"
    "        return 0\n"
    "    fi\n"
    "    eval \"wrong_$here=\"\n"
    "    n_visited=$((n_visited + 1))\n"
    "    ms_done=$((ms_done + ms))\n"
    "    eval \"n_open=\\$((open_$config - 1))\"\n"
    "    eval \"open_$config=\\$n_open\"\n"
    "    [ \"$n_open\" -gt 0 ] || come \"$config\"\n"
    "    for at in $here $come_to; do serve \"$at\"; done\n"
    "    show_visits\n"
    "}\n"
    "\n"
    "# blame RANK WORKER COMMAND: a worker with which several visits in a row went wrong is set aside.\n"
    "blame() {\n"
    "    eval \"wrong=\\$wrong_$2 gone=\\$gone_$2\"\n"
    "    case \" $wrong \" in *\" $1 \"*) ;; *) wrong=\"$wrong $1\" ;; esac\n"
    "    eval \"wrong_$2=\\$wrong\"\n"
    "    n=0\n"
    "    for rank in $wrong; do n=$((n + 1)); done\n"
    "    if [ $n -lt \"$n_aside\" ] || [ -n \"$gone\" ]; then return 0; fi\n"
    "    say \"$n visits in a row went wrong on the worker of this one, which is set aside: ${3%% -- *}\"\n"
    "    eval \"gone_$2=1 waiting=\\$wait_$2 wait_$2=\"\n"
    "    while [ -n \"$waiting\" ]; do\n"
    "        at=$2\n"
    "        put \"${waiting%%\"$HOP_NL\"*}\"\n"
    "        waiting=${waiting#*\"$HOP_NL\"}\n"
    "    done\n"
    "}\n"
    "\n"
    "# again RANK: a visit that asked for it has waited; by now others may have failed.\n"
    "again() {\n"
    "    running=${running%%\" $1 \"*}\" \"${running#*\" $1 \"}\n"
    "    eval \"line=\\$line_$1 held=\\$held_$1\"\n"
    "    if [ -z \"$draining\" ] && [ -n \"$held\" ]; then\n"
    "        launch \"$1\"\n"
    "        return 0\n"
    "    fi\n"
    "    n_running=$((n_running - 1))\n"
    "    [ -z \"$draining\" ] || return 0\n"
    "    come_to=\n"
    "    at=${line%% *}\n"
    "    put \"$1 ${line#* }\"\n"
    "    for at in $come_to; do serve \"$at\"; done\n"
    "}\n"
    "\n"
    "# Visits whose shell was killed say no more; two looks, since the last words may be on their way.\n"
    "look_for_dead() {\n"
    "    for rank in $running; do\n"
    "        eval \"shell=\\${shell_$rank:-} was_dead=\\${dead_$rank:-}\"\n"
    "        if [ -z \"$shell\" ] || kill -0 \"$shell\" 2>/dev/null; then continue; fi\n"
    "        if [ -n \"$was_dead\" ]; then\n"
    "            eval \"dead_$rank=\"\n"
    "            end_visit \"$rank\" 137\n"
    "        else\n"
    "            eval \"dead_$rank=1\"\n"
    "        fi\n"
    "    done\n"
    "    kill -0 \"$pid\" 2>/dev/null || lost=1\n"
    "}\n"
    "\n"
    "show_visits() {\n"
    "    [ \"$show\" = 1 ] || return 0\n"
    "    now=$(date +%s)\n"
    "    [ \"$now\" != \"$shown\" ] || [ $n_visited -eq \"$n_visits\" ] || return 0\n"
    "    shown=$now\n"
    "    spent=$((now - began))\n"
    "    # Not at every step where that takes long.\n"
    "    if [ \"$now\" -ge $look_at ] || [ $n_visited -eq \"$n_visits\" ]; then\n"
    "        brief=$(hop-visit --run \"$run\" --status --brief 2>/dev/null)\n"
    "        look_at=$(date +%s)\n"
    "        look_at=$((look_at + 1 + 30 * (look_at - now)))\n"
    "    fi\n"
    "    [ ! -t 2 ] || printf '\\r\\033[K' >&2\n"
    "    printf '%s: visits %d/%d, %s elapsed, %s to go%s' \"$me\" $n_visited \"$n_visits\" \"$(clock $spent)\" \\\n"
    "        \"$(clock $((spent * (ms_all - ms_done) / (ms_done > 0 ? ms_done : 1))))\" \"$brief\" >&2\n"
    "    midline=1\n"
    "    if [ ! -t 2 ] || [ $n_visited -eq \"$n_visits\" ]; then end_line; fi\n"
    "}\n"
    "\n"
    "# aside COMMANDS: beside this script; what hangs on its open files must not wait for them.\n"
    "aside() { (exec 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; eval \"$1\") >/dev/null 2>&1 & }\n"
    "\n"
    "# flow SLOTS: all visits, in SLOTS slots together.\n"
    "flow() {\n"
    "    pipes=$(mktemp -d) || exit 1\n"
    "    mkfifo \"$pipes/ends\" \"$pipes/lines\" || exit 1\n"
    "    exec 3<>\"$pipes/ends\"\n"
    "    trap : PIPE\n"
    "    # 9 may be the lock of the run: were parallel killed, its dummies would hold it for hours.\n"
    "    # More jobs than slots, or parallel would wait for the end of a job that has already told it.\n"
    "    parallel --will-cite --plain -j $(($1 * 2)) --termseq TERM,10000,KILL,25 \\\n"
    "        --joblog \"+$joblog\" <\"$pipes/lines\" >&2 9>&- &\n"
    "    pid=$!\n"
    "    exec 4>\"$pipes/lines\"\n"
    "    aside \"while sleep 5 && kill -0 $$; do echo tick >&3; done\"\n"
    "    ticker=$!\n"
    "    is_reading=1\n"
    "    lost=\n"
    "    running=' '\n"
    "    began=$(date +%s)\n"
    "    come_to=\n"
    "    i=0\n"
    "    while [ $i -lt \"$n_configs\" ]; do\n"
    "        come $i\n"
    "        i=$((i + 1))\n"
    "    done\n"
    "    i=0\n"
    "    while [ $i -lt \"$n_workers\" ]; do\n"
    "        serve $i\n"
    "        i=$((i + 1))\n"
    "    done\n"
    "    while [ $n_running -gt 0 ] && [ -z \"$caught\" ] && [ -z \"$lost\" ]; do\n"
    "        read -r what rank more <&3 || continue\n"
    "        case $what in\n"
    "        begin) eval \"shell_$rank=\\$more\" ;;\n"
    "        end) end_visit \"$rank\" \"$more\" ;;\n"
    "        again) again \"$rank\" ;;\n"
    "        tick) look_for_dead ;;\n"
    "        esac\n"
    "    done\n"
    "    is_reading=\n"
    "    exec 4>&-\n"
    "    while kill -0 \"$pid\" 2>/dev/null; do wait \"$pid\"; done\n"
    "    pid=\n"
    "    leave_if_caught\n"
    "    [ $n_visited -lt \"$n_visits\" ] || return 0\n"
    "    end_line\n"
    "    printf '%s' \"$failed\" | while IFS= read -r line; do say \"failed: $line\"; done\n"
    "    printf '%s' \"$ask\" | while IFS= read -r line; do say \"try again: $line\"; done\n"
    "    [ -n \"$failed$ask\" ] || say \"GNU parallel did not end well\"\n"
    "    say \"what does not need it is done; to go on: $again\"\n"
    "    [ -z \"$failed\" ] || exit 1\n"
    "    exit 75\n"
    "}\n";

/* The visits of each task, in order: those of task t are v[at[first[t]]] to v[at[first[t + 1] - 1]]. */
struct chains {
    size_t *first, *at;
};

static int
make_chains(const struct hop_emit_in *in, struct chains *c, struct hop_err *e)
{
    const struct hop_sched *plan = in->plan;
    size_t i, n = in->tasks->n;

    *c = (struct chains){hop_alloc(n + 2, sizeof *c->first, e),
                         hop_alloc(plan->n, sizeof *c->at, e)};
    if (!c->first || !c->at)
        return HOP_ENOMEM;
    for (i = 0; i < plan->n; i++)
        c->first[plan->v[i].task + 2]++;
    for (i = 2; i < n + 2; i++)
        c->first[i] += c->first[i - 1];
    for (i = 0; i < plan->n; i++) /* first[t + 1] is where t's next goes; in the end, t's end */
        c->at[c->first[plan->v[i].task + 1]++] = i;
    return HOP_OK;
}

static long long
ms_of(const struct hop_sched_visit *v)
{
    return (long long)(1000 * v->expect_s) + 1;
}

/* Who else could carry out v, of workers that hold its shard. */
static void
add_others(const struct hop_emit_in *in, const struct hop_sched_visit *v, size_t rank,
           struct hop_str *out)
{
    struct hop_cell at, c = {.v = v, .task = v->task, .worker = v->worker, .slot = v->slot};
    size_t i, n = hop_cell_n_holders(in, &c);
    struct hop_sched_visit scratch;

    if (n < 2)
        return;
    hop_str_addf(out, "others %zu <<'HOP_LINES'\n", rank);
    for (i = 1; i < n && i < HOP_SCRIPT_HOLDERS; i++) {
        at = hop_cell_at(in, &c, i, &scratch);
        hop_str_addf(out, "%lu ", (unsigned long)at.worker);
        hop_cell_command(in, &at, out);
        hop_str_add(out, "\n");
    }
    hop_str_add(out, "HOP_LINES\n");
}

static void
add_chain(const struct hop_emit_in *in, size_t task, const struct chains *c, struct hop_str *out)
{
    const struct hop_sched_visit *v;
    size_t i;

    hop_str_addf(out, "chain %zu <<'HOP_LINES'\n", task);
    for (i = c->first[task]; i < c->first[task + 1]; i++) {
        v = &in->plan->v[c->at[i]];
        hop_str_addf(out, "%lld %u %zu %lld ", 2 * (long long)v->visit + v->is_eval, v->worker,
                     c->at[i] + 1, ms_of(v));
        hop_emit_visit(in, v, out);
        hop_str_add(out, "\n");
    }
    hop_str_add(out, "HOP_LINES\n");
    for (i = c->first[task]; i < c->first[task + 1]; i++)
        add_others(in, &in->plan->v[c->at[i]], c->at[i] + 1, out);
}

int
hop_emit_flow(const struct hop_emit_in *in, struct hop_str *out, struct hop_err *e)
{
    struct chains c;
    size_t i, n_slots = 0;
    long long ms = 0;
    int rc = make_chains(in, &c, e);

    if (!rc && in->plan->n) {
        hop_str_add(out, body);
        for (i = 0; i < in->plan->n; i++)
            ms += ms_of(&in->plan->v[i]);
        hop_str_addf(out, "\nn_configs=%zu\nn_workers=%zu\nms_all=%lld\n", in->tasks->n,
                     in->workers->n, ms);
        for (i = 0; i < in->workers->n; i++) {
            hop_str_addf(out, "worker %zu %zu\n", i, in->in->workers[i].n_slots);
            n_slots += in->in->workers[i].n_slots;
        }
        for (i = 0; i < in->tasks->n; i++)
            if (c.first[i] < c.first[i + 1])
                add_chain(in, i, &c, out);
            else
                hop_str_addf(out, "chain %zu </dev/null\n", i);
        hop_str_addf(out, "flow %zu\n", n_slots);
    }
    free(c.first);
    free(c.at);
    return rc;
}
