/* make - a Makefile for GNU make: each visit is a target that needs the visit of its config before
 * it and the one before it in the same slot of its worker. So `make -j` runs as many at a time as
 * there are slots, and the order is the plan's.
 *
 * What is done is hop-visit's to know: all targets are phony, and a visit that is done is skipped.
 * A recipe never fails, since make would then drop what is behind it in its worker's slot, too. It
 * leaves a note instead, which stops its config alone; the last recipe makes a status of the notes.
 *
 * What make reads goes through escape() ($ doubled); what the shell reads through the one function
 * that quotes, on one line.
 */
#include "schedule/emitters.h"

#include <string.h>

#include "schedule/cells.h"
#include "schedule/script.h"

/* A recipe's line is one argument of sh, and what it finds in the environment one string; Linux
 * takes 128 KiB of each. With too many hosts each visit opens its own connection. */
enum { CONFIGS_BYTES = 60000, HOSTS_BYTES = 60000 };

static const char body[] =
    "notes=$run/jobs/make.$PPID\n"
    "caught=\n"
    "pid=\n"
    "\n"
    "# leave STATUS: make says 2 whatever happened, so who called it finds the status in a file.\n"
    "leave() {\n"
    "    echo \"$1\" 2>/dev/null >\"$run/jobs/make.status\"\n"
    "    exit \"$1\"\n"
    "}\n"
    "need() {\n"
    "    command -v \"$1\" >/dev/null || { say \"$1 is not installed\"; exit 1; }\n"
    "}\n"
    "\n"
    "# begin: a folder for notes; those of makes that were killed go.\n"
    "begin() {\n"
    "    need hop-visit\n"
    "    mkdir -p \"$run/jobs\" || exit 1\n"
    "    rm -f \"$run/jobs/make.status\"\n"
    "    for old in \"$run\"/jobs/make.[0-9]*; do\n"
    "        kill -0 \"${old##*.}\" 2>/dev/null && [ \"$old\" != \"$notes\" ] || rm -rf \"$old\"\n"
    "    done\n"
    "    mkdir \"$notes\" && date +%s >\"$notes/began\" || no_notes\n"
    "    open_hosts\n"
    "    [ -z \"${ssh_dir:-}\" ] || printf '%s\\n' \"$ssh_dir\" >\"$notes/ssh\"\n"
    "}\n"
    "no_notes() {\n"
    "    echo 1 2>/dev/null >\"$run/jobs/make.status\"\n"
    "    cannot_write\n"
    "}\n"
    "configs() { printf '%s\\n' \"$@\" 2>/dev/null >>\"$notes/configs\" || no_notes; }\n"
    "give_up() {\n"
    "    echo \"$1\" 2>/dev/null >\"$run/jobs/make.status\"\n"
    "    failed \"$1\"\n"
    "}\n"
    "add_configs() {\n"
    "    hop-visit --run \"$run\" --add-configs <\"$notes/configs\" || give_up $?\n"
    "    hop-visit --run \"$run\" --restore || give_up $?\n"
    "}\n"
    "\n"
    "# finish: done, failed (1), or to be tried again (75).\n"
    "finish() {\n"
    "    n_done=0\n"
    "    [ ! -e \"$notes/done\" ] || n_done=$(wc -l <\"$notes/done\")\n"
    "    [ ! -e \"$notes/ssh\" ] || { read -r ssh_dir <\"$notes/ssh\"; close_hosts; }\n"
    "    status=0\n"
    "    [ \"$n_done\" -ge $n_visits ] || status=75\n"
    "    [ ! -e \"$notes/failed\" ] || status=1\n"
    "    rm -rf \"$notes\"\n"
    "    [ $status -ne 0 ] || return 0\n"
    "    say \"what does not need it is done; to go on: $again\"\n"
    "    leave $status\n"
    "}\n"
    "\n"
    "catch() {\n"
    "    caught=$1\n"
    "    [ -z \"$pid\" ] || kill -TERM \"$pid\" 2>/dev/null\n"
    "}\n"
    "\n"
    "# try_on WORKER COMMAND: $status, 75 for a worker that is set aside.\n"
    "try_on() {\n"
    "    status=75\n"
    "    [ ! -e \"$notes/aside.$1\" ] || return 0\n"
    "    eval \"$2 &\"\n"
    "    pid=$!\n"
    "    wait \"$pid\"\n"
    "    status=$?\n"
    "    while kill -0 \"$pid\" 2>/dev/null; do\n"
    "        wait \"$pid\"\n"
    "        status=$?\n"
    "    done\n"
    "    pid=\n"
    "    [ -z \"$caught\" ] || exit $((128 + caught))\n"
    "}\n"
    "\n"
    "# blame RANK WORKER COMMAND: a worker where several visits in a row have failed is set aside. One\n"
    "# visit is counted once, and not at all when it was killed.\n"
    "blame() {\n"
    "    [ $status -le 128 ] || return 0\n"
    "    echo \"$1\" >>\"$notes/bad.$2\"\n"
    "    if [ \"$(sort -u \"$notes/bad.$2\" | wc -l)\" -lt $n_aside ] || [ -e \"$notes/aside.$2\" ]; then return; fi\n"
    "    true >\"$notes/aside.$2\"\n"
    "    name=${3%% -- *}\n"
    "    say \"worker ${name##* --worker } is set aside: $n_aside visits in a row failed there\"\n"
    "}\n"
    "\n"
    "# cell RANK CONFIG WORKER COMMAND [WORKER COMMAND]...: the first worker, else another that holds\n"
    "# the shard.\n"
    "cell() {\n"
    "    rank=$1 config=$2 command=$4\n"
    "    shift 2\n"
    "    if [ -e \"$notes/stop.$config\" ] || [ -e \"$notes/halt\" ]; then exit 0; fi\n"
    "    [ ! -e \"$notes/ssh\" ] || { read -r ssh_dir <\"$notes/ssh\"; use_hosts; }\n"
    "    trap 'catch 1' HUP\n"
    "    trap 'catch 2' INT\n"
    "    trap 'catch 15' TERM\n"
    "    try=0\n"
    "    while :; do\n"
    "        try_on \"$1\" \"$2\"\n"
    "        if [ $status -eq 0 ]; then\n"
    "            rm -f \"$notes/bad.$1\"\n"
    "            echo \"$rank\" >>\"$notes/done\"\n"
    "            show_visits\n"
    "            exit 0\n"
    "        fi\n"
    "        blame \"$rank\" \"$1\" \"$2\"\n"
    "        if [ $status -ne 75 ] && [ $status -le 128 ]; then\n"
    "            [ $# -gt 2 ] || break\n"
    "            shift 2\n"
    "            continue\n"
    "        fi\n"
    "        [ $try -lt $retries ] || break\n"
    "        if [ $# -gt 2 ]; then\n"
    "            set -- \"$@\" \"$1\" \"$2\"\n"
    "            shift 2\n"
    "        elif [ -e \"$notes/aside.$1\" ]; then\n"
    "            break\n"
    "        fi\n"
    "        [ $# -gt 2 ] || sleep $((1 << try))\n"
    "        try=$((try + 1))\n"
    "        [ -z \"$caught\" ] || exit $((128 + caught))\n"
    "    done\n"
    "    true >\"$notes/stop.$config\"\n"
    "    if [ $status -eq 75 ]; then\n"
    "        say \"try again: ${command%% -- *} (exit 75)\"\n"
    "    elif [ $status -gt 128 ]; then\n"
    "        say \"try again: ${command%% -- *} (signal $((status - 128)))\"\n"
    "    else\n"
    "        true >\"$notes/failed\"\n"
    "        say \"failed: ${command%% -- *} (exit $status)\"\n"
    "    fi\n"
    "    [ \"$halt\" = never ] || true >\"$notes/halt\"\n"
    "    if [ \"$halt\" = now ]; then\n"
    "        status=75\n"
    "        [ ! -e \"$notes/failed\" ] || status=1\n"
    "        echo $status 2>/dev/null >\"$run/jobs/make.status\"\n"
    "        say \"to go on: $again\"\n"
    "        kill -TERM $PPID\n"
    "    fi\n"
    "    exit 0\n"
    "}\n"
    "\n"
    "show_visits() {\n"
    "    show=${HOP_PROGRESS:-}\n"
    "    [ -n \"$show\" ] || [ ! -t 2 ] || show=1\n"
    "    [ \"$show\" = 1 ] || return 0\n"
    "    n_done=$(wc -l <\"$notes/done\")\n"
    "    read -r began <\"$notes/began\"\n"
    "    say \"visits $((n_done))/$n_visits, $(clock $(($(date +%s) - began))) elapsed\"\n"
    "}\n";

