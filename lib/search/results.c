#include "search/results.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "net/state.h"
#include "run/run.h"
#include "search/median.h"

/* Contents: 1 ids, 2 results, 3 asking, 4 draws */

struct hop_search_store {
    struct hop_result *results; /* [n] */
    const struct hop_trial **trials; /* [n * repeats], NULL where the log names none */
    double *x;                  /* [n * n_all] */
    struct hop_point *points;   /* all curves */
    size_t n, n_points, cap_points;
    bool *is_given_up;          /* [n] by the median */
    struct hop_trials own;      /* those of in->trials that are this search's; v alone is ours */
};

static const struct hop_result unknown = {.state = HOP_RESULT_UNKNOWN};

/* ---- 1 ids ---- */

enum { ID_BYTES = 128 };

static void
make_id(const struct hop_search_in *in, size_t number, int64_t repeat, char out[ID_BYTES])
{
    int n = snprintf(out, ID_BYTES, "%.64s%04zu", in->options->prefix, number);

    if (repeat > 1)
        snprintf(out + n, ID_BYTES - (size_t)n, "-%lld", (long long)repeat);
}

/* The number and repeat (from 1) that id stands for; false if it is none of this search. */
static bool
read_id(const struct hop_search_in *in, const char *id, size_t *number, int64_t *repeat)
{
    size_t n = strlen(in->options->prefix);
    char again[ID_BYTES];
    char *end;

    if (strncmp(id, in->options->prefix, n) || id[n] < '0' || id[n] > '9' || strlen(id + n) > 20)
        return false;
    *number = strtoul(id + n, &end, 10);
    *repeat = *end == '-' ? strtol(end + 1, NULL, 10) : 1;
    if (!*number || *number > HOP_MAX_CONFIGS || *repeat < 1 || *repeat > in->options->repeats)
        return false;
    make_id(in, *number, *repeat, again);
    return !strcmp(id, again);
}

bool
hop_results_is_ours(const struct hop_search_in *in, const char *id)
{
    size_t number;
    int64_t repeat;

    return read_id(in, id, &number, &repeat);
}

/* ---- 2 results ---- */

static const struct hop_trial **
trials_of(const struct hop_search_in *in, size_t number)
{
    return &in->store->trials[(number - 1) * (size_t)in->options->repeats];
}

/* Has it been evaluated at `until` or later, where the objective looks? */
static bool
is_evaluated(const struct hop_search_in *in, const struct hop_trial *t, int64_t until)
{
    size_t i;

    if (!*in->options->objective.metric.name)
        return t && hop_trial_is_done(&in->store->own, t, until);
    for (i = 0; t && i < t->n_entries; i++)
        if (t->entries[i].i_split == in->objective.i_split && in->objective.i_split >= 0 &&
            t->entries[i].iteration >= until)
            return true;
    return false;
}

/* Is it never to be trained again? Else *until may be lowered. */
static bool
is_stopped(const struct hop_search_in *in, size_t number, const struct hop_result *r, int64_t *until)
{
    const struct hop_search_options *o = in->options;
    struct hop_median_in curve = {r->curve, r->n_curve};

    if (hop_patience_apply(&o->patience, r->curve, r->n_curve, until))
        return true;
    if (!o->median_from)
        return false;
    *until = hop_median_until(&curve, o->median_from, o->patience.eval_every, *until);
    return number <= in->store->n && in->store->is_given_up[number - 1];
}

static enum hop_result_state
state_of(const struct hop_search_in *in, size_t number, const struct hop_trial **trials,
         const struct hop_result *r)
{
    int64_t until = r->until ? r->until : 1, i;

    if (r->state == HOP_RESULT_DIVERGED)
        return r->state;
    if (is_stopped(in, number, r, &until))
        return HOP_RESULT_STOPPED;
    for (i = 0; i < in->options->repeats; i++)
        if (!is_evaluated(in, trials[i], r->until ? r->until : 1))
            return HOP_RESULT_OPEN;
    return HOP_RESULT_READY;
}

