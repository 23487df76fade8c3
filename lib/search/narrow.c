#include "search/narrow.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"

/* Contents: 1 evidence, 2 distributions, 3 choices, 4 the whole */

struct narrowing {
    const struct hop_space *s;
    const struct hop_ranking *r;
    double *x;        /* [n][s->n_all]: the points of the evidence, best first */
    const struct hop_rank_row **rows; /* [n] whose they are */
    size_t n, n_good; /* the first are good */
    struct hop_json *reasons;
    double *places;   /* [n_good] scratch */
};

static struct hop_json *narrow_space(struct narrowing *w, const struct hop_space *s,
                                     const struct hop_json *j, struct hop_err *e);

/* ---- 1 evidence ---- */

static int
gather(struct narrowing *w, struct hop_narrowed *out, struct hop_err *e)
{
    const struct hop_rank_row *row;
    size_t i;

    w->x = hop_alloc(w->r->n * w->s->n_all, sizeof *w->x, e);
    w->rows = hop_alloc(w->r->n, sizeof *w->rows, e);
    if (!w->x || !w->rows)
        return HOP_ENOMEM;
    for (i = 0; i < w->r->n; i++) {
        row = &w->r->v[i];
        if (!row->trial->config ||
            !hop_space_point(w->s, row->trial->config, &w->x[w->n * w->s->n_all]))
            out->n_strangers++;
        else if (!row->is_diverged && isfinite(row->value))
            w->rows[w->n++] = row;
    }
    return HOP_OK;
}

static double
value_of(const struct narrowing *w, size_t i, const struct hop_dim *d)
{
    return w->x[i * w->s->n_all + d->index];
}

static bool
is_active(const struct narrowing *w, size_t i, const struct hop_dim *d)
{
    return hop_space_is_active(d, &w->x[i * w->s->n_all]);
}

static void
add_reason(struct narrowing *w, struct hop_str *text)
{
    hop_json_push(w->reasons, hop_json_new_str(hop_str_c(text)));
    hop_str_clear(text);
}

/* ---- 2 distributions ---- */

