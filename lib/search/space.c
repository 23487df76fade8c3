#include "search/space.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "search/import.h"

enum { MAX_DEPTH = 16 };

/* Distribution names; {"type":"choice"} is read apart. */
static const struct {
    const char *name;
    enum hop_dim_kind kind;
} types[] = {{"uniform", HOP_DIM_UNIFORM}, {"loguniform", HOP_DIM_LOGUNIFORM},
             {"lognearone", HOP_DIM_LOGNEARONE}, {"int", HOP_DIM_INT}, {"logint", HOP_DIM_LOGINT}};

/* Where we are, for paths and errors. */
struct cursor {
    const char *file, *path;
    int depth;
};

static int parse_space(const struct hop_json *json, const struct cursor *c, bool is_branch,
                       struct hop_space **out, struct hop_err *e);

static const char *
place_of(const struct cursor *c, char *out, size_t n)
{
    snprintf(out, n, "%s%s%s", c->file, *c->path ? ": " : "", c->path);
    return out;
}

/* ---- distributions ---- */

static int
check_keys(const struct hop_json *j, const char *const *known, const char *where,
           struct hop_err *e)
{
    void *it;
    size_t i;

    for (it = hop_json_first(j); it; it = hop_json_next(j, it)) {
        for (i = 0; known[i] && strcmp(known[i], hop_json_it_key(it)); i++)
            ;
        if (!known[i])
            return hop_fail(e, HOP_EFORMAT, where, NULL, "unknown key \"%s\"",
                            hop_json_it_key(it));
    }
    return HOP_OK;
}

static int
parse_distribution(const struct hop_json *j, const char *type, const char *where,
                   struct hop_dim *d, struct hop_err *e)
{
    static const char *const keys[] = {"type", "low", "high", "q", NULL};
    struct hop_str known = {0};
    size_t i;
    int rc;

    for (i = 0; i < HOP_LEN(types) && strcmp(types[i].name, type); i++)
        hop_str_addf(&known, ", %s", types[i].name);
    if (i == HOP_LEN(types)) {
        rc = hop_fail(e, HOP_EFORMAT, where, NULL, "unknown type \"%s\" (known: choice%s)", type,
                      hop_str_c(&known));
        hop_str_clear(&known);
        return rc;
    }
    hop_str_clear(&known);
    d->kind = types[i].kind;
    if ((rc = check_keys(j, keys, where, e)) ||
        (rc = hop_json_get_real(j, "low", true, 0, 0, where, &d->low, e)) ||
        (rc = hop_json_get_real(j, "high", true, 0, 0, where, &d->high, e)) ||
        (rc = hop_json_get_real(j, "q", false, 0, 0, where, &d->q, e)))
        return rc;
    return hop_dim_check(d, where, e);
}

/* ---- choices ---- */

static int
parse_choice(const struct hop_json *j, const struct cursor *c, struct hop_choice *out,
             struct hop_err *e)
{
    char where[800];

    place_of(c, where, sizeof where);
    out->value = j;
    if (hop_json_kind(j) != HOP_JSON_OBJECT)
        return HOP_OK;
    out->value = hop_json_get(j, "_name");
    if (!out->value)
        return hop_fail(e, HOP_EFORMAT, where, "{\"_name\":\"sgd\",\"lr\":[0.1,0.01]}",
                        "an object among choices needs a \"_name\"");
    return parse_space(j, c, true, &out->branch, e);
}

/* Their sum becomes 1; without a list all are equal. */
static int
parse_weights(const struct hop_json *list, const char *where, struct hop_dim *d, struct hop_err *e)
{
    const struct hop_json *w;
    double sum = 0;
    size_t i;

    if (list && (hop_json_kind(list) != HOP_JSON_ARRAY || hop_json_len(list) != d->n_choices))
        return hop_fail(e, HOP_EFORMAT, where, NULL, "\"weights\" should be a list of %zu numbers",
                        d->n_choices);
    for (i = 0; i < d->n_choices; i++) {
        w = hop_json_at(list, i);
        d->choices[i].weight = list ? hop_json_real(w) : 1;
        if (!(d->choices[i].weight > 0 && d->choices[i].weight < 1e100))
            return hop_fail(e, HOP_EFORMAT, where, "leave out what is never to be chosen",
                            "\"weights\"[%zu] is not a number above 0", i);
        sum += d->choices[i].weight;
    }
    for (i = 0; i < d->n_choices; i++)
        d->choices[i].weight /= sum;
    return HOP_OK;
}

