#include "search_options.h"

#include <stdio.h>
#include <string.h>

#include "tool.h"

struct search_args search_args = {
    .o = {.parallel = 1, .repeats = 1, .prefix = "c", .patience = {.eval_every = 1},
          .objective = {.max_gap = -1, .last_k = 1}},
    .seed = 1, .quantile = 0.25};

#define A search_args
struct hop_opt search_rows[] = {
    {"num-configs", 'c', HOP_OPT_INT, &A.o.num_configs, "N", "configs in all (random: 10)", 1,
     HOP_MAX_CONFIGS, false},
    {"iterations", 'n', HOP_OPT_INT, &A.o.iterations, "N", "iterations for each config (1)", 1, 1e9,
     false},
    {"max-iterations", 'R', HOP_OPT_INT, &A.o.iterations, "N",
     "hyperband, bohb, asha: iterations of the last rung (27)", 1, 1e9, false},
    {"min-iterations", 0, HOP_OPT_INT, &A.o.min_iterations, "N",
     "asha: iterations of the first rung, at least (1)", 1, 1e9, false},
    {"eta", 0, HOP_OPT_INT, &A.o.eta, "N", "hyperband, bohb, asha: 1 of N goes on (3)", 2, 1e6, false},
    {"shape", 0, HOP_OPT_STR, &A.o.shape, "S",
     "hyperband, bohb: how many configs begin, A or B (A)", 0, 0, false},
    {"added", 0, HOP_OPT_FLAG, &A.o.want_added, NULL,
     "hyperband, bohb: rungs add iterations, as in MADlib", 0, 0, false},
    {"rule", 0, HOP_OPT_STR, &A.o.rule, "NAME",
     "tpe: joint, univariate, multivariate, hyperopt; asha: promote, stop", 0, 0, false},
    {"interval", 0, HOP_OPT_INT, &A.o.interval, "N",
     "pbt: iterations between generations (a tenth of all)", 1, 1e9, false},
    {"inherit", 0, HOP_OPT_LIST, &A.inherited, "KEY",
     "pbt: children have KEY from their parents; may be given again", 0, 0, false},
    {"parallel", 'j', HOP_OPT_INT, &A.o.parallel, "N", "configs to have in training at once (1)",
     1, HOP_MAX_CONFIGS, false},
    {"seed", 0, HOP_OPT_INT, &A.seed, "N", "seed of draws, and of training without one (1)", 0,
     9e15, false},
    {"repeats", 0, HOP_OPT_INT, &A.o.repeats, "N", "seeds for each config, judged by their mean (1)",
     1, 1000, false},
    {"prefix", 0, HOP_OPT_STR, &A.o.prefix, "TEXT", "ids are TEXT and a number (c)", 0, 0, false},
    {"evidence", 0, HOP_OPT_FLAG, &A.o.want_evidence, NULL,
     "tpe, bohb: the log's configs with other ids count, too", 0, 0, false},
    {"metric", 'm', HOP_OPT_STR, &A.metric, "SPLIT.METRIC",
     "go by this (val: accuracy, or loss)", 0, 0, false},
    {"minimize", 0, HOP_OPT_FLAG, &A.want_less, NULL, "less of it is better, whatever its name", 0,
     0, false},
    {"maximize", 0, HOP_OPT_FLAG, &A.want_more, NULL, "more of it is better, whatever its name", 0,
     0, false},
    {"of", 0, HOP_OPT_STR, &A.of, "WHICH", "evaluations that count: last, best, mean, mean:K (last)",
     0, 0, false},
    {"max-gap", 0, HOP_OPT_REAL, &A.o.objective.max_gap, "D",
     "configs better by more than D on train come last", 0, 1e30, false},
    {"gap-weight", 0, HOP_OPT_REAL, &A.o.objective.gap_weight, "W",
     "instead, make them worse by W * (gap - D)", 0, 1e30, false},
    {"patience", 'p', HOP_OPT_INT, &A.o.patience.iterations, "N",
     "give up configs that do not improve for N iterations", 1, 1e9, false},
    {"min-delta", 0, HOP_OPT_REAL, &A.o.patience.min_delta, "D",
     "with --patience, only improvements by more than D count (0)", 0, 1e30, false},
    {"median-stop", 0, HOP_OPT_INT, &A.o.median_from, "N",
     "give up configs worse than the others' median, from iteration N on", 1, 1e9, false},
    {"eval-every", 0, HOP_OPT_INT, &A.o.patience.eval_every, "N",
     "with --patience, --median-stop: as hop-schedule evaluates (1)", 1, 1e9, false},
    {"best", 'b', HOP_OPT_FLAG, &A.want_best, NULL,
     "select, narrow: configs at their best evaluation, not the last", 0, 0, false},
    {"top", 'k', HOP_OPT_INT, &A.top, "K", "select: only the first K; narrow: how many are good", 1,
     1e9, false},
    {"quantile", 0, HOP_OPT_REAL, &A.quantile, "Q", "narrow: instead, the part that is good (0.25)",
     1e-6, 1, false},
    {"by", 0, HOP_OPT_STR, &A.by, "KEY", "select: the best (or --top K) of each value of KEY", 0, 0,
     false},
    {"pareto", 0, HOP_OPT_FLAG, &A.want_pareto, NULL,
     "select: only configs that no other beats in value and cost", 0, 0, false},
    {"cost", 0, HOP_OPT_STR, &A.cost, "KEY",
     "with --pareto: wall_s, examples, visits, val.wall_s, ... (wall_s)", 0, 0, false},
    {"importance", 0, HOP_OPT_FLAG, &A.want_importance, NULL,
     "select: how much of the variance each parameter explains", 0, 0, false},
    {"configs", 0, HOP_OPT_FLAG, &A.want_configs, NULL,
     "select: print config lines, to train on (to --iterations)", 0, 0, false},
    {"table", 't', HOP_OPT_FLAG, &A.want_table, NULL, "print a table for people", 0, 0, false},
    TOOL_COMMON_OPTIONS};

