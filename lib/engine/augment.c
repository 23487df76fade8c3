#include "engine/augment.h"

#include <string.h>

struct hop_augment_map
hop_augment_map_of(const struct hop_layer *l, int i_layer)
{
    static const int ops[] = {[HOP_FLIP] = HOP_MAP_FLIP, [HOP_AFFINE] = HOP_MAP_AFFINE,
                              [HOP_CONTRAST] = HOP_MAP_CONTRAST, [HOP_CROP] = HOP_MAP_CROP};
    const struct hop_augment *p = l->params;
    struct hop_augment_map m = {
        .op = ops[p->kind], .flips_rows = p->flips_rows, .flips_columns = p->flips_columns,
        .zooms_evenly = p->zooms_evenly, .is_nearest = p->is_nearest, .fill = p->fill,
        .i_layer = i_layer, .H = l->in_shape.d[0], .W = l->in_shape.d[1], .C = l->in_shape.d[2],
        .H_out = l->out_shape.d[0], .W_out = l->out_shape.d[1], .fill_value = (float)p->fill_value};

    memcpy(m.shift_h, p->shift_h, sizeof m.shift_h);
    memcpy(m.shift_w, p->shift_w, sizeof m.shift_w);
    memcpy(m.turn, p->turn, sizeof m.turn);
    memcpy(m.zoom_h, p->zoom_h, sizeof m.zoom_h);
    memcpy(m.zoom_w, p->zoom_w, sizeof m.zoom_w);
    memcpy(m.contrast, p->contrast, sizeof m.contrast);
    return m;
}

void
hop_augment_image(const struct hop_layer *l, int i_layer, bool is_training, uint64_t key,
                  int64_t i, int64_t t, const float *x, float *y)
{
    struct hop_augment_map m = hop_augment_map_of(l, i_layer);
    struct hop_augment_fate f = {0};
    int64_t r, c, k;
    float mean;

    hop_augment_decide(&m, is_training, key, i, t, &f);
    if (f.is_copy) {
        memcpy(y, x, (size_t)hop_shape_len(&l->in_shape) * sizeof(float));
        return;
    }
    for (k = 0; k < m.C && m.op == HOP_MAP_CONTRAST; k++) {
        mean = hop_augment_mean(&m, x, k);
        for (r = 0; r < m.H_out; r++)
            for (c = 0; c < m.W_out; c++)
                y[(r * m.W_out + c) * m.C + k] = hop_augment_value(&m, &f, x, mean, r, c, k);
    }
    for (r = 0; r < m.H_out && m.op != HOP_MAP_CONTRAST; r++)
        for (c = 0; c < m.W_out; c++)
            for (k = 0; k < m.C; k++) /* what does not depend on k leaves the loop */
                *y++ = hop_augment_value(&m, &f, x, 0, r, c, k);
}
