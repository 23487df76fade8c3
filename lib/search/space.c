#include "search/space.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

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
check_bounds(struct hop_dim *d, const char *where, struct hop_err *e)
{
    bool is_log = d->kind == HOP_DIM_LOGUNIFORM || d->kind == HOP_DIM_LOGINT;
    bool is_int = d->kind == HOP_DIM_INT || d->kind == HOP_DIM_LOGINT;

    if (!(d->low < d->high))
        return hop_fail(e, HOP_EFORMAT, where, NULL, "\"low\" %.9g is not below \"high\" %.9g",
                        d->low, d->high);
    if (is_log && d->low <= 0)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "\"low\" %.9g is not above 0", d->low);
    if (d->kind == HOP_DIM_LOGNEARONE && (d->low < 0 || d->high >= 1))
        return hop_fail(e, HOP_EFORMAT, where, "0 <= low < high < 1",
                        "bounds %.9g and %.9g are not near one", d->low, d->high);
    if (is_int && (d->low != floor(d->low) || d->high != floor(d->high)))
        return hop_fail(e, HOP_EFORMAT, where, NULL, "bounds are not whole numbers");
    if (d->q < 0)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "\"q\" %.9g is not above 0", d->q);
    return HOP_OK;
}

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
    return check_bounds(d, where, e);
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

static int
parse_choices(const struct hop_json *list, const struct cursor *c, struct hop_dim *d,
              struct hop_err *e)
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
    return rc;
}

/* ---- dimensions ---- */

static int
parse_dim(const struct hop_json *j, const struct cursor *c, struct hop_dim *d, struct hop_err *e)
{
    static const char *const choice_keys[] = {"type", "values", NULL};
    const char *type = NULL;
    char where[800];
    int rc;

    place_of(c, where, sizeof where);
    switch (hop_json_kind(j)) {
    case HOP_JSON_ARRAY:
        return parse_choices(j, c, d, e);
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
        return parse_choices(hop_json_get(j, "values"), c, d, e);
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

int
hop_space_parse(struct hop_json *take, const char *where, struct hop_space **out,
                struct hop_err *e)
{
    struct cursor c = {where, "", 0};
    int rc = parse_space(take, &c, false, out, e);

    if (rc)
        hop_json_free(take);
    else
        (*out)->json = take;
    return rc;
}

int
hop_space_read(const char *path, struct hop_space **out, struct hop_err *e)
{
    struct hop_json *json;
    int rc;

    *out = NULL;
    if ((rc = hop_json_read_file(path, &json, e)))
        return rc;
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
    hop_json_free(s->json);
    free(s);
}

void
hop_space_fill(const struct hop_space *s, hop_pick_fn *pick, void *ctx, struct hop_json *config)
{
    const struct hop_choice *choice;
    const struct hop_dim *d;
    size_t i;

    for (i = 0; i < s->n; i++) {
        d = &s->dims[i];
        if (d->kind == HOP_DIM_CONSTANT) {
            hop_json_set(config, d->key, hop_json_copy(d->value));
        } else if (d->kind == HOP_DIM_CHOICE) {
            choice = &d->choices[(size_t)pick(ctx, d)];
            hop_json_set(config, d->key, hop_json_copy(choice->value));
            if (choice->branch)
                hop_space_fill(choice->branch, pick, ctx, config);
        } else if (d->kind == HOP_DIM_INT || d->kind == HOP_DIM_LOGINT) {
            hop_json_set_int(config, d->key, (int64_t)pick(ctx, d));
        } else {
            hop_json_set_real(config, d->key, pick(ctx, d));
        }
    }
}

const struct hop_dim *
hop_space_distribution(const struct hop_space *s)
{
    const struct hop_dim *found;
    size_t i, k;

    for (i = 0; i < s->n; i++) {
        if (s->dims[i].kind != HOP_DIM_CONSTANT && s->dims[i].kind != HOP_DIM_CHOICE)
            return &s->dims[i];
        for (k = 0; k < s->dims[i].n_choices; k++)
            if (s->dims[i].choices[k].branch &&
                (found = hop_space_distribution(s->dims[i].choices[k].branch)))
                return found;
    }
    return NULL;
}
