#include "net/transfer.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Contents: 1 one tensor, 2 by name, 3 by order */

/* ---- 1 one tensor ---- */

static bool
same_shape(const struct hop_tensor *x, const struct hop_weight *w)
{
    int i;

    for (i = 0; i < w->shape.n_dims && x->n_dims == w->shape.n_dims; i++)
        if (x->dims[i] != w->shape.d[i])
            return false;
    return x->dtype == HOP_F32 && x->n_dims == w->shape.n_dims;
}

/* Is x w in PyTorch's order of axes? */
static bool
turned_shape(const struct hop_tensor *x, const struct hop_weight *w)
{
    const int64_t *d = w->shape.d;

    if (x->dtype != HOP_F32 || x->n_dims != w->shape.n_dims)
        return false;
    if (x->n_dims == 2)
        return x->dims[0] == d[1] && x->dims[1] == d[0];
    if (x->n_dims == 3)
        return x->dims[0] == d[2] && x->dims[1] == d[1] && x->dims[2] == d[0];
    return x->n_dims == 4 && x->dims[0] == d[3] && x->dims[1] == d[2] && x->dims[2] == d[0] &&
           x->dims[3] == d[1];
}

/* A depthwise kernel [kh,kw,C,m] is [C*m,1,kh,kw] in PyTorch. */
static bool
depthwise_shape(const struct hop_tensor *x, const struct hop_weight *w)
{
    const int64_t *d = w->shape.d;

    return x->dtype == HOP_F32 && x->n_dims == 4 && w->shape.n_dims == 4 && x->dims[1] == 1 &&
           x->dims[0] == d[2] * d[3] && x->dims[2] == d[0] && x->dims[3] == d[1] &&
           strstr(w->name, "depthwise_kernel");
}

static void
copy_turned(const struct hop_tensor *x, const struct hop_weight *w, float *to)
{
    const float *from = x->data;
    int64_t n_taps = x->n_dims == 4 ? x->dims[2] * x->dims[3] : x->n_dims == 3 ? x->dims[2] : 1;
    int64_t in = x->dims[1];
    int64_t out = x->dims[0], k, c, t;

    (void)w;
    for (k = 0; k < out; k++)
        for (c = 0; c < in; c++)
            for (t = 0; t < n_taps; t++)
                to[(t * in + c) * out + k] = from[(k * in + c) * n_taps + t];
}

/* Copy x into w's place in either layout; false if it fits neither. A square linear weight fits
 * both: is_turned says which file it comes from. */
static bool
load(const struct hop_tensor *x, const struct hop_weight *w, bool is_turned, float *weights,
     struct hop_transfer *t)
{
    bool may_turn = x->n_dims >= 2 && x->n_dims <= 4;

    if (may_turn && (is_turned || !same_shape(x, w)) &&
        (turned_shape(x, w) || depthwise_shape(x, w)))
        copy_turned(x, w, weights + w->offset);
    else if (same_shape(x, w) && !(is_turned && may_turn))
        memcpy(weights + w->offset, x->data, x->n_bytes);
    else
        return false;
    t->n_loaded++;
    t->n_params += w->n;
    return true;
}

static void
shape_of(const struct hop_tensor *x, char *out, size_t n)
{
    struct hop_shape s = {.n_dims = x->n_dims < HOP_NET_DIMS ? x->n_dims : HOP_NET_DIMS};

    memcpy(s.d, x->dims, (size_t)s.n_dims * sizeof s.d[0]);
    hop_shape_text(&s, out, n);
}

/* ---- 2 by name ---- */

static const struct hop_tensor *
find(const struct hop_st *from, const char *name, bool *is_used)
{
    size_t i, n = strlen(name);

    for (i = 0; i < from->n_tensors; i++)
        if (!strncmp(from->tensors[i].name, name, n) &&
            (!from->tensors[i].name[n] || !strcmp(from->tensors[i].name + n, ":0"))) {
            is_used[i] = true;
            return &from->tensors[i];
        }
    return NULL;
}

static void
report_left(const struct hop_st *from, const bool *is_used, struct hop_transfer *t)
{
    size_t i;

    for (i = 0; i < from->n_tensors; i++)
        if (!is_used[i] && strncmp(from->tensors[i].name, "optimizer/", 10)) {
            t->n_left++;
            hop_str_addf(&t->report, "left in the file: %s\n", from->tensors[i].name);
        }
}

int
hop_transfer_by_name(const struct hop_st *from, const struct hop_net *net, float *weights,
                     struct hop_transfer *t, struct hop_err *e)
{
    bool *is_used = hop_alloc(from->n_tensors, sizeof *is_used, e);
    const struct hop_tensor *x;
    const struct hop_weight *w;
    char a[80], b[80];
    int i;