/* Text as make passes it on unchanged. */
static void
escape(const char *text, struct hop_str *out)
{
    for (; *text; text++) {
        size_t n = strcspn(text, "$");

        hop_str_add_n(out, text, n);
        text += n;
        if (!*text)
            return;
        hop_str_add(out, "$$");
    }
}

/* The shell functions that recipes use, handed to them in the environment. */
static void
add_functions(const struct hop_emit_in *in, const struct hop_cells *cells, struct hop_str *out)
{
    struct hop_str text = {0};
    size_t n;

    hop_script_begin(in, cells->n, &text);
    n = text.n;
    hop_script_hosts(in, &text);
    if (text.n > HOSTS_BYTES) {
        text.n = n;
        hop_str_add(&text, "use_hosts() { :; }\nopen_hosts() { :; }\nclose_hosts() { :; }\n");
    }
    hop_str_add(&text, body);
    hop_str_add(out, "define HOP_CELL\n");
    escape(hop_str_c(&text), out);
    hop_str_add(out, "endef\nexport HOP_CELL\n");
    out->is_oom = out->is_oom || text.is_oom;
    hop_str_clear(&text);
}

static const char recipe[] = "\t@eval \"$$HOP_CELL\"; ";

static int
add_configs(const struct hop_emit_in *in, struct hop_str *out, struct hop_err *e)
{
    struct hop_str json = {0}, words = {0};
    size_t i;
    int rc = HOP_OK;

    hop_str_addf(out, "begin:\n%sbegin\n", recipe);
    for (i = 0; i < in->tasks->n && !rc; i++) {
        json.n = 0;
        if ((rc = hop_json_dump(in->tasks->configs[i], &json, e)))
            break;
        hop_str_add(&words, " ");
        hop_str_quote_line(&words, hop_str_c(&json));
        if (words.n < CONFIGS_BYTES && i + 1 < in->tasks->n)
            continue;
        hop_str_addf(out, "%sconfigs", recipe);
        escape(hop_str_c(&words), out);
        hop_str_add(out, "\n");
        words.n = 0;
    }
    hop_str_addf(out, "%sadd_configs\n", recipe);
    out->is_oom = out->is_oom || json.is_oom || words.is_oom;
    hop_str_clear(&json);
    hop_str_clear(&words);
    return rc;
}