/* All but the curve, whose array still moves, and what depends on it. */
static void
start_result(const struct hop_search_in *in, const struct hop_trial **trials, size_t number)
{
    struct hop_search_store *s = in->store;
    struct hop_result *r = &s->results[number - 1];
    double *x = &s->x[(number - 1) * in->space->n_all];
    int64_t i;

    *r = unknown;
    for (i = 0; i < in->options->repeats; i++) {
        if (!trials[i])
            continue;
        if (r->state == HOP_RESULT_UNKNOWN || trials[i]->order < r->order)
            r->order = trials[i]->order;
        if (trials[i]->is_diverged &&
            (r->state != HOP_RESULT_DIVERGED || trials[i]->diverged_order < r->diverged_order)) {
            r->state = HOP_RESULT_DIVERGED;
            r->diverged_order = trials[i]->diverged_order;
        }
        if (r->state == HOP_RESULT_UNKNOWN)
            r->state = HOP_RESULT_OPEN;
        if (trials[i]->until > r->until)
            r->until = trials[i]->until;
    }
    r->config = trials[0] ? trials[0]->config : NULL;
    if (r->config && hop_space_point(in->space, r->config, x))
        r->x = x;
}

static int
apply_median(const struct hop_search_in *in, struct hop_err *e)
{
    struct hop_search_store *s = in->store;
    struct hop_median_in *v = hop_alloc(s->n, sizeof *v, e);
    size_t i;
    int rc = HOP_ENOMEM;

    s->is_given_up = hop_alloc(s->n, sizeof *s->is_given_up, e);
    for (i = 0; v && i < s->n; i++)
        v[i] = (struct hop_median_in){s->results[i].curve, s->results[i].n_curve};
    if (v && s->is_given_up)
        rc = hop_median_apply(v, s->n, in->options->median_from, s->is_given_up, e);
    free(v);
    return rc;
}

static int
make_results(struct hop_search_in *in, struct hop_err *e)
{
    struct hop_search_store *s = in->store;
    size_t number, i = 0;
    int rc;

    for (number = 1; number <= s->n; number++) {
        start_result(in, trials_of(in, number), number);
        i = s->n_points;
        if ((rc = hop_objective_mean_curve(&in->objective, trials_of(in, number),
                                           (size_t)in->options->repeats, &s->points, &s->n_points,
                                           &s->cap_points, e)))
            return rc;
        s->results[number - 1].n_curve = s->n_points - i;
    }
    for (number = 1, i = 0; number <= s->n; number++) {
        struct hop_result *r = &s->results[number - 1];

        r->curve = s->points ? s->points + i : NULL;
        i += r->n_curve;
    }
    if (in->options->median_from && (rc = apply_median(in, e)))
        return rc;
    for (number = 1; number <= s->n; number++) {
        struct hop_result *r = &s->results[number - 1];

        if (r->state != HOP_RESULT_UNKNOWN)
            r->state = state_of(in, number, trials_of(in, number), r);
    }
    return HOP_OK;
}

/* What splits and metrics there are is not for other searches in the log to say. */
static int
find_own(struct hop_search_in *in, struct hop_err *e)
{
    struct hop_search_store *s = in->store;
    const struct hop_trial *t;
    int64_t repeat;
    size_t number, i;

    s->own = *in->trials;
    s->own.n = 0;
    s->own.has_val = false;
    if (!(s->own.v = hop_alloc(in->trials->n, sizeof *s->own.v, e)))
        return HOP_ENOMEM;
    for (i = 0; i < in->trials->n; i++) {
        t = &in->trials->v[i];
        if (!read_id(in, t->id, &number, &repeat))
            continue;
        s->own.v[s->own.n++] = *t;
        s->own.has_val = s->own.has_val || t->has_val;
        if (number > s->n)
            s->n = number;
    }
    return HOP_OK;
}

int
hop_results_make(struct hop_search_in *in, struct hop_err *e)
{
    size_t n_repeats = (size_t)in->options->repeats, number, i;
    struct hop_search_store *s;
    int64_t repeat;
    int rc;

    in->objective = in->options->objective;
    in->results = NULL;
    in->n_results = 0;
    if (!(in->store = s = hop_alloc(1, sizeof *s, e)))
        return HOP_ENOMEM;
    if ((rc = find_own(in, e)) ||
        (rc = hop_objective_bind(&in->objective,
                                 in->options->want_evidence ? in->trials : &s->own, e)))
        return rc;
    s->results = hop_alloc(s->n, sizeof *s->results, e);
    s->trials = hop_alloc(s->n * n_repeats, sizeof *s->trials, e);
    s->x = hop_alloc(s->n * in->space->n_all, sizeof *s->x, e);
    if (!s->results || !s->trials || !s->x)
        return HOP_ENOMEM;
    for (i = 0; i < in->trials->n; i++)
        if (read_id(in, in->trials->v[i].id, &number, &repeat))
            trials_of(in, number)[repeat - 1] = &in->trials->v[i];
    if ((rc = make_results(in, e)))
        return rc;
    in->results = s->results;
    in->n_results = s->n;
    return HOP_OK;
}

