#include "search_select.h"

#include <stddef.h>
#include <unistd.h>

#include "format/json.h"
#include "search/narrow.h"
#include "search/rank.h"
#include "search/rank_print.h"
#include "search/space.h"
#include "search_options.h"
#include "tool.h"

#define A search_args

static void
check(int rc, const struct hop_err *e)
{
    if (rc)
        tool_die(e);
}

void
search_read_log(struct hop_trials *t)
{
    struct hop_err e = {0};

    *t = (struct hop_trials){0};
    if (!isatty(STDIN_FILENO))
        check(hop_trials_read(STDIN_FILENO, "stdin", t, &e), &e);
}

static void
check_usage(int argc, char **argv)
{
    static const char *const takes[] = {"metric", "minimize", "maximize", "of", "max-gap",
                                        "gap-weight", "best", "top", "table", "by", "pareto", "cost",
                                        "importance", "configs", "iterations", NULL};

    search_options_check("select", takes, false);
    search_options_finish();
    if (argc > 2)
        tool_usage(argv[2], "unexpected operand");
    if (A.want_best && A.of)
        tool_usage("--best", "contradicts --of");
    if (A.cost && !A.want_pareto)
        tool_usage("--cost", "needs --pareto");
    if (A.o.iterations && !A.want_configs)
        tool_usage("--iterations", "needs --configs");
    if (A.want_importance && (A.want_configs || A.want_pareto || A.by || A.top))
        tool_usage("--importance", "is about all configs (only --metric and the like go with it)");
    if (A.want_table && A.want_configs)
        tool_usage("--table", "contradicts --configs");
}

/* name: of the command. What was left out, and numbers that do not compare, are never left unsaid. */
static void
warn(const struct hop_ranking *r, const char *name)
{
    const char *split = r->objective.metric.split;

    if (r->n_gap_over || r->n_gap_unknown)
        tool_warn("%s: left out for their gap: %zu above %g, %zu without one (or diverged)",
                  name, r->n_gap_over, r->objective.max_gap, r->n_gap_unknown);
    if (r->n_cost_unknown)
        tool_warn("%s: left out: %zu without a value or without %s", name, r->n_cost_unknown,
                  r->o->cost);
    if (r->is_apples_and_pears && (r->has_accuracy || r->has_mae))
        tool_warn("%s: the configs have different losses, which do not compare (try --metric "
                  "%s.%s)", name, split, r->has_accuracy ? "accuracy" : "mae");
    else if (r->is_apples_and_pears)
        tool_warn("%s: the configs have different losses, which do not compare (a metric would: "
                  "\"metrics\" in the space)", name);
}

/* How many iterations it was asked for or has. */
static int64_t
until_of(const struct hop_trial *t)
{
    int64_t until = t->until;
    size_t i;

    for (i = 0; i < t->n_entries; i++)
        if (t->entries[i].iteration > until)
            until = t->entries[i].iteration;
    return until;
}

/* The config lines of a row, its repeats' too, with more iterations where that was asked for. */
static void
print_configs(const struct hop_rank_row *row)
{
    struct hop_json *config;
    size_t i;

    for (i = 0; i < row->n_repeats; i++) {
        if (!row->repeats[i]->config) {
            tool_warn("select: the log has no config/1 line of %s", row->repeats[i]->id);
            continue;
        }
        config = hop_json_copy(row->repeats[i]->config);
        hop_json_set_int(config, "until",
                         A.o.iterations ? A.o.iterations : until_of(row->repeats[i]));
        tool_record(config);
        hop_json_free(config);
    }
}

static void
print_importance(const struct hop_ranking *r)
{
    struct hop_importance m;
    struct hop_str table = {0};
    struct hop_json *j;
    struct hop_err e = {0};
    char metric[80];
    size_t i;

    check(hop_rank_importance(r, &m, &e), &e);
    if (!m.n)
        tool_warn("select: nothing to explain: %zu configs with a value, which all have the same, or "
                  "nothing in which they differ", m.n_configs);
    if (A.want_table && m.n) {
        check(hop_importance_table(&m, &table, &e), &e);
        tool_print(hop_str_c(&table));
    }
    hop_rank_metric(r, metric);
    for (i = 0; i < m.n && !A.want_table; i++) {
        j = hop_importance_record(&m, i, metric);
        tool_record(j);
        hop_json_free(j);
    }
    hop_str_clear(&table);
    hop_importance_clear(&m);
}

