/* flow - the part of a script (emit_sh.c) that runs a plan without barriers. What a worker takes
 * is decided when it is free, by the plan's order, so a visit that lasts longer than expected
 * holds up nobody but its config; nor does one that fails. */
#include "schedule/flow.h"

#include <stdlib.h>

#include "base/mem.h"
#include "schedule/script.h"

static const char body[] =
    "\n"
    "# Without barriers. Config C has its visits in rest_C, one a line: \"STAGE WORKER RANK MS COMMAND\",\n"
    "# and after it, for other workers with that shard, \"+ WORKER COMMAND\". Lines of one stage (the\n"
    "# evaluations of one state) may run side by side. Those of the stage that comes next wait: their\n"
    "# ranks are in wait_WORKER, what they are in line_RANK, \"WORKER C MS COMMAND\", and alts_RANK; a\n"
    "# worker with a free slot takes the lowest rank. Each visit tells its beginning and its end through\n"
    "# a pipe.\n"
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
    "# worker W SLOTS NAME; chain C: the lines of config C on stdin.\n"
    "worker() { eval \"free_$1=$2 wait_$1= off_$1= fails_$1=0 last_$1= stuck_$1=0 name_$1=\\$3\"; }\n"
    "chain() {\n"
    "    rest=$(cat)\n"
    "    eval \"rest_$1=\\${rest:+\\$rest\\$HOP_NL}\"\n"
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
    "        rank=${line%% *}\n"
    "        alts=\n"
    "        while [ \"${rest%% *}\" = + ]; do\n"
    "            alt=${rest%%\"$HOP_NL\"*}\n"
    "            rest=${rest#*\"$HOP_NL\"}\n"
    "            alts=$alts${alt#* }$HOP_NL\n"
    "        done\n"
    "        eval \"line_$rank=\\\"\\$at $1 \\${line#* }\\\" alts_$rank=\\$alts try_$rank=0\"\n"
    "        n_open=$((n_open + 1))\n"
    "        queue \"$rank\"\n"
    "    done\n"
    "    eval \"rest_$1=\\$rest open_$1=\\$n_open\"\n"
    "}\n"
    "\n"
    "# queue RANK: it waits at its worker, or at another that has the shard if that one is set aside; when\n"
    "# there is none it is stuck, and with it its config, but nothing else. Puts the worker into come_to.\n"
    "queue() {\n"
    "    eval \"at=\\${line_$1%% *}\"\n"
    "    if eval \"[ -n \\\"\\$off_$at\\\" ]\" && ! elsewhere \"$1\"; then\n"
    "        eval \"stuck_$at=\\$((stuck_$at + 1))\"\n"
    "        return 0\n"
    "    fi\n"
    "    eval \"at=\\${line_$1%% *}\"\n"
    "    eval \"wait_$at=\\\"\\$wait_$at $1\\\"\"\n"
    "    come_to=\"$come_to $at\"\n"
    "}\n"
    "\n"
    "# elsewhere RANK [back]: it gets another worker, if one is left; back: this one is the last choice then,\n"
    "# else it is no choice any more.\n"
    "elsewhere() {\n"
    "    eval \"e_left=\\$alts_$1 e_line=\\$line_$1\"\n"
    "    e_at=${e_line%% *}\n"
    "    e_line=${e_line#* }\n"
    "    e_command=${e_line#* * }\n"
    "    e_line=${e_line%\"$e_command\"}\n"
    "    e_kept=\n"
    "    while [ -n \"$e_left\" ]; do\n"
    "        e_alt=${e_left%%\"$HOP_NL\"*}\n"
    "        e_left=${e_left#*\"$HOP_NL\"}\n"
    "        if eval \"[ -z \\\"\\$off_${e_alt%% *}\\\" ]\"; then\n"
    "            [ \"${2:-}\" != back ] || e_left=\"$e_left$e_at $e_command$HOP_NL\"\n"
    "            eval \"line_$1=\\\"\\${e_alt%% *} \\$e_line\\${e_alt#* }\\\" alts_$1=\\$e_kept\\$e_left\"\n"
    "            return 0\n"
    "        fi\n"
    "        e_kept=$e_kept$e_alt$HOP_NL\n"
    "    done\n"
    "    return 1\n"
    "}\n"
    "\n"
    "# set_aside WORKER: it gets no more visits; those that wait for it go elsewhere.\n"
    "set_aside() {\n"
    "    left=\n"
    "    eval \"off_$1=1 left=\\$wait_$1 wait_$1=\"\n"
    "    eval \"say \\\"worker \\$name_$1 is set aside: \\$fails_$1 visits in a row failed there\\\"\"\n"
    "    for rank in $left; do queue \"$rank\"; done\n"
    "}\n"
    "\n"
    "# serve WORKER: as many of those that wait for it as it has free slots begin.\n"
    "serve() {\n"
    "    while eval \"[ \\$free_$1 -gt 0 ] && [ -n \\\"\\$wait_$1\\\" ]\"; do\n"
    "        [ -z \"$draining\" ] || return 0\n"
    "        eval \"left=\\$wait_$1\"\n"
    "        first=\n"
    "        for rank in $left; do\n"
    "            if [ -z \"$first\" ] || [ \"$rank\" -lt \"$first\" ]; then first=$rank; fi\n"
    "        done\n"
    "        after=\n"
    "        for rank in $left; do\n"
    "            [ \"$rank\" -eq \"$first\" ] || after=\"$after $rank\"\n"
    "        done\n"
    "        eval \"wait_$1=\\$after free_$1=\\$((free_$1 - 1))\"\n"
    "        n_running=$((n_running + 1))\n"
    "        launch \"$first\"\n"
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
    "    case $running in\n"
    "    *\" $1 \"*) running=${running%%\" $1 \"*}\" \"${running#*\" $1 \"} ;;\n"
    "    *) return 0 ;;\n"
    "    esac\n"
    "    eval \"line=\\$line_$1 shell_$1=\"\n"
    "    here=${line%% *}\n"
    "    come_to=$here\n"
    "    n_running=$((n_running - 1))\n"
    "    eval \"free_$here=\\$((free_$here + 1))\"\n"
    "    if [ \"$2\" -eq 0 ]; then\n"
    "        line=${line#* }\n"
    "        config=${line%% *}\n"
    "        line=${line#* }\n"
    "        unset \"line_$1\" \"alts_$1\" \"try_$1\"\n"
    "        n_visited=$((n_visited + 1))\n"
    "        ms_done=$((ms_done + ${line%% *}))\n"
    "        eval \"n_open=\\$((open_$config - 1))\"\n"
    "        eval \"open_$config=\\$n_open fails_$here=0 last_$here=\"\n"
    "        [ \"$n_open\" -gt 0 ] || come \"$config\"\n"
    "        show_visits\n"
    "    else\n"
    "        fail \"$1\" \"$2\"\n"
    "    fi\n"
    "    for at in $come_to; do serve \"$at\"; done\n"
    "}\n"
    "\n"
    "# fail RANK STATUS: a visit that failed at worker $here is tried elsewhere if its shard lies there,\n"
    "# else here again after a while, if it asks for that; or it is lost, and its config stands still.\n"
    "# A worker where as many visits have failed in a row gets no more; one visit is counted once, since\n"
    "# it may be its config that is to blame.\n"
    "fail() {\n"
    "    eval \"try=\\$try_$1 line=\\$line_$1\"\n"
    "    line=${line#* * * }\n"
    "    if [ \"$2\" -le 128 ] && eval \"[ \\\"\\$last_$here\\\" != $1 ]\"; then\n"
    "        eval \"fails_$here=\\$((fails_$here + 1)) last_$here=$1\"\n"
    "    fi\n"
    "    if eval \"[ \\$fails_$here -ge $n_aside ] && [ -z \\\"\\$off_$here\\\" ]\"; then set_aside \"$here\"; fi\n"
    "    if [ \"$2\" -ne 75 ] && [ \"$2\" -le 128 ]; then\n"
    "        if [ -z \"$draining\" ] && elsewhere \"$1\"; then queue \"$1\"; return 0; fi\n"
    "        failed=\"$failed${line%% -- *} (exit $2)$HOP_NL\"\n"
    "        halt_it\n"
    "        return 0\n"
    "    fi\n"
    "    if [ \"$try\" -lt \"$retries\" ] && [ -z \"$draining\" ]; then\n"
    "        eval \"try_$1=\\$((try + 1))\"\n"
    "        if elsewhere \"$1\" back; then queue \"$1\"; return 0; fi\n"
    "        if eval \"[ -z \\\"\\$off_$here\\\" ]\"; then\n"
    "            eval \"free_$here=\\$((free_$here - 1))\"\n"
    "            n_running=$((n_running + 1))\n"
    "            running=\"$running$1 \"\n"
    "            aside \"sleep $((1 << try)); echo 'again $1' >&3\"\n"
    "            return 0\n"
    "        fi\n"
    "    fi\n"
    "    if [ \"$2\" -gt 128 ]; then\n"
    "        ask=\"$ask${line%% -- *} (signal $(($2 - 128)))$HOP_NL\"\n"
    "    else\n"
    "        ask=\"$ask${line%% -- *} (exit $2)$HOP_NL\"\n"
    "    fi\n"
    "    halt_it\n"
    "}\n"
    "\n"
    "# halt_it: a visit is lost. What else is to begin or to go on?\n"
    "halt_it() {\n"
    "    [ \"$halt\" = never ] || draining=1\n"
    "    if [ \"$halt\" = now ]; then kill -TERM \"$pid\" 2>/dev/null; fi\n"
    "}\n"
    "\n"
    "# again RANK: a visit that asked for it has waited; by now its worker may have been set aside.\n"
    "again() {\n"
    "    case $running in\n"
    "    *\" $1 \"*) running=${running%%\" $1 \"*}\" \"${running#*\" $1 \"} ;;\n"
    "    *) return 0 ;;\n"
    "    esac\n"
    "    eval \"here=\\${line_$1%% *}\"\n"
    "    if eval \"[ -z \\\"\\$off_$here\\\" ]\" && [ -z \"$draining\" ]; then\n"
    "        launch \"$1\"\n"
    "        return 0\n"
    "    fi\n"
    "    n_running=$((n_running - 1))\n"
    "    eval \"free_$here=\\$((free_$here + 1))\"\n"
    "    [ -z \"$draining\" ] || return 0\n"
    "    come_to=\n"
    "    queue \"$1\"\n"
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
    "    i=0\n"
    "    is_off=\n"
    "    while [ $i -lt \"$n_workers\" ]; do\n"
    "        if eval \"[ -n \\\"\\$off_$i\\\" ]\"; then\n"
    "            is_off=1\n"
    "            eval \"say \\\"worker \\$name_$i was set aside; \\$stuck_$i visits waited for it when all else was done\\\"\"\n"
    "        fi\n"
    "        i=$((i + 1))\n"
    "    done\n"
    "    [ -n \"$failed$ask$is_off\" ] || say \"GNU parallel did not end well\"\n"
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
        hop_emit_others(in, v, true, out);
    }
    hop_str_add(out, "HOP_LINES\n");
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
            hop_str_addf(out, "worker %zu %zu ", i, in->in->workers[i].n_slots);
            hop_str_quote(out, in->workers->v[i].name);
            hop_str_add(out, "\n");
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
