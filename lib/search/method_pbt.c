/* pbt - a population that trains together: every --interval iterations the worst quarter are given up,
 * and children of the best quarter take their places, with their parent's model file and parameters a
 * little away from their parent's.
 *
 * A child is a config of its own, with a number of its own; its line names "parent" and
 * "parent_iteration", and at its birth it is given its parent's state (run/parent.h). A parent is asked for
 * nothing more before its children have been evaluated, so at their birth its model file is what it was.
 *
 * Source: Jaderberg et al., "Population based training of neural networks", 2017; numbers as in Ray: each
 * parameter is drawn anew with probability 1/4, else 1.2 or 0.8 times what it was. Of lists of numbers
 * the neighbour is taken; all other choices, and what --inherit names, stay the parent's, or its weights
 * would not fit.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "search/methods.h"
#include "search/rung.h"

enum { POPULATION = 20, N_INTERVALS = 10 };

static const char *const takes[] = {"num-configs", "iterations", "interval", "inherit", NULL};

struct child {
    size_t parent; /* its number; 0: none */
    int64_t at;    /* the parent's iteration */
    int64_t until; /* what it is asked for */
};

struct pbt {
    const struct hop_search_in *in;
    int64_t R, interval;
    size_t n, n_exploit;       /* population; how many are replaced at a time */
    struct hop_runner *slots;  /* [n] */
    struct child *v;           /* [n_numbers], of number k v[k - 1] */
    size_t n_numbers, cap;
};

/* ---- a child's parameters ---- */

static bool
is_list_of_numbers(const struct hop_dim *d)
{
    size_t i;

    for (i = 0; i < d->n_choices; i++)
        if (hop_json_kind(d->choices[i].value) != HOP_JSON_INT &&
            hop_json_kind(d->choices[i].value) != HOP_JSON_REAL)
            return false;
    return true;
}

/* The level next to `value`, up or down; the other way at the end. */
static double
neighbour(const struct hop_dim *d, double value, bool is_up)
{
    double step = d->kind == HOP_DIM_CHOICE ? 1 : d->q, low = d->low, high = d->high;

    if (d->kind == HOP_DIM_CHOICE) {
        low = 0;
        high = (double)d->n_choices - 1;
    }
    if (value + step > high)
        is_up = false;
    if (value - step < low)
        is_up = true;
    return fmin(fmax(value + (is_up ? step : -step), low), high);
}

static bool
is_inherited(const struct hop_search_in *in, const char *key)
{
    const struct hop_opt_list *keys = in->options->inherited;
    size_t i;

    for (i = 0; keys && i < keys->n; i++)
        if (!strcmp(keys->v[i], key))
            return true;
    return false;
}

static double
explore(const struct hop_search_in *in, const struct hop_dim *d, size_t number, double value)
{
    bool is_up = hop_search_uniform(in, d->path, number, 1) < 0.5;
    double factor = is_up ? 1.2 : 0.8, x;

    if ((d->kind == HOP_DIM_CHOICE && !is_list_of_numbers(d)) || is_inherited(in, d->key))
        return value;
    if (hop_search_uniform(in, d->path, number, 2) < 0.25)
        return hop_dim_from_unit(d, hop_search_uniform(in, d->path, number, 3));
    if (d->kind == HOP_DIM_CHOICE)
        return neighbour(d, value, is_up);
    x = d->kind == HOP_DIM_LOGNEARONE ? 1 - (1 - value) * factor : value * factor;
    x = hop_dim_value(d, hop_dim_axis(d, fmin(fmax(x, d->low), d->high)));
    return d->q > 0 && x == value ? neighbour(d, value, is_up) : x;
}

static int
draw(const struct pbt *p, size_t number, double *x, struct hop_err *e)
{
    const struct hop_result *parent = hop_search_result(p->in, p->v[number - 1].parent);
    const struct hop_space *s = p->in->space;
    size_t i;

    if (!p->v[number - 1].parent) {
        hop_search_random(p->in, number, x);
        return HOP_OK;
    }
    if (!parent->x)
        return hop_fail(e, HOP_EFORMAT, p->in->where,
                        "the configs of the run (RUN/configs.jsonl) go before its log",
                        "the log has no config/1 line of this space of %s%04zu, a parent",
                        p->in->options->prefix, p->v[number - 1].parent);
    for (i = 0; i < s->n_all; i++)
        x[i] = isnan(parent->x[i]) ? NAN : explore(p->in, s->all[i], number, parent->x[i]);
    return HOP_OK;
}