static int
parse_choices(const struct hop_json *list, const struct hop_json *weights, const struct cursor *c,
              struct hop_dim *d, struct hop_err *e)
{
    struct hop_str path = {0};
    struct cursor inner = {c->file, "", c->depth + 1};
    char where[800];
    size_t i, n = hop_json_len(list);
    int rc = HOP_OK;

    place_of(c, where, sizeof where);
    d->kind = HOP_DIM_CHOICE;
    if (hop_json_kind(list) != HOP_JSON_ARRAY || !n)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "a choice needs a list that is not empty");
    if (!(d->choices = hop_alloc(n, sizeof *d->choices, e)))
        return HOP_ENOMEM;
    d->n_choices = n;
    for (i = 0; i < n && !rc; i++) {
        path.n = 0;
        hop_str_addf(&path, "%s[%zu]", c->path, i);
        inner.path = hop_str_c(&path);
        if (!(rc = hop_str_check(&path, e)))
            rc = parse_choice(hop_json_at(list, i), &inner, &d->choices[i], e);
    }
    hop_str_clear(&path);
    return rc ? rc : parse_weights(weights, where, d, e);
}

/* ---- dimensions ---- */

static int
parse_dim(const struct hop_json *j, const struct cursor *c, struct hop_dim *d, struct hop_err *e)
{
    static const char *const choice_keys[] = {"type", "values", "weights", NULL};
    const char *type = NULL;
    char where[800];
    int rc;

    place_of(c, where, sizeof where);
    switch (hop_json_kind(j)) {
    case HOP_JSON_ARRAY:
        return parse_choices(j, NULL, c, d, e);
    case HOP_JSON_OBJECT:
        if (!hop_json_get(j, "type"))
            return hop_fail(e, HOP_EFORMAT, where, "{\"type\":\"loguniform\",\"low\":..}",
                            "\"type\" is missing");
        if ((rc = hop_json_get_str(j, "type", true, where, &type, e)))
            return rc;
        if (strcmp(type, "choice"))
            return parse_distribution(j, type, where, d, e);
        if ((rc = check_keys(j, choice_keys, where, e)))
            return rc;
        return parse_choices(hop_json_get(j, "values"), hop_json_get(j, "weights"), c, d, e);
    case HOP_JSON_NULL:
        return hop_fail(e, HOP_EFORMAT, where, "leave the key out", "null is no value");
    default:
        d->kind = HOP_DIM_CONSTANT;
        d->value = j;
        return HOP_OK;
    }
}

static int
check_key(const char *key, const char *where, struct hop_err *e)
{
    static const char *const ours[] = {"hop", "id", "until"};
    size_t i;

    for (i = 0; i < HOP_LEN(ours); i++)
        if (!strcmp(ours[i], key))
            return hop_fail(e, HOP_EFORMAT, where, NULL, "\"%s\" is given by hop-search", key);
    if (key[0] == '_')
        return hop_fail(e, HOP_EFORMAT, where, "\"_name\" belongs to an object among choices",
                        "\"%s\" cannot be a key", key);
    return HOP_OK;
}

/* Does d, or any branch of it, write `key`? */
static bool
writes(const struct hop_dim *d, const char *key)
{
    size_t i, k;

    if (!strcmp(d->key, key))
        return true;
    for (i = 0; i < d->n_choices; i++)
        for (k = 0; d->choices[i].branch && k < d->choices[i].branch->n; k++)
            if (writes(&d->choices[i].branch->dims[k], key))
                return true;
    return false;
}

/* A key must not be written by two dimensions that can be active together. */
static int
check_clash(const struct hop_dim *d, const struct hop_dim *other, const char *file,
            struct hop_err *e)
{
    struct cursor c = {file, d->path, 0};
    char where[800];
    size_t i, k;
    int rc;

    if (writes(other, d->key))
        return hop_fail(e, HOP_EFORMAT, place_of(&c, where, sizeof where), NULL,
                        "\"%s\" is also given by \"%s\"", d->key, other->path);
    for (i = 0; i < d->n_choices; i++)
        for (k = 0; d->choices[i].branch && k < d->choices[i].branch->n; k++)
            if ((rc = check_clash(&d->choices[i].branch->dims[k], other, file, e)))
                return rc;
    return HOP_OK;
}