void
hop_results_clear(struct hop_search_in *in)
{
    struct hop_search_store *s = in->store;

    if (!s)
        return;
    free(s->own.v);
    free(s->results);
    free(s->trials);
    free(s->x);
    free(s->points);
    free(s->is_given_up);
    free(s);
    in->store = NULL;
    in->results = NULL;
    in->n_results = 0;
}

const struct hop_result *
hop_search_result(const struct hop_search_in *in, size_t number)
{
    return number && number <= in->n_results ? &in->results[number - 1] : &unknown;
}

const struct hop_point *
hop_result_from(const struct hop_result *r, int64_t iteration)
{
    size_t low = 0, high = r->n_curve, mid;

    while (low < high) {
        mid = (low + high) / 2;
        if (r->curve[mid].iteration < iteration)
            low = mid + 1;
        else
            high = mid;
    }
    return low < r->n_curve ? &r->curve[low] : NULL;
}

const struct hop_point *
hop_result_at(const struct hop_result *r, int64_t iteration)
{
    const struct hop_point *p = hop_result_from(r, iteration);

    return p && p->iteration == iteration ? p : NULL;
}

/* p: its point, or NULL. */
static double
loss_of(const struct hop_result *r, const struct hop_point *p, int64_t iteration)
{
    if (p)
        return p->loss;
    if (r->state == HOP_RESULT_DIVERGED)
        return INFINITY;
    if (r->state == HOP_RESULT_STOPPED && r->curve[r->n_curve - 1].iteration < iteration)
        return r->curve[r->n_curve - 1].loss;
    return NAN;
}

double
hop_result_loss(const struct hop_result *r, int64_t iteration)
{
    return loss_of(r, hop_result_at(r, iteration), iteration);
}

double
hop_result_loss_from(const struct hop_result *r, int64_t iteration)
{
    return loss_of(r, hop_result_from(r, iteration), iteration);
}

/* ---- 3 asking ---- */

struct ask {
    size_t number;
    const double *x;
    size_t parent;
    int64_t at, until;
    bool want_line;
};

/* The config/1 line. */
static struct hop_json *
make_config(const struct hop_search_in *in, const struct ask *a, int64_t repeat)
{
    struct hop_json *config = hop_json_record("config/1");
    char id[ID_BYTES];
    int64_t seed;

    make_id(in, a->number, repeat, id);
    hop_json_set_str(config, "id", id);
    hop_space_config(in->space, a->x, config);
    seed = hop_json_get(config, "seed") ? hop_json_int(hop_json_get(config, "seed"))
                                        : (int64_t)in->options->seed;
    if (!hop_json_get(config, "seed") || repeat > 1)
        hop_json_set_int(config, "seed", seed + repeat - 1);
    if (a->parent) {
        make_id(in, a->parent, repeat, id);
        hop_json_set_str(config, "parent", id);
        hop_json_set_int(config, "parent_iteration", a->at);
    }
    hop_json_set_int(config, "until", a->until);
    return config;
}

/* What hop-train would refuse is refused here, before anything runs. Configs of other programs,
 * whose "model" is none of hop's nets, are their own business. */
static int
check_config(const struct hop_search_in *in, const struct hop_json *config, struct hop_err *e)
{
    struct hop_train_conf conf;
    char where[700];

    if (!in->options->is_net || !in->options->is_net(hop_json_get(config, "model")))
        return HOP_OK;
    snprintf(where, sizeof where, "%s: %s", in->where, hop_json_str(hop_json_get(config, "id")));
    return hop_train_conf_parse(config, where, &conf, e);
}

