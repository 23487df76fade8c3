#include "engine/cpu/split.h"

#include <stddef.h>
#include "base/err.h"

enum { N_PASSES = 3, UNKNOWN = 130, PER_PART = 30 };

/* Time per example in percent of the best size's: medians over the Winograd convolutions of nets 1
 * and 2, one thread, Zen 5 (1 MiB of L2), oneDNN 2.6 (DNNL_VERBOSE=1 with bench_train). A table, not
 * a timing here and now, since bits depend on the sizes. PER_PART: percent of an example's time. */
static const struct {
    int64_t n;
    int costs[N_PASSES]; /* forward, of data, of weights */
} sizes[] = {
    {10, {104, 117, 106}}, {13, {106, 115, 106}}, {15, {114, 125, 111}}, {16, {109, 124, 120}},
    {17, {106, 109, 104}}, {18, {111, 118, 113}}, {19, {103, 109, 110}}, {20, {103, 108, 108}},
    {21, {105, 109, 106}}, {22, {103, 108, 103}}, {23, {103, 109, 112}}, {24, {104, 111, 107}},
    {25, {102, 106, 106}}, {26, {100, 102, 100}}, {27, {102, 105, 106}}, {28, {100, 100, 105}},
    {29, {101, 104, 112}}, {30, {112, 119, 110}}, {31, {112, 116, 112}}, {32, {105, 116, 135}},
    {33, {103, 110, 109}}, {35, {101, 105, 110}}, {36, {102, 109, 111}}, {39, {102, 107, 108}},
    {42, {102, 105, 115}},
};

static int64_t
cost(size_t i, unsigned passes)
{
    int64_t sum = 0;

    for (unsigned k = 0; k < N_PASSES; k++)
        sum += passes >> k & 1 ? sizes[i].costs[k] : 0;
    return sum;
}

static int64_t
cost_of_one(int64_t n, unsigned passes)
{
    int64_t sum = 0;

    for (size_t i = 0; i < HOP_LEN(sizes); i++)
        if (sizes[i].n == n)
            return n * cost(i, passes);
    for (unsigned k = 0; k < N_PASSES; k++)
        sum += passes >> k & 1 ? UNKNOWN : 0;
    return n * sum;
}

void
hop_cpu_split(int64_t n, unsigned passes, int64_t least, struct hop_cpu_split *out)
{
    int64_t best = cost_of_one(n, passes) + PER_PART, now, m;

    *out = (struct hop_cpu_split){{n, 0}, {1, 0}};
    for (size_t i = 0; i < HOP_LEN(sizes); i++)
        for (size_t j = 0; j < HOP_LEN(sizes); j++)
            for (int64_t k = 1; sizes[i].n >= least && sizes[j].n >= least; k++) {
                if ((m = n - k * sizes[i].n) < 0)
                    break;
                now = k * (sizes[i].n * cost(i, passes) + PER_PART) +
                      m / sizes[j].n * (sizes[j].n * cost(j, passes) + PER_PART);
                if (m % sizes[j].n || m / sizes[j].n > k || now >= best)
                    continue;
                best = now;
                *out = (struct hop_cpu_split){{sizes[i].n, m ? sizes[j].n : 0},
                                              {k, m / sizes[j].n}};
            }
}