    *t = (struct hop_transfer){0};
    if (!is_used)
        return HOP_ENOMEM;
    for (i = 0; i < net->n_weights; i++) {
        w = &net->weights[i];
        x = find(from, w->name, is_used);
        if (!x) {
            t->n_missing++;
            hop_str_addf(&t->report, "missing, freshly drawn: %s\n", w->name);
        } else if (!same_shape(x, w) || !load(x, w, false, weights, t)) {
            t->n_misfit++;
            shape_of(x, a, sizeof a);
            hop_shape_text(&w->shape, b, sizeof b);
            hop_str_addf(&t->report, "of another shape, freshly drawn: %s (%s %s, the net has %s)\n",
                         w->name, x->dtype_name, a, b);
        }
    }
    report_left(from, is_used, t);
    free(is_used);
    return hop_str_check(&t->report, e);
}

/* ---- 3 by order ---- */

/* Compare names with the numbers in them as numbers: layer.9 before layer.10. */
static int
natural(const char *a, const char *b)
{
    while (*a && *b) {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            unsigned long x = strtoul(a, (char **)&a, 10), y = strtoul(b, (char **)&b, 10);

            if (x != y)
                return x < y ? -1 : 1;
        } else if (*a != *b) {
            return *a < *b ? -1 : 1;
        } else {
            a++;
            b++;
        }
    }
    return (*a != 0) - (*b != 0);
}

/* The part of a layer that a tensor is, in the order of hop's weights; -1 = none of a layer's. */
static int
part(const char *name, size_t *n_prefix)
{
    static const struct {
        const char *name;
        int rank;
    } parts[] = {{"kernel", 0}, {"weight", 0}, {"gamma", 0}, {"depthwise_kernel", 0},
                 {"pointwise_kernel", 1}, {"bias", 2}, {"beta", 2}, {"moving_mean", 3},
                 {"running_mean", 3}, {"moving_variance", 4}, {"running_var", 4}};
    const char *dot = strrchr(name, '.'), *slash = strrchr(name, '/'), *last;
    size_t i;

    last = dot > slash ? dot : slash;
    *n_prefix = last ? (size_t)(last - name) : 0;
    last = last ? last + 1 : name;
    for (i = 0; i < HOP_LEN(parts); i++)
        if (!strncmp(last, parts[i].name, strlen(parts[i].name)) &&
            (!last[strlen(parts[i].name)] || last[strlen(parts[i].name)] == ':'))
            return parts[i].rank;
    return -1;
}

static int
by_layer(const void *a, const void *b)
{
    const struct hop_tensor *const *x = a, *const *y = b;
    size_t n, m;
    int p = part((*x)->name, &n), q = part((*y)->name, &m), c;
    char *s = strndup((*x)->name, n), *t = strndup((*y)->name, m);

    c = s && t ? natural(s, t) : 0;
    free(s);
    free(t);
    return c ? c : (p > q) - (p < q);
}

/* The tensors that are parts of layers, sorted. PyTorch's have '.' in their names. */
static size_t
sort_parts(const struct hop_st *from, const struct hop_tensor **v, bool *is_torch)
{
    size_t i, n = 0, n_prefix;

    *is_torch = true;
    for (i = 0; i < from->n_tensors; i++) {
        if (part(from->tensors[i].name, &n_prefix) < 0 ||
            !strncmp(from->tensors[i].name, "optimizer/", 10))
            continue;
        if (strchr(from->tensors[i].name, '/'))
            *is_torch = false;
        v[n++] = &from->tensors[i];
    }
    qsort(v, n, sizeof *v, by_layer);
    return n;
}

int
hop_transfer_by_order(const struct hop_st *from, const struct hop_net *net, float *weights,
                      const char *where, struct hop_transfer *t, struct hop_err *e)
{
    const struct hop_tensor **v = hop_alloc(from->n_tensors, sizeof(void *), e);
    char a[80], b[80];
    bool is_torch;
    size_t n, i;
    int rc = HOP_OK;

    *t = (struct hop_transfer){0};
    if (!v)
        return HOP_ENOMEM;
    n = sort_parts(from, v, &is_torch);
    for (i = 0; i < n && i < (size_t)net->n_weights && !rc; i++) {
        const struct hop_weight *w = &net->weights[i];

        if (load(v[i], w, is_torch, weights, t))
            continue;
        shape_of(v[i], a, sizeof a);
        hop_shape_text(&w->shape, b, sizeof b);
        rc = hop_fail(e, HOP_EFORMAT, where, "weights by order need a file of the same layers",
                      "tensor \"%.80s\" (%s %s) does not fit \"%.80s\" (%s)", v[i]->name,
                      v[i]->dtype_name, a, w->name, b);
    }
    for (; i < (size_t)net->n_weights && !rc; i++, t->n_missing++)
        hop_str_addf(&t->report, "missing, freshly drawn: %s\n", net->weights[i].name);
    for (i = (size_t)t->n_loaded; i < n && !rc; i++, t->n_left++)
        hop_str_addf(&t->report, "left in the file: %s\n", v[i]->name);
    free(v);
    return rc ? rc : hop_str_check(&t->report, e);
}

void
hop_transfer_clear(struct hop_transfer *t)
{
    hop_str_clear(&t->report);
}