/* What every method takes. */
static const char *const of_all[] = {"seed",      "repeats",    "prefix",   "metric",    "minimize",
                                     "maximize",  "of",         "max-gap",  "gap-weight", "patience",
                                     "median-stop",
                                     "min-delta", "eval-every", NULL};

static bool
has(const char *const *list, const char *name)
{
    for (; list && *list; list++)
        if (!strcmp(*list, name))
            return true;
    return false;
}

void
search_options_check(const char *name, const char *const *takes, bool is_method)
{
    static const char *const common[] = {"quiet", "verbose", "progress", NULL};
    char shown[40];
    size_t i;

    for (i = 0; search_rows[i].name; i++) {
        const char *row = search_rows[i].name;

        snprintf(shown, sizeof shown, "--%s", row);
        if (search_rows[i].is_seen && !has(common, row) && !has(takes, row) &&
            !(is_method && has(of_all, row)))
            tool_usage(shown, "is no option of %s%s", name,
                       is_method && !strcmp(row, "evidence") ? " (others' results are of use where configs are proposed by densities: tpe, bohb)"
                                                             : "");
    }
}

bool
search_options_is_seen(const char *name)
{
    size_t i;

    for (i = 0; search_rows[i].name; i++)
        if (!strcmp(search_rows[i].name, name))
            return search_rows[i].is_seen;
    return false;
}

/* Ids are file names and words of logs. */
static void
check_prefix(const char *prefix)
{
    size_t n = strlen(prefix);

    if (!n || n > 60 || strspn(prefix, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") < n ||
        prefix[0] == '-' || strchr("0123456789", prefix[n - 1]))
        tool_usage("--prefix", "\"%.40s\" is not letters, digits, _ and -, the last no digit", prefix);
}

void
search_options_finish(void)
{
    struct hop_err e = {0};

    A.o.seed = (uint64_t)A.seed;
    A.o.inherited = &A.inherited;
    check_prefix(A.o.prefix);
    if (A.want_less && A.want_more)
        tool_usage("--minimize", "contradicts --maximize");
    if ((A.want_less || A.want_more) && !A.metric)
        tool_usage(A.want_less ? "--minimize" : "--maximize", "needs --metric");
    if (A.want_less || A.want_more)
        A.o.objective.way = A.want_less ? HOP_WAY_LESS : HOP_WAY_MORE;
    if (search_options_is_seen("gap-weight") && A.o.objective.max_gap < 0)
        A.o.objective.max_gap = 0;
    if (search_options_is_seen("min-delta") && !A.o.patience.iterations)
        tool_usage("--min-delta", "needs --patience");
    if (A.metric && hop_metric_parse(A.metric, "--metric", &A.o.objective.metric, &e))
        tool_die(&e);
    if (A.of && hop_objective_parse_of(A.of, "--of", &A.o.objective, &e))
        tool_die(&e);
}