/* ---- generations ---- */

/* Ask for all of the population until `until`; true when all results are known. */
static bool
train(struct pbt *p, int64_t until)
{
    bool is_known = true;
    size_t i;

    for (i = 0; i < p->n; i++) {
        p->v[p->slots[i].number - 1].until = until;
        p->slots[i].loss = hop_result_loss_from(hop_search_result(p->in, p->slots[i].number), until);
        is_known = is_known && !isnan(p->slots[i].loss);
    }
    return is_known;
}

/* Children of the best for the places of the worst. */
static int
exploit(struct pbt *p, int64_t at, struct hop_err *e)
{
    size_t i, number, parent;

    hop_rung_sort(p->slots, p->n);
    for (i = p->n - p->n_exploit; i < p->n; i++) {
        number = p->n_numbers + 1;
        parent = (size_t)(hop_search_uniform(p->in, "_pbt", number, 0) * (double)p->n_exploit);
        if (!isfinite(p->slots[parent].loss) || !(p->slots[parent].loss < p->slots[i].loss))
            continue;
        if (hop_grow(&p->v, &p->cap, number, sizeof *p->v, e))
            return HOP_ENOMEM;
        p->v[p->n_numbers++] = (struct child){p->slots[parent].number, at, at};
        p->slots[i].number = number;
    }
    return HOP_OK;
}

static int
ask_all(const struct pbt *p, struct hop_search_out *out, struct hop_err *e)
{
    double *x = hop_search_alloc_point(p->in, e);
    const struct hop_result *r;
    const struct child *c;
    size_t number;
    int rc = x ? HOP_OK : HOP_ENOMEM;

    for (number = 1; number <= p->n_numbers && !rc; number++) {
        r = hop_search_result(p->in, number);
        c = &p->v[number - 1];
        if (!r->config && (rc = draw(p, number, x, e)))
            break;
        rc = hop_search_ask_child(p->in, out, number, r->config ? NULL : x, c->parent, c->at, c->until,
                                  e);
    }
    free(x);
    return rc;
}

static int
check_inherited(const struct hop_search_in *in, struct hop_err *e)
{
    const struct hop_opt_list *keys = in->options->inherited;
    size_t i, k;

    for (i = 0; keys && i < keys->n; i++) {
        for (k = 0; k < in->space->n_all && strcmp(in->space->all[k]->key, keys->v[i]); k++)
            ;
        if (k == in->space->n_all)
            return hop_fail(e, HOP_EARG, "--inherit", NULL, "no parameter of %s is called \"%s\"",
                            in->where, keys->v[i]);
    }
    return HOP_OK;
}

static int
set_up(struct pbt *p, struct hop_err *e)
{
    const struct hop_search_options *o = p->in->options;
    size_t i;

    p->R = o->iterations ? o->iterations : N_INTERVALS;
    p->interval = o->interval ? o->interval : (p->R + N_INTERVALS - 1) / N_INTERVALS;
    p->n = p->n_numbers = o->num_configs ? (size_t)o->num_configs : POPULATION;
    p->n_exploit = p->n < 2 ? 0 : p->n < 8 ? 1 : p->n / 4;
    p->slots = hop_alloc(p->n, sizeof *p->slots, e);
    if (!p->slots || hop_grow(&p->v, &p->cap, p->n, sizeof *p->v, e))
        return HOP_ENOMEM;
    for (i = 0; i < p->n; i++) {
        p->v[i] = (struct child){0, 0, 0};
        p->slots[i].number = i + 1;
    }
    return HOP_OK;
}

static int
next(const struct hop_search_in *in, struct hop_search_out *out, struct hop_err *e)
{
    struct pbt p = {.in = in};
    int64_t at = 0;
    int rc = check_inherited(in, e);

    if (!rc)
        rc = set_up(&p, e);
    while (!rc && at < p.R) {
        at = at + p.interval < p.R ? at + p.interval : p.R;
        if (!train(&p, at) || at == p.R)
            break;
        /* children are to be evaluated where they begin, too: only then may their parents go on */
        if ((rc = exploit(&p, at, e)) || !train(&p, at))
            break;
    }
    if (!rc)
        rc = ask_all(&p, out, e);
    free(p.slots);
    free(p.v);
    return rc;
}

const struct hop_method hop_method_pbt = {
    "pbt", "a population, in which copies of the best replace the worst", takes, next, NULL};
