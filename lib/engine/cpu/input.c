/* Examples into the layout of the net's input. */
#include "engine/cpu/plan.h"

void
hop_cpu_input_table(const struct hop_examples *x, int64_t c, float *table)
{
    for (int64_t i = 0; i < c; i++)
        for (int k = 0; k < 256; k++)
            table[i * 256 + k] = ((float)k - x->mean[i]) * x->inv_std[i];
}

static void
u8_row(const struct hop_data *d, const uint8_t *x, int64_t hw, int64_t block, float *to)
{
    int64_t C = d->c;

    for (int64_t c0 = 0; c0 < C; c0 += block)
        for (int64_t j = 0; j < hw; j++)
            for (int64_t c = c0; c < c0 + block; c++)
                *to++ = c < C ? d->table[c * 256 + x[j * C + c]] : 0.0f;
}

static void
f32_row(const struct hop_data *d, const float *x, int64_t hw, int64_t block, float *to)
{
    int64_t C = d->c;

    for (int64_t c0 = 0; c0 < C; c0 += block)
        for (int64_t j = 0; j < hw; j++)
            for (int64_t c = c0; c < c0 + block; c++)
                *to++ = c < C ? (x[j * C + c] - d->x.mean[c]) * d->x.inv_std[c] : 0.0f;
}

void
hop_cpu_input_row(const struct hop_data *d, int64_t from, const struct hop_cpu_value *v, int64_t to)
{
    int64_t hw = v->h * v->w, block = hop_dn_md_block(v->md);
    int64_t padded = (v->c + block - 1) / block * block;
    float *out = v->buf->p + to * padded * hw;

    if (d->x.is_u8)
        u8_row(d, (const uint8_t *)d->x.x + from * v->c * hw, hw, block, out);
    else
        f32_row(d, (const float *)d->x.x + from * v->c * hw, hw, block, out);
}
