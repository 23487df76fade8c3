/* hop-search - which configs to train next, and which were best. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "format/json.h"
#include "net/zoo.h"
#include "search/methods.h"
#include "search/rank.h"
#include "search/space.h"
#include "search/trials.h"
#include "search_options.h"
#include "tool.h"

static const char synopsis[] = "METHOD [OPTIONS] SPACE < log.jsonl\n"
                               "METHOD --table [OPTIONS]\n"
                               "select [--metric SPLIT.METRIC] [--best] [--top K] [--table] "
                               "< log.jsonl";

static void
check(int rc, const struct hop_err *e)
{
    if (rc)
        tool_die(e);
}

/* The log; none when stdin is a terminal, where nobody types one. */
static void
read_log(struct hop_trials *t)
{
    struct hop_err e = {0};

    *t = (struct hop_trials){0};
    if (!isatty(STDIN_FILENO))
        check(hop_trials_read(STDIN_FILENO, "stdin", t, &e), &e);
}

/* ---- commands ---- */

static bool
is_net(const struct hop_json *model)
{
    struct hop_str nets = {0};
    bool is;

    hop_str_addf(&nets, "%s/nets", tool_share_dir());
    is = hop_zoo_is_net(model, hop_str_c(&nets));
    hop_str_clear(&nets);
    return is;
}

static void
search(const struct hop_method *method, const char *space_path)
{
    struct hop_trials trials;
    struct hop_search_out out;
    struct hop_err e = {0};
    struct hop_space *space;
    struct hop_search_in in;
    char stopped[40] = "";
    size_t i;

    check(hop_space_read(space_path, &space, &e), &e);
    read_log(&trials);
    search_args.o.is_net = is_net;
    in = (struct hop_search_in){.space = space, .trials = &trials, .options = &search_args.o,
                                .where = space_path};
    check(hop_search_run(method, &in, &out, &e), &e);
    for (i = 0; i < hop_json_len(out.configs); i++)
        tool_record(hop_json_at(out.configs, i));
    if (search_args.o.patience.iterations)
        snprintf(stopped, sizeof stopped, ", %zu given up", out.n_stopped);
    tool_warn("%s: %zu configs, %zu finished (%zu of them diverged%s), %zu to train", method->name,
              out.n_all, out.n_done, out.n_diverged, stopped, hop_json_len(out.configs));
    hop_json_free(out.configs);
    hop_trials_clear(&trials);
    hop_space_free(space);
}

/* What the method's options alone make of a search. */
static void
print_table(const struct hop_method *method)
{
    struct hop_str text = {0};
    struct hop_err e = {0};

    if (!method->table)
        tool_usage("--table", "%s has none", method->name);
    check(method->table(&search_args.o, &text, &e), &e);
    check(hop_str_check(&text, &e), &e);
    tool_print(hop_str_c(&text));
    hop_str_clear(&text);
}

static void
run_method(int argc, char **argv)
{
    const struct hop_method *method;
    struct hop_err e = {0};

    check(hop_method_find(argv[1], &method, &e), &e);
    search_options_check(argv[1], method->takes, true);
    search_options_finish();
    if (argc > 2 + !search_args.want_table)
        tool_usage(argv[2 + !search_args.want_table], "unexpected operand");
    if (search_args.want_table) {
        print_table(method);
        return;
    }
    if (argc < 3)
        tool_usage(NULL, "SPACE is missing");
    search(method, argv[2]);
}

static void
run_select(int argc, char **argv)
{
    static const char *const takes[] = {"metric", "best", "top", "table", NULL};
    struct hop_trials trials;
    struct hop_ranking r;
    struct hop_str table = {0};
    struct hop_json *j;
    struct hop_err e = {0};
    size_t i, n;

    search_options_check("select", takes, false);
    if (argc > 2)
        tool_usage(argv[2], "unexpected operand");
    read_log(&trials);
    check(hop_rank_make(&trials, search_args.metric, search_args.want_best, &r, &e), &e);
    n = search_args.top && (size_t)search_args.top < r.n ? (size_t)search_args.top : r.n;
    if (search_args.want_table) {
        hop_rank_table(&r, n, &table);
        check(hop_str_check(&table, &e), &e);
        tool_print(hop_str_c(&table));
    }
    for (i = 0; i < n && !search_args.want_table; i++) {
        j = hop_rank_record(&r, i);
        tool_record(j);
        hop_json_free(j);
    }
    hop_str_clear(&table);
    hop_rank_clear(&r);
    hop_trials_clear(&trials);
}

/* Commands that are no methods. */
static const struct {
    const char *name;
    void (*run)(int argc, char **argv);
} commands[] = {{"select", run_select}};

int
main(int argc, char **argv)
{
    size_t i;

    tool_init("hop-search", "Say which configs to train next (METHOD: grid, random), or rank those "
              "of a log.", synopsis, search_rows, true, &argc, argv);
    if (argc < 2)
        tool_usage(NULL, "METHOD is missing");
    for (i = 0; i < HOP_LEN(commands) && strcmp(commands[i].name, argv[1]); i++)
        ;
    if (i < HOP_LEN(commands))
        commands[i].run(argc, argv);
    else
        run_method(argc, argv);
    return tool_finish();
}
