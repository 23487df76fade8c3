/* norm_back - the backward pass of a batch normalization together with that of the ReLU before it,
 * whose output is the normalization's input: the library would write the gradient between them only
 * to read it again. */
#ifndef HOP_ENGINE_CPU_NORM_BACK_H
#define HOP_ENGINE_CPU_NORM_BACK_H

#include <stdbool.h>
#include <stdint.h>

enum { HOP_CPU_NORM_LANES = 16 }; /* channels done at once */

struct hop_cpu_norm_back {
    int64_t n, hw, c, block; /* layout as hop_dn_md_block tells; a multiple of the lanes */
    bool is_bf16;            /* x, dy, dx; else float32 */
    float epsilon;
    const float *mean, *variance; /* [c] of the batch */
    const float *gamma;           /* [c]; NULL = ones */
    float *dgamma, *dbeta;        /* [c] overwritten, or NULL */
    const void *x;                /* >= 0: what the ReLU gave */
    const void *dy;
    void *dx; /* overwritten: gradient of the ReLU's input */
};

void hop_cpu_norm_back(const struct hop_cpu_norm_back *s);

#endif