/* One member as the next dimension of s. */
static int
add_dim(struct hop_space *s, const char *key, const struct hop_json *value,
        const struct cursor *c, struct hop_err *e)
{
    struct hop_dim *d = &s->dims[s->n++];
    struct hop_str path = {0};
    struct cursor inner = {c->file, "", c->depth + 1};
    char where[800];
    size_t i;
    int rc;

    hop_str_addf(&path, "%s%s%s", c->path, *c->path ? "." : "", key);
    d->key = key;
    d->path = path.s;
    if ((rc = hop_str_check(&path, e)))
        return rc;
    inner.path = d->path;
    if ((rc = check_key(key, place_of(&inner, where, sizeof where), e)) ||
        (rc = parse_dim(value, &inner, d, e)))
        return rc;
    for (i = 0; i + 1 < s->n; i++)
        if ((rc = check_clash(d, &s->dims[i], c->file, e)))
            return rc;
    return HOP_OK;
}

static int
parse_space(const struct hop_json *json, const struct cursor *c, bool is_branch,
            struct hop_space **out, struct hop_err *e)
{
    struct hop_space *s;
    char where[800];
    void *it;
    int rc = HOP_OK;

    *out = NULL;
    place_of(c, where, sizeof where);
    if (hop_json_kind(json) != HOP_JSON_OBJECT)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "a space is %s, should be an object",
                        hop_json_kind_name(json));
    if (c->depth > MAX_DEPTH)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "branches nest too deep");
    if (!(s = hop_alloc(1, sizeof *s, e)))
        return HOP_ENOMEM;
    s->dims = hop_alloc(hop_json_len(json), sizeof *s->dims, e);
    if (!s->dims)
        rc = HOP_ENOMEM;
    for (it = hop_json_first(json); it && !rc; it = hop_json_next(json, it))
        if (!is_branch || strcmp(hop_json_it_key(it), "_name"))
            rc = add_dim(s, hop_json_it_key(it), hop_json_it_value(it), c, e);
    if (rc)
        hop_space_free(s);
    else
        *out = s;
    return rc;
}

/* ---- the rest ---- */

/* Choices and distributions below s in order; into `all` when it is not NULL. */
static size_t
number(struct hop_space *s, const struct hop_dim *parent, size_t i_parent, size_t n,
       const struct hop_dim **all)
{
    struct hop_dim *d;
    size_t i, k;

    for (i = 0; i < s->n; i++) {
        d = &s->dims[i];
        d->parent = parent;
        d->i_parent = i_parent;
        if (d->kind == HOP_DIM_CONSTANT)
            continue;
        if (all)
            all[n] = d;
        d->index = n++;
        for (k = 0; k < d->n_choices; k++)
            if (d->choices[k].branch)
                n = number(d->choices[k].branch, d, k, n, all);
    }
    return n;
}

int
hop_space_parse(struct hop_json *take, const char *where, struct hop_space **out,
                struct hop_err *e)
{
    struct cursor c = {where, "", 0};
    struct hop_space *s;
    int rc = parse_space(take, &c, false, &s, e);

    *out = NULL;
    if (rc) {
        hop_json_free(take);
        return rc;
    }
    s->json = take;
    s->n_all = number(s, NULL, 0, 0, NULL);
    if (!(s->all = hop_alloc(s->n_all, sizeof *s->all, e))) {
        hop_space_free(s);
        return HOP_ENOMEM;
    }
    number(s, NULL, 0, 0, s->all);
    *out = s;
    return HOP_OK;
}

int
hop_space_read(const char *path, struct hop_space **out, struct hop_err *e)
{
    const struct hop_importer *from;
    struct hop_json *json, *ours;
    int rc;

    *out = NULL;
    if ((rc = hop_import_read_file(path, &json, e)))
        return rc;
    if ((from = hop_import_guess(json))) {
        rc = hop_import_run(from, json, path, &ours, e);
        hop_json_free(json);
        if (rc)
            return rc;
        json = ours;
    }
    return hop_space_parse(json, path, out, e);
}

void
hop_space_free(struct hop_space *s)
{
    size_t i, k;

    if (!s)
        return;
    for (i = 0; s->dims && i < s->n; i++) {
        for (k = 0; k < s->dims[i].n_choices; k++)
            hop_space_free(s->dims[i].choices[k].branch);
        free(s->dims[i].choices);
        free(s->dims[i].path);
    }
    free(s->dims);
    free(s->all);
    hop_json_free(s->json);
    free(s);
}

