#include "net/merge.h"

#include <string.h>

const char *const hop_merge_keys[] = {NULL};

int
hop_merge_parse(const struct hop_json *c, const char *where, struct hop_layer *l,
                struct hop_err *e)
{
    (void)c;
    (void)where;
    (void)l;
    (void)e;
    return HOP_OK;
}

int
hop_merge_shape(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e)
{
    char a[80], b[80];
    int k;

    (void)net;
    for (k = 1; k < l->n_in; k++)
        if (l->in_shapes[k].n_dims != l->in_shape.n_dims ||
            memcmp(l->in_shapes[k].d, l->in_shape.d,
                   (size_t)l->in_shape.n_dims * sizeof l->in_shape.d[0])) {
            hop_shape_text(&l->in_shape, a, sizeof a);
            hop_shape_text(&l->in_shapes[k], b, sizeof b);
            return hop_fail(e, HOP_EFORMAT, where, "all inputs must be of one shape",
                            "its inputs are %s and %s", a, b);
        }
    l->out_shape = l->in_shape;
    l->flops = (double)(l->n_in - 1) * (double)hop_shape_len(&l->in_shape);
    return HOP_OK;
}