static int
by_place(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Upward or downward to two digits of `size` > 0. */
static double
round_two(double v, double size, bool is_up)
{
    double unit = pow(10, floor(log10(size)) - 1), out;
    char text[40];

    out = (is_up ? ceil(v / unit - 1e-9) : floor(v / unit + 1e-9)) * unit;
    snprintf(text, sizeof text, "%.9g", out);
    return strtod(text, NULL);
}

/* A bound of the new range, `width` wide on its axis: as files should have it, not inside of `place`.
 */
static double
bound_at(const struct hop_dim *d, double place, double width, bool is_high)
{
    double v = hop_dim_value(d, place), at = hop_dim_axis(d, v), out;
    char text[40];

    if (d->q > 0) { /* the level, or its neighbour outside */
        if (is_high ? at < place - 1e-9 * fabs(place) : at > place + 1e-9 * fabs(place))
            v += is_high ? d->q : -d->q;
        out = v;
    } else if (d->kind == HOP_DIM_LOGNEARONE) {
        snprintf(text, sizeof text, "%.9g", 1 - round_two(1 - v, 1 - v, !is_high));
        out = strtod(text, NULL);
    } else {
        out = round_two(v, d->kind == HOP_DIM_LOGUNIFORM ? v : width, is_high);
    }
    return out < d->low ? d->low : out > d->high ? d->high : out;
}

/* The good values' places, sorted; how many. */
static size_t
collect_places(struct narrowing *w, const struct hop_dim *d)
{
    size_t i, n = 0;

    for (i = 0; i < w->n_good; i++)
        if (is_active(w, i, d))
            w->places[n++] = hop_dim_axis(d, value_of(w, i, d));
    qsort(w->places, n, sizeof *w->places, by_place);
    return n;
}

static void
find_range(struct narrowing *w, const struct hop_dim *d, double *low, double *high)
{
    double from = hop_dim_axis(d, d->low), to = hop_dim_axis(d, d->high), a, b, margin, least;
    size_t n = collect_places(w, d);

    a = w->places[0];
    b = w->places[n - 1];
    margin = n > 1 ? (b - a) / (double)(n - 1) : (to - from) / 4;
    a -= margin;
    b += margin;
    least = (to - from) / 10;
    if (b - a < least) {
        a = (a + b - least) / 2;
        b = a + least;
    }
    *low = bound_at(d, a < from ? from : a, b - a, false);
    *high = bound_at(d, b > to ? to : b, b - a, true);
}

static struct hop_json *
number_like(const struct hop_dim *d, double v)
{
    return d->kind == HOP_DIM_INT || d->kind == HOP_DIM_LOGINT ? hop_json_new_int((int64_t)v)
                                                               : hop_json_new_real(v);
}

static struct hop_json *
narrow_distribution(struct narrowing *w, const struct hop_dim *d, const struct hop_json *j)
{
    struct hop_json *out;
    struct hop_str text = {0};
    double low, high;

    find_range(w, d, &low, &high);
    if (low <= d->low && high >= d->high)
        return hop_json_copy(j);
    hop_str_addf(&text, "%s: %.9g to %.9g, was %.9g to %.9g", d->path, low, high, d->low, d->high);
    add_reason(w, &text);
    if (low >= high)
        return number_like(d, low);
    out = hop_json_copy(j);
    hop_json_set(out, "low", number_like(d, low));
    hop_json_set(out, "high", number_like(d, high));
    return out;
}

/* ---- 3 choices ---- */

/* "optimizer[2] (sgd): 1 of 24 good configs has it, chance would be 8; its best is rank 40" */
static void
explain(struct narrowing *w, const struct hop_dim *d, size_t option, size_t n_has, size_t n)
{
    struct hop_str text = {0}, name = {0};
    struct hop_err e = {0};
    size_t i;

    for (i = 0; i < w->n && !(is_active(w, i, d) && (size_t)value_of(w, i, d) == option); i++)
        ;
    if (hop_json_dump(d->choices[option].value, &name, &e))
        hop_str_add(&name, "?");
    hop_str_addf(&text, "%s[%zu] %s is out: %zu of %zu good configs have it, chance would be %.3g; ",
                 d->path, option, hop_str_c(&name), n_has, n,
                 (double)n * d->choices[option].weight);
    if (i < w->n)
        hop_str_addf(&text, "its best is at place %zu, %.4g against %.4g", i + 1, w->rows[i]->value,
                     w->rows[0]->value);
    else
        hop_str_add(&text, "none was evaluated");
    hop_str_clear(&name);
    add_reason(w, &text);
}

/* Which options stay; how many. */
static size_t
decide(struct narrowing *w, const struct hop_dim *d, bool *stays)
{
    size_t option, i, n = 0, n_has, n_stay = 0, best = 0;

    for (i = 0; i < w->n_good; i++)
        n += is_active(w, i, d);
    for (i = 0; i < w->n_good && !is_active(w, i, d); i++)
        ;
    best = (size_t)value_of(w, i, d);
    for (option = 0; option < d->n_choices; option++) {
        for (n_has = 0, i = 0; i < w->n_good; i++)
            n_has += is_active(w, i, d) && (size_t)value_of(w, i, d) == option;
        stays[option] = option == best ||
                        (double)n_has >= (double)n * d->choices[option].weight / 2;
        n_stay += stays[option];
        if (!stays[option])
            explain(w, d, option, n_has, n);
    }
    return n_stay;
}

static bool
is_scalar(const struct hop_json *j)
{
    return hop_json_kind(j) != HOP_JSON_ARRAY && hop_json_kind(j) != HOP_JSON_OBJECT &&
           hop_json_kind(j) != HOP_JSON_NULL;
}

static struct hop_json *
narrow_choice(struct narrowing *w, const struct hop_dim *d, const struct hop_json *j,
              struct hop_err *e)
{
    bool is_list = hop_json_kind(j) == HOP_JSON_ARRAY;
    const struct hop_json *values = is_list ? j : hop_json_get(j, "values");
    const struct hop_json *weights = is_list ? NULL : hop_json_get(j, "weights");
    struct hop_json *kept = hop_json_array(), *kept_weights = hop_json_array(), *out;
    bool *stays = hop_alloc(d->n_choices, sizeof *stays, e);
    size_t i, n = stays ? decide(w, d, stays) : 0;
    const struct hop_json *only = NULL;

    for (i = 0; n && i < d->n_choices; i++) {
        if (!stays[i])
            continue;
        only = hop_json_at(values, i);
        hop_json_push(kept, d->choices[i].branch ? narrow_space(w, d->choices[i].branch, only, e)
                                                 : hop_json_copy(only));
        if (weights)
            hop_json_push(kept_weights, hop_json_copy(hop_json_at(weights, i)));
    }
    free(stays);
    out = is_list ? hop_json_array() : hop_json_copy(j);
    if (n == 1 && is_scalar(only)) {
        hop_json_free(out);
        hop_json_free(kept);
        out = hop_json_copy(only);
    } else if (is_list) {
        hop_json_free(out);
        out = kept;
    } else {
        hop_json_set(out, "values", kept);
        if (weights)
            hop_json_set(out, "weights", hop_json_copy(kept_weights));
    }
    hop_json_free(kept_weights);
    return out;
}

/* ---- 4 the whole ---- */

static struct hop_json *
narrow_space(struct narrowing *w, const struct hop_space *s, const struct hop_json *j,
             struct hop_err *e)
{
    struct hop_json *out = hop_json_copy(j);
    const struct hop_dim *d;
    size_t i;

    for (i = 0; i < s->n; i++) {
        d = &s->dims[i];
        if (d->kind == HOP_DIM_CONSTANT)
            continue;
        hop_json_set(out, d->key,
                     d->kind == HOP_DIM_CHOICE
                         ? narrow_choice(w, d, hop_json_get(j, d->key), e)
                         : narrow_distribution(w, d, hop_json_get(j, d->key)));
    }
    return out;
}

/* Evidence that is of the new space, too. */
static int
count_inside(const struct narrowing *w, struct hop_narrowed *out, const char *where,
             struct hop_err *e)
{
    struct hop_space *s;
    double *x;
    size_t i;
    int rc = hop_space_parse(hop_json_copy(out->space), where, &s, e);

    if (rc)
        return rc;
    if (!(x = hop_alloc(s->n_all, sizeof *x, e)))
        rc = HOP_ENOMEM;
    for (i = 0; i < w->n && !rc; i++)
        out->n_inside += hop_space_point(s, w->rows[i]->trial->config, x);
    free(x);
    hop_space_free(s);
    return rc;
}

int
hop_narrow(const struct hop_space *s, const struct hop_ranking *r, int64_t top, double quantile,
           const char *where, struct hop_narrowed *out, struct hop_err *e)
{
    struct narrowing w = {.s = s, .r = r};
    int rc;

    *out = (struct hop_narrowed){.reasons = hop_json_array()};
    if ((rc = gather(&w, out, e)))
        goto done;
    if (!w.n) {
        rc = hop_fail(e, HOP_EFORMAT, where, "the log of a search of this space comes by stdin",
                      "the log has no evaluated config of the space");
        goto done;
    }
    w.n_good = top ? (size_t)top : (size_t)ceil(quantile * (double)w.n - 1e-9);
    w.n_good = w.n_good > w.n ? w.n : w.n_good ? w.n_good : 1;
    if (!(w.places = hop_alloc(w.n_good, sizeof *w.places, e))) {
        rc = HOP_ENOMEM;
        goto done;
    }
    w.reasons = out->reasons;
    out->n_evidence = w.n;
    out->n_good = w.n_good;
    out->worst_good = w.rows[w.n_good - 1]->value;
    out->space = narrow_space(&w, s, s->json, e);
    rc = e->code ? e->code : count_inside(&w, out, where, e);
done:
    free(w.x);
    free(w.rows);
    free(w.places);
    if (rc)
        hop_narrow_clear(out);
    return rc;
}

void
hop_narrow_clear(struct hop_narrowed *n)
{
    hop_json_free(n->space);
    hop_json_free(n->reasons);
    *n = (struct hop_narrowed){0};
}
