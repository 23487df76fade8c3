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
    "# worker with a free slot takes the lowest rank. A worker whose slots all work is sent what the plan\n"
    "# begins next there, if that can begin, and up to ahead_WORKER such: they wait for their turn over\n"
    "# there. plan_WORKER has what it has not begun, as \" RANK.C RANK.C \". Each visit tells its beginning\n"
    "# and its end through a pipe.\n"
    "n_running=0\n"
    "n_visited=0\n"
    "ms_done=0\n"
    "failed=\n"
    "ask=\n"
    "shown=\n"
    "look_at=0\n"
    "brief=\n"
    "draining=\n"
    "still=' '\n"
    "asker=\n"
    "ask_again=\n"
    "n_ranks=0\n"
    "base=0\n"
    "\n"
    "# worker W SLOTS AHEAD PLAN NAME; chain C ID: the lines of config C on stdin, whose ranks come behind\n"
    "# those that the script has.\n"
    "worker() { eval \"free_$1=$2 ahead_$1=$3 plan_$1=\\$4 wait_$1= off_$1= fails_$1=0 last_$1= stuck_$1=0 name_$1=\\$5\"; }\n"
    "chain() {\n"
    "    rest=$(cat)\n"
    "    eval \"rest_$1=\\${rest:+\\$rest\\$HOP_NL} base_$1=$n_ranks id_$1=\\$2\"\n"
    "}\n"
    "\n"
    "# come C: what config C does next waits at its workers.\n"
    "come() {\n"
    "    eval \"rest=\\$rest_$1 base=\\$base_$1\"\n"
    "    stage=${rest%% *}\n"
    "    n_open=0\n"
    "    while [ -n \"$rest\" ] && [ \"${rest%% *}\" = \"$stage\" ]; do\n"
    "        line=${rest%%\"$HOP_NL\"*}\n"
    "        rest=${rest#*\"$HOP_NL\"}\n"
    "        line=${line#* }\n"
    "        at=${line%% *}\n"
    "        line=${line#* }\n"
    "        rank=$((${line%% *} + base))\n"
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
    "        stand_still \"$1\"\n"
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
    "# stand_still RANK: its config does.\n"
    "stand_still() {\n"
    "    eval \"s_line=\\$line_$1\"\n"
    "    s_line=${s_line#* }\n"
    "    still=\"$still${s_line%% *} \"\n"
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
    "# begun WORKER RANK: it is not to come any more.\n"
    "begun() {\n"
    "    eval \"plan=\\$plan_$1\"\n"
    "    case $plan in\n"
    "    *\" $2.\"*)\n"
    "        after=${plan#*\" $2.\"}\n"
    "        plan=${plan%%\" $2.\"*}\" \"${after#* }\n"
    "        eval \"plan_$1=\\$plan\"\n"
    "        ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "# is_next WORKER RANK: does the plan begin it next there? Configs that stand still do not count.\n"
    "is_next() {\n"
    "    eval \"plan=\\$plan_$1\"\n"
    "    while next=${plan# }; next=${next%% *}; [ -n \"$next\" ]; do\n"
    "        case $still in\n"
    "        *\" ${next#*.} \"*) plan=\" ${plan#* * }\" ;;\n"
    "        *) break ;;\n"
    "        esac\n"
    "    done\n"
    "    eval \"plan_$1=\\$plan\"\n"
    "    [ \"${next%.*}\" = \"$2\" ]\n"
    "}\n"
    "\n"
    "# serve WORKER: as many of those that wait for it as it has free slots begin, or are sent ahead.\n"
    "serve() {\n"
    "    while eval \"[ \\$((free_$1 + ahead_$1)) -gt 0 ] && [ -n \\\"\\$wait_$1\\\" ]\"; do\n"
    "        [ -z \"$draining\" ] || return 0\n"
    "        eval \"left=\\$wait_$1\"\n"
    "        first=\n"
    "        for rank in $left; do\n"
    "            if [ -z \"$first\" ] || [ \"$rank\" -lt \"$first\" ]; then first=$rank; fi\n"
    "        done\n"
    "        if eval \"[ \\$ahead_$1 -gt 0 ]\"; then\n"
    "            # nothing is sent ahead to where the last visit failed\n"
    "            if eval \"[ \\$free_$1 -le 0 ] && [ \\$fails_$1 -gt 0 ]\"; then return 0; fi\n"
    "            if eval \"[ \\$free_$1 -le 0 ]\" && ! is_next \"$1\" \"$first\"; then return 0; fi\n"
    "            begun \"$1\" \"$first\"\n"
    "        fi\n"
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
    "        if eval \"[ \\$open_$config -eq 0 ]\"; then\n"
    "            unset \"rest_$config\" \"base_$config\" \"id_$config\"\n"
    "            ask_more\n"
    "        fi\n"
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
    "        halt_it \"$1\"\n"
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
    "    halt_it \"$1\"\n"
    "}\n"
    "\n"
    "# ask_more: a config has come to its end. With HOP_MORE that command is asked, beside the visits, which\n"
    "# configs take its place: it gets the ids of those that are here on stdin, and prints what hop-schedule\n"
    "# --as more makes. Whoever ends meanwhile is asked for after that.\n"
    "ask_more() {\n"
    "    [ -n \"${HOP_MORE:-}\" ] && [ -z \"$draining\" ] || return 0\n"
    "    ask_again=1\n"
    "    [ -z \"$asker\" ] || return 0\n"
    "    ask_again=\n"
    "    n_running=$((n_running + 1))\n"
    "    c=0\n"
    "    while [ $c -lt \"$n_configs\" ]; do\n"
    "        eval \"printf '%s' \\\"\\${id_$c:+\\$id_$c\\$HOP_NL}\\\"\"\n"
    "        c=$((c + 1))\n"
    "    done >\"$pipes/training\"\n"
    "    # It has the run's lock (9) for as long as it may write there.\n"
    "    (sh -c \"$HOP_MORE\" <\"$pipes/training\" >\"$pipes/more\" 3>&- 4>&-; echo \"more $?\" >&3) 4>&- &\n"
    "    asker=$!\n"
    "}\n"
    "\n"
    "# add_more STATUS: it has answered, with shell text. One that fails is not asked again: who comes after\n"
    "# this script will find out why.\n"
    "add_more() {\n"
    "    [ -n \"$asker\" ] || return 0\n"
    "    asker=\n"
    "    n_running=$((n_running - 1))\n"
    "    [ \"$1\" -eq 0 ] || HOP_MORE=\n"
    "    if [ \"$1\" -ne 0 ] || [ -n \"$draining\" ]; then return 0; fi\n"
    "    come_to=\n"
    "    # shellcheck disable=SC1091 # made while the script runs\n"
    "    . \"$pipes/more\"\n"
    "    for at in $come_to; do serve \"$at\"; done\n"
    "    [ -z \"$ask_again\" ] || ask_more\n"
    "}\n"
    "\n"
    "# same_workers TEXT: were they the same when more was planned? If not, what is here is done to its end.\n"
    "same_workers() {\n"
    "    [ \"$1\" != \"$workers\" ] || return 0\n"
    "    HOP_MORE=\n"
    "    return 1\n"
    "}\n"
    "\n"
    "# add_chains CONFIGS RANKS CELLS MS: so many have been added; the new configs come.\n"
    "add_chains() {\n"
    "    n_ranks=$((n_ranks + $2))\n"
    "    n_visits=$((n_visits + $3))\n"
    "    ms_all=$((ms_all + $4))\n"
    "    c=$n_configs\n"
    "    n_configs=$((n_configs + $1))\n"
    "    while [ $c -lt \"$n_configs\" ]; do\n"
    "        come $c\n"
    "        c=$((c + 1))\n"
    "    done\n"
    "}\n"
    "\n"
    "# halt_it RANK: a visit is lost. What else is to begin or to go on?\n"
    "halt_it() {\n"
    "    stand_still \"$1\"\n"
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
    "    [ -z \"$asker\" ] || kill -0 \"$asker\" 2>/dev/null || echo 'more 1' >&3\n"
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
    "# flow SLOTS: all visits, SLOTS at a time.\n"
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
    "        more) add_more \"$rank\" ;;\n"
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

