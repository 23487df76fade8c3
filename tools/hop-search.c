/* hop-search - which configs to train next, and which were best. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "format/json.h"
#include "search/methods.h"
#include "search/rank.h"
#include "search/space.h"
#include "search/trials.h"
#include "tool.h"

static struct {
    const char *metric;
    int64_t iterations, seed, top, patience, eval_every;
    double min_delta;
    bool want_table, want_best;
} a = {.iterations = 1, .seed = 1, .eval_every = 1};

enum { N_FOR_METHODS = 5, N_FOR_BOTH = 1, N_FOR_SELECT = 3 }; /* rows, in this order */

static struct hop_opt rows[] = {
    {"iterations", 'n', HOP_OPT_INT, &a.iterations, "N",
     "methods: iterations for each config (1)", 1, 1e9, false},
    {"seed", 0, HOP_OPT_INT, &a.seed, "N", "methods: seed where the space has none (1)", 0, 9e15,
     false},
    {"patience", 'p', HOP_OPT_INT, &a.patience, "N",
     "methods: give up configs that do not improve for N iterations", 1, 1e9, false},
    {"min-delta", 0, HOP_OPT_REAL, &a.min_delta, "D",
     "methods: with --patience, only improvements by more than D count (0)", 0, 1e30, false},
    {"eval-every", 0, HOP_OPT_INT, &a.eval_every, "N",
     "methods: with --patience, as hop-schedule evaluates (1)", 1, 1e9, false},
    {"metric", 'm', HOP_OPT_STR, &a.metric, "SPLIT.METRIC",
     "select: rank by this; methods: be patient by it (val: accuracy, or loss)", 0, 0, false},
    {"best", 'b', HOP_OPT_FLAG, &a.want_best, NULL,
     "select: take configs at their best evaluation, not the last", 0, 0, false},
    {"top", 'k', HOP_OPT_INT, &a.top, "K", "select: only the first K", 1, 1e9, false},
    {"table", 't', HOP_OPT_FLAG, &a.want_table, NULL, "select: print a table for people", 0, 0,
     false},
    TOOL_COMMON_OPTIONS};

static const char synopsis[] = "METHOD [--iterations N] [--patience N] [--seed N] SPACE < log.jsonl\n"
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
    in = (struct hop_search_in){space, &trials, space_path, a.iterations, (uint64_t)a.seed,
                                {a.patience, a.min_delta, a.eval_every, {"", ""}}};
    check(hop_metric_parse(a.metric ? a.metric : trials.n && !trials.has_val ? "train" : "val",
                           "--metric", &in.patience.metric, &e), &e);
    check(hop_search_run(method, &in, &out, &e), &e);
    for (i = 0; i < hop_json_len(out.configs); i++)
        tool_record(hop_json_at(out.configs, i));
    if (a.patience)
        snprintf(stopped, sizeof stopped, ", %zu given up", out.n_stopped);
    tool_warn("%s: %zu configs, %zu finished (%zu of them diverged%s), %zu to train", method->name,
              out.n_all, out.n_done, out.n_diverged, stopped, hop_json_len(out.configs));
    hop_json_free(out.configs);
    hop_trials_clear(&trials);
    hop_space_free(space);
}

static void
rank(void)
{
    struct hop_trials trials;
    struct hop_ranking r;
    struct hop_str table = {0};
    struct hop_json *j;
    struct hop_err e = {0};
    size_t i, n;

    read_log(&trials);
    check(hop_rank_make(&trials, a.metric, a.want_best, &r, &e), &e);
    n = a.top && (size_t)a.top < r.n ? (size_t)a.top : r.n;
    if (a.want_table) {
        hop_rank_table(&r, n, &table);
        check(hop_str_check(&table, &e), &e);
        tool_print(hop_str_c(&table));
    }
    for (i = 0; i < n && !a.want_table; i++) {
        j = hop_rank_record(&r, i);
        tool_record(j);
        hop_json_free(j);
    }
    hop_str_clear(&table);
    hop_rank_clear(&r);
    hop_trials_clear(&trials);
}

/* Options of the other kind of command are a mistake. */
static void
check_options(const char *name, bool is_select)
{
    int first = is_select ? 0 : N_FOR_METHODS + N_FOR_BOTH;
    int n = is_select ? N_FOR_METHODS : N_FOR_SELECT, i;
    char shown[40];

    for (i = first; i < first + n; i++)
        if (rows[i].is_seen) {
            snprintf(shown, sizeof shown, "--%s", rows[i].name);
            tool_usage(shown, "is no option of %s", name);
        }
    if (!is_select && !a.patience && (a.metric || a.min_delta > 0))
        tool_usage(a.metric ? "--metric" : "--min-delta", "needs --patience");
}

int
main(int argc, char **argv)
{
    const struct hop_method *method = NULL;
    struct hop_err e = {0};
    bool is_select;

    tool_init("hop-search", "Say which configs to train next (METHOD: grid), or rank those of a "
              "log.", synopsis, rows, true, &argc, argv);
    if (argc < 2)
        tool_usage(NULL, "METHOD is missing");
    is_select = !strcmp(argv[1], "select");
    if (!is_select) {
        check(hop_method_find(argv[1], &method, &e), &e);
        if (argc < 3)
            tool_usage(NULL, "SPACE is missing");
    }
    if (argc > 3 - is_select)
        tool_usage(argv[3 - is_select], "unexpected operand");
    check_options(argv[1], is_select);
    if (is_select)
        rank();
    else
        search(method, argv[2]);
    return tool_finish();
}
