#include "net/augment.h"

#include <string.h>

int
hop_augment_factor(const struct hop_json *config, const char *key, bool is_needed,
                   const char *where, double out[2], struct hop_err *e)
{
    const struct hop_json *v = hop_json_get(config, key), *x;
    int i;

    if (hop_json_kind(v) == HOP_JSON_NULL)
        return is_needed ? hop_fail(e, HOP_EFORMAT, where, NULL, "\"%s\" is missing", key) : HOP_OK;
    for (i = 0; i < 2; i++) {
        x = hop_json_kind(v) == HOP_JSON_ARRAY ? hop_json_at(v, (size_t)i) : v;
        if (hop_json_kind(x) != HOP_JSON_INT && hop_json_kind(x) != HOP_JSON_REAL)
            return hop_fail(e, HOP_EFORMAT, where, "a number, or [low, high]",
                            "\"%s\" is no factor", key);
        out[i] = hop_json_real(x);
    }
    if (hop_json_kind(v) != HOP_JSON_ARRAY)
        out[0] = -out[1];
    if (out[0] > out[1] || out[0] < -10 || out[1] > 10)
        return hop_fail(e, HOP_EFORMAT, where, "low <= high, both within -10 to 10",
                        "\"%s\" is no range", key);
    return HOP_OK;
}

int
hop_augment_fill(const struct hop_json *config, const char *where, struct hop_augment *p,
                 struct hop_err *e)
{
    static const char *const fills[] = {"reflect", "wrap", "constant", "nearest"};
    const char *fill = "reflect", *interpolation = "bilinear";
    size_t i;
    int rc;

    if ((rc = hop_json_get_str(config, "fill_mode", false, where, &fill, e)) ||
        (rc = hop_json_get_str(config, "interpolation", false, where, &interpolation, e)) ||
        (rc = hop_json_get_real(config, "fill_value", false, 0, 0, where, &p->fill_value, e)))
        return rc;
    for (i = 0; i < HOP_LEN(fills) && strcmp(fill, fills[i]); i++)
        ;
    if (i == HOP_LEN(fills))
        return hop_fail(e, HOP_EFORMAT, where, "reflect, wrap, constant, nearest",
                        "unknown fill_mode \"%.40s\"", fill);
    p->fill = fill[0];
    p->is_nearest = !strcmp(interpolation, "nearest");
    if (!p->is_nearest && strcmp(interpolation, "bilinear"))
        return hop_fail(e, HOP_EFORMAT, where, "bilinear, nearest",
                        "unknown interpolation \"%.40s\"", interpolation);
    return HOP_OK;
}

int
hop_augment_shape(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e)
{
    int rc = hop_layer_image(l, where, e);

    l->out_shape = l->in_shape;
    l->flops = 10.0 * (double)hop_shape_len(&l->in_shape);
    if (!rc && net->n_weights)
        rc = hop_fail(e, HOP_EFORMAT, where, "put it before the first layer that learns",
                      "no gradient passes through it");
    return rc;
}
