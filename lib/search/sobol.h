/* sobol - points that fill the unit cube evenly, scrambled by a seed.
 *
 * Sobol's sequence in base 2 with the direction numbers of Joe and Kuo (sobol_numbers.c), in the plain
 * order of its index (no Gray code), scrambled by Owen's nested uniform scrambling: each binary digit
 * is flipped by a fair coin that depends on the digits before it and on nothing else. So every block of
 * 2^m points that begins at a multiple of 2^m has one point in each of the 2^m equal intervals of every
 * dimension, and every single point is uniform in the cube.
 * The coins are Philox's (base/rng.h), keyed by the seed: any point can be had without those before it.
 * Sources: Sobol', USSR Comput. Math. Math. Phys. 7 (1967); Owen, "Randomly permuted (t,m,s)-nets and
 * (t,s)-sequences", 1995.
 */
#ifndef HOP_SEARCH_SOBOL_H
#define HOP_SEARCH_SOBOL_H

#include <stdint.h>

enum { HOP_SOBOL_MAX_DIMS = 256 };

/* hop_sobol_bits - 32 binary digits of coordinate `dim` (from 0, below HOP_SOBOL_MAX_DIMS) of point
 * `index` (from 0), not scrambled: the coordinate is the result / 2^32. */
uint32_t hop_sobol_bits(uint32_t index, int dim);

/* hop_sobol_at - the same, scrambled by the stream `key` (hop_rng_key), inside (0, 1). */
double hop_sobol_at(uint64_t key, uint32_t index, int dim);

/* The published numbers, [dimension - 2] and the initial numbers of all dimensions in a row. */
extern const uint16_t hop_sobol_polynomials[HOP_SOBOL_MAX_DIMS - 1];
extern const uint16_t hop_sobol_initials[];

#endif