/* A birth costs little, and no worker: it has a place of its own, behind them. */
enum { BIRTH_MS = 30, N_BIRTHS_AT_ONCE = 2 };

/* first: shell text that the task's number comes after. want_birth: as its first line, with `rank`. */
static void
add_chain(const struct hop_emit_in *in, size_t task, const struct chains *c, const char *first,
          size_t birth_rank, struct hop_str *out)
{
    const struct hop_sched_visit *v;
    size_t i;

    hop_str_addf(out, "chain %s%zu%s ", first, task, *first ? "))" : "");
    hop_str_quote_line(out, in->in->tasks[task].id);
    hop_str_add(out, " <<'HOP_LINES'\n");
    if (birth_rank) {
        hop_str_addf(out, "0 %zu %zu %d ", in->workers->n, birth_rank, BIRTH_MS);
        hop_emit_birth(in, in->in->tasks[task].id, out);
        hop_str_add(out, "\n");
    }
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

/* *n: as many more visits may be under way at a time. */
static int
add_workers(const struct hop_emit_in *in, size_t *n, struct hop_str *out, struct hop_err *e)
{
    struct hop_str *plan = hop_alloc(in->workers->n, sizeof *plan, e); /* of each, " RANK.C RANK.C " */
    size_t i, n_ahead;

    if (!plan)
        return HOP_ENOMEM;
    for (i = 0; i < in->plan->n; i++)
        if (hop_emit_ahead(in, in->plan->v[i].worker))
            hop_str_addf(&plan[in->plan->v[i].worker], "%zu.%lu ", i + 1,
                         (unsigned long)in->plan->v[i].task);
    for (i = 0; i < in->workers->n; i++) {
        n_ahead = hop_emit_ahead(in, i);
        hop_str_addf(out, "worker %zu %zu %zu ' %s' ", i, in->in->workers[i].n_slots, n_ahead,
                     hop_str_c(&plan[i]));
        hop_str_quote(out, in->workers->v[i].name);
        hop_str_add(out, "\n");
        *n += in->in->workers[i].n_slots + n_ahead;
        out->is_oom = out->is_oom || plan[i].is_oom;
        hop_str_clear(&plan[i]);
    }
    free(plan);
    return HOP_OK;
}

/* What all plans that one script carries out have in common. */
static void
add_workers_text(const struct hop_emit_in *in, struct hop_str *out)
{
    struct hop_str text = {0};
    size_t i;

    for (i = 0; i < in->workers->n; i++)
        hop_str_addf(&text, "%s:%zu\n", in->workers->v[i].name, in->in->workers[i].n_slots);
    hop_str_quote(out, hop_str_c(&text));
    out->is_oom = out->is_oom || text.is_oom;
    hop_str_clear(&text);
}

static long long
ms_of_all(const struct hop_sched *plan)
{
    long long ms = 0;
    size_t i;

    for (i = 0; i < plan->n; i++)
        ms += ms_of(&plan->v[i]);
    return ms;
}

int
hop_emit_flow(const struct hop_emit_in *in, struct hop_str *out, struct hop_err *e)
{
    struct chains c;
    size_t i, n_slots = N_BIRTHS_AT_ONCE;
    int rc = make_chains(in, &c, e);

    if (!rc && in->plan->n) {
        hop_str_add(out, body);
        hop_str_addf(out, "\nn_configs=%zu\nn_workers=%zu\nms_all=%lld\nworkers=", in->tasks->n,
                     in->workers->n, ms_of_all(in->plan));
        add_workers_text(in, out);
        hop_str_add(out, "\n");
        rc = add_workers(in, &n_slots, out, e);
        hop_str_addf(out, "worker %zu %d 0 ' ' births\n", in->workers->n, N_BIRTHS_AT_ONCE);
        for (i = 0; i < in->tasks->n; i++)
            add_chain(in, i, &c, "", 0, out);
        hop_str_addf(out, "n_ranks=%zu\nflow %zu\n", in->plan->n, n_slots);
    }
    free(c.first);
    free(c.at);
    return rc;
}

int
hop_emit_flow_more(const struct hop_emit_in *in, struct hop_str *out, struct hop_err *e)
{
    size_t i, n_births = 0;
    struct chains c;
    int rc;

    if (in->plan->has_barriers)
        return hop_fail(e, HOP_EARG, "--as", NULL, "more: the policy %s has barriers", in->policy);
    rc = make_chains(in, &c, e);
    if (!rc && in->plan->n) {
        hop_str_add(out, "same_workers ");
        add_workers_text(in, out);
        hop_str_add(out, " || return 0\n");
        for (i = 0; i < in->tasks->n; i++)
            add_chain(in, i, &c, "$((n_configs + ",
                      in->tasks->v[i].is_born ? 0 : in->plan->n + ++n_births, out);
        hop_str_addf(out, "add_chains %zu %zu %zu %lld\n", in->tasks->n, in->plan->n + n_births,
                     in->plan->n + n_births, ms_of_all(in->plan) + (long long)n_births * BIRTH_MS);
    }
    free(c.first);
    free(c.at);
    return rc;
}