double
hop_space_count(const struct hop_space *s)
{
    double product = 1, sum;
    const struct hop_dim *d;
    size_t i, k;

    for (i = 0; i < s->n; i++) {
        d = &s->dims[i];
        if (d->kind == HOP_DIM_CONSTANT)
            continue;
        sum = d->kind == HOP_DIM_CHOICE ? 0 : (double)hop_dim_levels(d);
        for (k = 0; k < d->n_choices; k++)
            sum += d->choices[k].branch ? hop_space_count(d->choices[k].branch) : 1;
        product *= sum > 0 ? sum : INFINITY;
    }
    return product;
}

/* ---- points ---- */

bool
hop_space_is_active(const struct hop_dim *d, const double *x)
{
    for (; d->parent; d = d->parent)
        if (!(x[d->parent->index] == (double)d->i_parent))
            return false;
    return true;
}

void
hop_space_config(const struct hop_space *s, const double *x, struct hop_json *config)
{
    const struct hop_choice *choice;
    const struct hop_dim *d;
    size_t i;

    for (i = 0; i < s->n; i++) {
        d = &s->dims[i];
        if (d->kind == HOP_DIM_CONSTANT) {
            hop_json_set(config, d->key, hop_json_copy(d->value));
        } else if (d->kind == HOP_DIM_CHOICE) {
            choice = &d->choices[(size_t)x[d->index]];
            hop_json_set(config, d->key, hop_json_copy(choice->value));
            if (choice->branch)
                hop_space_config(choice->branch, x, config);
        } else if (d->kind == HOP_DIM_INT || d->kind == HOP_DIM_LOGINT) {
            hop_json_set_int(config, d->key, (int64_t)x[d->index]);
        } else {
            hop_json_set_real(config, d->key, x[d->index]);
        }
    }
}

static bool
is_number(const struct hop_json *j)
{
    return hop_json_kind(j) == HOP_JSON_INT || hop_json_kind(j) == HOP_JSON_REAL;
}

/* Equal, numbers to the digits that files have. */
static bool
is_equal(const struct hop_json *a, const struct hop_json *b)
{
    if (is_number(a) && is_number(b)) {
        double x = hop_json_real(a), y = hop_json_real(b);

        return fabs(x - y) <= 1e-8 * fabs(x);
    }
    return hop_json_equal(a, b);
}

static bool point_of(const struct hop_space *s, const struct hop_json *config, double *x);

/* The first choice that has this value and whose branch has the rest of the config. */
static bool
find_choice(const struct hop_dim *d, const struct hop_json *v, const struct hop_json *config,
            double *x)
{
    size_t i;

    for (i = 0; i < d->n_choices; i++)
        if (is_equal(d->choices[i].value, v) &&
            (!d->choices[i].branch || point_of(d->choices[i].branch, config, x))) {
            x[d->index] = (double)i;
            return true;
        }
    return false;
}

static bool
point_of(const struct hop_space *s, const struct hop_json *config, double *x)
{
    const struct hop_json *v;
    const struct hop_dim *d;
    double slack;
    size_t i;

    for (i = 0; i < s->n; i++) {
        d = &s->dims[i];
        if (!(v = hop_json_get(config, d->key)))
            return false;
        if (d->kind == HOP_DIM_CONSTANT) {
            if (!is_equal(d->value, v))
                return false;
        } else if (d->kind == HOP_DIM_CHOICE) {
            if (!find_choice(d, v, config, x))
                return false;
        } else {
            slack = 1e-8 * fmax(fabs(d->low), fabs(d->high));
            if (!is_number(v) || hop_json_real(v) < d->low - slack ||
                hop_json_real(v) > d->high + slack)
                return false;
            x[d->index] = fmin(fmax(hop_json_real(v), d->low), d->high);
        }
    }
    return true;
}

bool
hop_space_point(const struct hop_space *s, const struct hop_json *config, double *x)
{
    size_t i;

    for (i = 0; i < s->n_all; i++)
        x[i] = NAN;
    if (!point_of(s, config, x))
        return false;
    for (i = 0; i < s->n_all; i++) /* what was tried and given up */
        if (!hop_space_is_active(s->all[i], x))
            x[i] = NAN;
    return true;
}
