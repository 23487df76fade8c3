/* Rescaling: y = x * scale + offset, one number each. */
#include <stdlib.h>

#include "base/mem.h"
#include "net/layer.h"

static const char *const keys[] = {"scale", "offset", NULL};

static int
parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    struct hop_rescaling *p = l->params;
    double scale = 1, offset = 0;
    int rc;

    if ((rc = hop_json_get_real(c, "scale", true, 0, 0, where, &scale, e)) ||
        (rc = hop_json_get_real(c, "offset", false, 0, 0, where, &offset, e)))
        return rc;
    p->n = 1;
    if (!(p->scale = hop_alloc(1, sizeof(float), e)) ||
        !(p->offset = hop_alloc(1, sizeof(float), e)))
        return HOP_ENOMEM;
    p->scale[0] = (float)scale;
    p->offset[0] = (float)offset;
    return HOP_OK;
}

static int
shape(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e)
{
    (void)net;
    (void)where;
    (void)e;
    l->out_shape = l->in_shape;
    l->flops = 2.0 * (double)hop_shape_len(&l->in_shape);
    return HOP_OK;
}

static void
free_params(void *params)
{
    struct hop_rescaling *p = params;

    free(p->scale);
    free(p->offset);
}

const struct hop_layer_kind hop_layer_rescaling = {
    "Rescaling", NULL, "Rescaling", "rescaling", keys, sizeof(struct hop_rescaling), parse, shape, free_params,
};