static void
add_rule(const struct hop_emit_in *in, const struct hop_cells *cells, size_t i, struct hop_str *out)
{
    const struct hop_cell *c = &cells->c[i];
    struct hop_str words = {0};
    bool is_needed = false;
    uint32_t k;

    hop_str_addf(out, "v%zu: begin", i + 1);
    for (k = c->needs; k != HOP_NO_CELL; k = cells->c[k].peer) {
        hop_str_addf(out, " v%lu", (unsigned long)k + 1);
        is_needed = is_needed || k == c->follows;
    }
    if (c->follows != HOP_NO_CELL && !is_needed)
        hop_str_addf(out, " v%lu", (unsigned long)c->follows + 1);
    hop_str_addf(out, "\n%scell %zu %lu", recipe, i + 1, (unsigned long)c->task);
    hop_script_commands(in, c, &words);
    escape(hop_str_c(&words), out);
    hop_str_add(out, "\n");
    out->is_oom = out->is_oom || words.is_oom;
    hop_str_clear(&words);
}

static int
emit(const struct hop_emit_in *in, struct hop_str *out, struct hop_err *e)
{
    struct hop_cells cells;
    size_t i;
    int rc;

    if ((rc = hop_cells_make(in, &cells, e)))
        return rc;
    hop_str_add(out, "# Made by hop-schedule, for GNU make: make -j -f THIS_FILE\n"
                     "# As many visits at a time as workers have slots. End it and start it again as you like:\n"
                     "# what is done is skipped.\n"
                     "MAKEFLAGS += -rR\n"
                     "SHELL = /bin/sh\n"
                     ".SHELLFLAGS = -c\n"
                     "unexport MAKEFLAGS MFLAGS MAKELEVEL\n\n");
    add_functions(in, &cells, out);
    hop_str_add(out, "\ncells =");
    for (i = 0; i < cells.n; i++)
        hop_str_addf(out, " v%zu", i + 1);
    hop_str_addf(out, "\n.PHONY: all begin $(cells)\nall: begin $(cells)\n%sfinish\n", recipe);
    rc = add_configs(in, out, e);
    for (i = 0; i < cells.n && !rc; i++)
        add_rule(in, &cells, i, out);
    hop_cells_clear(&cells);
    return rc ? rc : hop_str_check(out, e);
}

const struct hop_emitter hop_emitter_make = {
    "make", "a Makefile that runs the visits with GNU make -j", emit, true};