static void
print_ranks(const struct hop_ranking *r)
{
    struct hop_str table = {0};
    struct hop_err e = {0};
    struct hop_json *j;
    size_t i;

    if (A.want_table) {
        check(hop_rank_table(r, &table, &e), &e);
        tool_print(hop_str_c(&table));
        hop_str_clear(&table);
    }
    for (i = 0; i < r->n && !A.want_table; i++) {
        if (A.want_configs) {
            print_configs(&r->v[i]);
            continue;
        }
        j = hop_rank_record(r, i);
        tool_record(j);
        hop_json_free(j);
    }
}

void
search_select(int argc, char **argv)
{
    struct hop_trials trials;
    struct hop_ranking r;
    struct hop_rank_options o;
    struct hop_err e = {0};

    check_usage(argc, argv);
    search_read_log(&trials);
    o = (struct hop_rank_options){A.o.objective, A.want_best, A.by, A.want_pareto,
                                  A.cost ? A.cost : "wall_s", A.top};
    check(hop_rank_make(&trials, &o, &r, &e), &e);
    warn(&r, "select");
    if (A.want_importance)
        print_importance(&r);
    else
        print_ranks(&r);
    hop_rank_clear(&r);
    hop_trials_clear(&trials);
}

/* ---- narrow ---- */

static void
print_narrowed(const struct hop_narrowed *n, const struct hop_ranking *r)
{
    char metric[80];
    size_t i;

    hop_rank_metric(r, metric);
    tool_record(n->space);
    tool_warn("narrow: %zu of %zu configs are good: %s from %.4g to %.4g", n->n_good, n->n_evidence,
              metric, r->n ? r->v[0].value : 0, n->worst_good);
    for (i = 0; i < hop_json_len(n->reasons); i++)
        tool_warn("narrow: %s", hop_json_str(hop_json_at(n->reasons, i)));
    if (n->n_strangers)
        tool_warn("narrow: %zu configs of the log are none of this space: passed over",
                  n->n_strangers);
    tool_warn("narrow: %zu of the %zu lie in the new space (search on with --prefix, and this log "
              "stays what it is)", n->n_inside, n->n_evidence);
}

void
search_narrow(int argc, char **argv)
{
    static const char *const takes[] = {"metric", "minimize", "maximize", "of", "max-gap",
                                        "gap-weight", "best", "top", "quantile", NULL};
    struct hop_rank_options o;
    struct hop_narrowed narrowed;
    struct hop_trials trials;
    struct hop_ranking r;
    struct hop_space *space;
    struct hop_err e = {0};

    search_options_check("narrow", takes, false);
    search_options_finish();
    if (argc != 3)
        tool_usage(argc < 3 ? NULL : argv[3], argc < 3 ? "SPACE is missing" : "unexpected operand");
    if (A.want_best && A.of)
        tool_usage("--best", "contradicts --of");
    if (A.top && search_options_is_seen("quantile"))
        tool_usage("--top", "contradicts --quantile");
    check(hop_space_read(argv[2], &space, &e), &e);
    search_read_log(&trials);
    o = (struct hop_rank_options){A.o.objective, A.want_best, NULL, false, NULL, 0};
    check(hop_rank_make(&trials, &o, &r, &e), &e);
    warn(&r, "narrow");
    check(hop_narrow(space, &r, A.top, A.quantile, argv[2], &narrowed, &e), &e);
    print_narrowed(&narrowed, &r);
    hop_narrow_clear(&narrowed);
    hop_rank_clear(&r);
    hop_trials_clear(&trials);
    hop_space_free(space);
}
