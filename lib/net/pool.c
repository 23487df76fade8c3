#include "net/pool.h"

const char *const hop_pool_keys[] = {"pool_size", "strides", "padding", "data_format", NULL};

int
hop_pool_parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    struct hop_pool2d *p = l->params;
    int64_t k[2], s[2];
    int rc;

    if ((rc = hop_layer_pair(c, "pool_size", 2, where, k, e)) ||
        (rc = hop_layer_pair(c, "strides", 0, where, s, e)))
        return rc;
    p->kh = k[0];
    p->kw = k[1];
    p->stride_h = s[0] ? s[0] : k[0]; /* Keras: strides default to pool_size */
    p->stride_w = s[1] ? s[1] : k[1];
    return HOP_OK;
}

int
hop_pool1d_parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    struct hop_pool2d *p = l->params;
    int rc;

    p->kh = p->stride_h = 1;
    if ((rc = hop_layer_size(c, "pool_size", 2, where, &p->kw, e)))
        return rc;
    return hop_layer_size(c, "strides", p->kw, where, &p->stride_w, e);
}

int
hop_pool1d_shape(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e)
{
    struct hop_pool2d *p = l->params;
    bool is_same;
    int rc;

    (void)net;
    if ((rc = hop_layer_sequence(l, where, e)) ||
        (rc = hop_layer_padding(l->config, where, &is_same, e)) ||
        (rc = hop_layer_window(l->in_shape.d[0], p->kw, p->stride_w, is_same, where,
                               &l->out_shape.d[0], &p->pad_left, &p->pad_right, e)))
        return rc;
    l->out_shape.n_dims = 2;
    l->out_shape.d[1] = l->in_shape.d[1];
    l->flops = (double)p->kw * (double)hop_shape_len(&l->out_shape);
    return HOP_OK;
}

int
hop_pool_shape(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e)
{
    struct hop_pool2d *p = l->params;
    bool is_same;
    int rc;

    (void)net;
    if ((rc = hop_layer_image(l, where, e)) ||
        (rc = hop_layer_padding(l->config, where, &is_same, e)) ||
        (rc = hop_layer_window(l->in_shape.d[0], p->kh, p->stride_h, is_same, where,
                               &l->out_shape.d[0], &p->pad_top, &p->pad_bottom, e)) ||
        (rc = hop_layer_window(l->in_shape.d[1], p->kw, p->stride_w, is_same, where,
                               &l->out_shape.d[1], &p->pad_left, &p->pad_right, e)))
        return rc;
    l->out_shape.n_dims = 3;
    l->out_shape.d[2] = l->in_shape.d[2];
    l->flops = (double)(p->kh * p->kw) * (double)hop_shape_len(&l->out_shape);
    return HOP_OK;
}

const char *const hop_global_pool_keys[] = {"data_format", "keepdims", NULL};

int
hop_global_pool_parse(const struct hop_json *c, const char *where, struct hop_layer *l,
                      struct hop_err *e)
{
    (void)l;
    return hop_layer_only(c, "keepdims", "false", where, e);
}

static void
pool_all(struct hop_layer *l)
{
    l->out_shape = (struct hop_shape){1, {l->in_shape.d[l->in_shape.n_dims - 1]}};
    l->flops = (double)hop_shape_len(&l->in_shape);
}

int
hop_global_pool_shape(struct hop_net *net, struct hop_layer *l, const char *where,
                      struct hop_err *e)
{
    (void)net;
    pool_all(l);
    return hop_layer_image(l, where, e);
}

int
hop_global_pool1d_shape(struct hop_net *net, struct hop_layer *l, const char *where,
                        struct hop_err *e)
{
    (void)net;
    pool_all(l);
    return hop_layer_sequence(l, where, e);
}