/* The config as the log has it, or as it has its first repeat; NULL when it has neither. */
static struct hop_json *
known_config(const struct hop_search_in *in, const struct ask *a, int64_t repeat)
{
    const struct hop_trial **trials = a->number <= in->n_results ? trials_of(in, a->number) : NULL;
    struct hop_json *config;
    char id[ID_BYTES];

    if (!trials || !trials[0] || !trials[0]->config)
        return NULL;
    if (trials[repeat - 1] && trials[repeat - 1]->config) {
        config = hop_json_copy(trials[repeat - 1]->config);
    } else {
        config = hop_json_copy(trials[0]->config);
        make_id(in, a->number, repeat, id);
        hop_json_set_str(config, "id", id);
        hop_json_set_int(config, "seed",
                         hop_json_int(hop_json_get(config, "seed")) + repeat - 1);
        if (a->parent) {
            make_id(in, a->parent, repeat, id);
            hop_json_set_str(config, "parent", id);
        }
    }
    hop_json_set_int(config, "until", a->until);
    return config;
}

/* One repeat's line into out, unless it is there already. */
static int
offer(const struct hop_search_in *in, struct hop_search_out *out, const struct ask *a, int64_t repeat,
      struct hop_err *e)
{
    const struct hop_trial *t =
        a->number <= in->n_results ? trials_of(in, a->number)[repeat - 1] : NULL;
    struct hop_json *config;
    const char *key;
    int rc;

    config = a->x ? make_config(in, a, repeat) : known_config(in, a, repeat);
    if (!config)
        return hop_fail(e, HOP_EFORMAT, in->where,
                        "the configs of the run (RUN/configs.jsonl) go before its log",
                        "the log has no config/1 line of %s%04zu", in->options->prefix, a->number);
    key = t && t->config ? hop_config_differs(t->config, config) : NULL;
    if (key)
        rc = hop_fail(e, HOP_EFORMAT, in->where, "the log is that of another search",
                      "config %s of the log has another \"%s\"", t->id, key);
    else
        rc = check_config(in, config, e);
    if (!rc && a->want_line && !is_evaluated(in, t, a->until))
        hop_json_push(out->configs, config);
    else
        hop_json_free(config);
    return rc;
}

int
hop_search_ask_child(const struct hop_search_in *in, struct hop_search_out *out, size_t number,
                     const double *x, size_t parent, int64_t at, int64_t until, struct hop_err *e)
{
    struct ask a = {number, x, parent, at, until, false};
    const struct hop_result *r = hop_search_result(in, number);
    bool is_over = r->state == HOP_RESULT_DIVERGED || r->state == HOP_RESULT_STOPPED;
    bool is_done = r->state != HOP_RESULT_UNKNOWN;
    int64_t i;
    int rc;

    for (i = 0; i < in->options->repeats && is_done && !is_over; i++)
        is_done = is_evaluated(in, trials_of(in, number)[i], until);
    is_stopped(in, number, r, &a.until);
    out->n_all++;
    out->n_done += is_over || is_done;
    out->n_diverged += r->state == HOP_RESULT_DIVERGED;
    out->n_stopped += r->state == HOP_RESULT_STOPPED;
    if ((is_over || is_done) && !x)
        return HOP_OK;
    a.want_line = !is_over && !is_done;
    for (i = 1; i <= in->options->repeats; i++)
        if ((rc = offer(in, out, &a, i, e)))
            return rc;
    return HOP_OK;
}

int
hop_search_ask(const struct hop_search_in *in, struct hop_search_out *out, size_t number,
               const double *x, int64_t until, struct hop_err *e)
{
    return hop_search_ask_child(in, out, number, x, 0, 0, until, e);
}

/* ---- 4 draws ---- */

double
hop_search_uniform(const struct hop_search_in *in, const char *name, size_t number, uint32_t k)
{
    uint64_t key = hop_rng_key(in->options->seed, name, HOP_FOR_SEARCH);
    uint32_t r[4];

    hop_philox(key, (uint32_t)number, (uint32_t)((uint64_t)number >> 32), k, 0, r);
    return (double)(((uint64_t)r[1] << 32 | r[0]) >> 11) * 0x1p-53;
}

void
hop_search_random(const struct hop_search_in *in, size_t number, double *x)
{
    const struct hop_space *s = in->space;
    size_t i;

    for (i = 0; i < s->n_all; i++)
        x[i] = hop_space_is_active(s->all[i], x)
                   ? hop_dim_from_unit(s->all[i],
                                       hop_search_uniform(in, s->all[i]->path, number, 0))
                   : NAN;
}

double *
hop_search_alloc_point(const struct hop_search_in *in, struct hop_err *e)
{
    return hop_alloc(in->space->n_all, sizeof(double), e);
}
