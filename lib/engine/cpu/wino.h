/* wino - 3x3 convolutions of stride 1 by Winograd's way, F(4x4, 3x3), for CPUs with AVX-512.
 *
 * A tile of 4x4 outputs comes from 6x6 inputs: both kernel and input are taken to 36 points, where
 * a convolution is a product of matrices (tiles x c) (c x k): 36 multiplications in place of 144.
 * Points 0, +-5/8, +-3/2 and infinity: with 0, +-1, +-2 errors are twice as large. Tiles go
 * through in blocks that stay in the second-level cache. Change the arithmetic, and the fingerprint's
 * "wino1" in device.c changes.
 * Source: Lavin and Gray, arXiv:1509.09308; how points are chosen: Alam et al., doi:10.1145/3524069.
 *
 * Activations are [n][c/16][h][w][16] (oneDNN's nChw16c), kernels [k/16][c/16][3][3][16c][16k]
 * (OIhw16i16o), float32; channels are padded to 16, and what pads them is 0 and comes out 0. Results
 * do not depend on the number of threads.
 */
#ifndef HOP_ENGINE_CPU_WINO_H
#define HOP_ENGINE_CPU_WINO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hop_cpu_wino {
    int64_t n, c, h, w; /* images; channels, a multiple of 16, rows and columns of the input */
    int64_t k, p, q;    /* channels, a multiple of 16, rows and columns of the output */
    int64_t top, left;  /* padding; what p and q go beyond at the other end is padding, too */
};

bool hop_cpu_wino_can(void); /* has this CPU the instructions? */

/* hop_cpu_wino_points - floats of a kernel at the 36 points. */
size_t hop_cpu_wino_points(const struct hop_cpu_wino *s);

/* hop_cpu_wino_room - floats of scratch memory for a pass over any of n_threads threads. */
size_t hop_cpu_wino_room(const struct hop_cpu_wino *s, int n_threads);

/* hop_cpu_wino_kernel - kernel w to u, overwritten, for hop_cpu_wino_forward with the same s. is_back:
 * w as the convolution had it whose gradient of data s describes, s with input and output changed. */
void hop_cpu_wino_kernel(const struct hop_cpu_wino *s, const float *w, bool is_back, float *u);

/* hop_cpu_wino_back - the convolution that makes the gradient of s's input from that of its output. */
struct hop_cpu_wino hop_cpu_wino_back(const struct hop_cpu_wino *s);

/* What comes after the sums; each may be missing. */
struct hop_cpu_wino_end {
    const float *bias; /* [k] */
    bool has_relu;
    const float *relu_of; /* as y: 0 where this is not positive (a ReLU's backward pass) */
};

/* hop_cpu_wino_forward - y overwritten: x * kernel, and what comes after. */
void hop_cpu_wino_forward(const struct hop_cpu_wino *s, const float *x, const float *u,
                          const struct hop_cpu_wino_end *end, float *y, float *room);

/* hop_cpu_wino_weights - the gradients of kernel and bias (NULL: not wanted), overwritten, from input x
 * and gradient dy of the output. Sums of float32 in blocks of tiles. */
void hop_cpu_wino_weights(const struct hop_cpu_wino *s, const float *x, const float *dy, float *dw,
                          float *dbias, float *room);

#endif
