#include "engine/cpu/wino.h"

#include <omp.h>
#include <string.h>
#include "engine/cpu/plan.h"

enum {
    L = 16,      /* channels in a block, and in a vector */
    POINTS = 36, /* of a tile */
    ROWS = 8,    /* rows of a product made at once, with ... */
    PANEL = 32,  /* ... as many columns; the last panel may be half as wide */
    WHOLE = 56,  /* tiles of a block of the weights' gradient */
    FAR = 1 << 19, /* floats of input and output that do not stay in the last cache */
    SPARE = 16   /* floats between points, lest all fall on the same sets of the cache */
};

typedef float reals __attribute__((vector_size(4 * L)));
typedef int32_t words __attribute__((vector_size(4 * L)));

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define WIDE __attribute__((target("avx512f")))

WIDE static inline __attribute__((always_inline)) reals
fma_(reals a, reals b, reals c)
{
    return (reals)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}

bool
hop_cpu_wino_can(void)
{
    return __builtin_cpu_supports("avx512f");
}
#else
#define WIDE

static inline reals
fma_(reals a, reals b, reals c)
{
    return a * b + c;
}

bool
hop_cpu_wino_can(void)
{
    return false;
}
#endif

#define ALWAYS WIDE static inline __attribute__((always_inline))

ALWAYS reals
load(const float *p)
{
    reals v;

    memcpy(&v, p, sizeof v);
    return v;
}

ALWAYS void
store(float *p, reals v)
{
    memcpy(p, &v, sizeof v);
}

ALWAYS reals
splat(float x)
{
    return (reals){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
}

/* 0 where v < 0; a NaN stays one. */
ALWAYS reals
relu(reals v)
{
    words is_less = v < 0.0f;

    return (reals)((words)v & ~is_less);
}

/* v where x > 0, else 0 */
ALWAYS reals
where_positive(reals x, reals v)
{
    words is_more = x > 0.0f;

    return (reals)((words)v & is_more);
}

/* a * b + c */
ALWAYS reals
mul_add(float a, reals b, reals c)
{
    return fma_(splat(a), b, c);
}

/* ---- 1 to the points and back ---- */

#define A  0.625f
#define B  1.5f
#define A2 (A * A)
#define B2 (B * B)
#define AB (A2 * B2)
#define S2 (A2 + B2)
#define NA (1.0f / (2 * A2 * (A2 - B2)))
#define NB (1.0f / (2 * B2 * (B2 - A2)))

/* Six inputs to the points. */
ALWAYS void
to_points(const reals d[6], reals v[6])
{
    reals p = mul_add(-B2, d[2], d[4]), q = mul_add(-B2, d[1], d[3]);
    reals r = mul_add(-A2, d[2], d[4]), s = mul_add(-A2, d[1], d[3]);

    v[0] = mul_add(AB, d[0], mul_add(-S2, d[2], d[4]));
    v[1] = mul_add(A, q, p);
    v[2] = mul_add(-A, q, p);
    v[3] = mul_add(B, s, r);
    v[4] = mul_add(-B, s, r);
    v[5] = mul_add(AB, d[1], mul_add(-S2, d[3], d[5]));
}

/* Six points to four outputs. */
ALWAYS void
from_points(const reals m[6], reals y[4])
{
    reals s1 = m[1] + m[2], d1 = m[1] - m[2], s2 = m[3] + m[4], d2 = m[3] - m[4];

    y[0] = m[0] + (s1 + s2);
    y[1] = mul_add(B, d2, A * d1);
    y[2] = mul_add(B2, s2, A2 * s1);
    y[3] = mul_add(B * B2, d2, mul_add(A * A2, d1, m[5]));
}

/* The transpose of that: gradients of four outputs to the points. */
ALWAYS void
outputs_to_points(const reals y[4], reals v[6])
{
    reals p = mul_add(A2, y[2], y[0]), q = A * mul_add(A2, y[3], y[1]);
    reals r = mul_add(B2, y[2], y[0]), s = B * mul_add(B2, y[3], y[1]);

    v[0] = y[0];
    v[1] = p + q;
    v[2] = p - q;
    v[3] = r + s;
    v[4] = r - s;
    v[5] = y[3];
}

/* Three taps of a kernel to the points. */
ALWAYS void
taps_to_points(const reals g[3], reals v[6])
{
    reals p = NA * mul_add(A2, g[2], g[0]), q = (NA * A) * g[1];
    reals r = NB * mul_add(B2, g[2], g[0]), s = (NB * B) * g[1];

    v[0] = g[0] * (1.0f / AB);
    v[1] = p + q;
    v[2] = p - q;
    v[3] = r + s;
    v[4] = r - s;
    v[5] = g[2];
}

/* The transpose of that. */
ALWAYS void
points_to_taps(const reals v[6], reals g[3])
{
    reals s1 = NA * (v[1] + v[2]), d1 = NA * (v[1] - v[2]);
    reals s2 = NB * (v[3] + v[4]), d2 = NB * (v[3] - v[4]);

    g[0] = mul_add(1.0f / AB, v[0], s1 + s2);
    g[1] = mul_add(B, d2, A * d1);
    g[2] = mul_add(B2, s2, mul_add(A2, s1, v[5]));
}

/* ---- 2 tiles ---- */

struct tile {
    int64_t n, y, x; /* image; its first output's row and column */
};

/* Where things lie: tiles of an image, points in scratch memory. */
struct grid {
    int64_t rows, cols, n; /* tiles of an image; of all */
};

static struct grid
grid(const struct hop_cpu_wino *s)
{
    int64_t rows = (s->p + 3) / 4, cols = (s->q + 3) / 4;

    return (struct grid){rows, cols, s->n * rows * cols};
}

ALWAYS struct tile
tile(const struct grid *g, int64_t t)
{
    int64_t in_image = t % (g->rows * g->cols);

    return (struct tile){t / (g->rows * g->cols), in_image / g->cols * 4, in_image % g->cols * 4};
}

/* The 6x6 inputs of a tile, one block of channels, to v[point * step]. x: that block of the image. */
WIDE static void
input_tile(const struct hop_cpu_wino *s, const float *x, const struct tile *t, float *v, size_t step)
{
    int64_t y0 = t->y - s->top, x0 = t->x - s->left;
    bool is_inside = y0 >= 0 && x0 >= 0 && y0 + 6 <= s->h && x0 + 6 <= s->w;
    reals rows[6][6], d[6], o[6];

    for (int64_t i = 0; i < 6; i++) {
        const float *from = x + ((y0 + i) * s->w + x0) * L;
        bool is_row = y0 + i >= 0 && y0 + i < s->h;

        if (is_inside)
            for (int j = 0; j < 6; j++)
                d[j] = load(from + j * L);
        else
            for (int j = 0; j < 6; j++)
                d[j] = is_row && x0 + j >= 0 && x0 + j < s->w ? load(from + j * L) : (reals){0};
        to_points(d, rows[i]);
    }
    for (int j = 0; j < 6; j++) {
        for (int i = 0; i < 6; i++)
            d[i] = rows[i][j];
        to_points(d, o);
        for (int i = 0; i < 6; i++)
            store(v + (size_t)(i * 6 + j) * step, o[i]);
    }
}

/* The 4x4 gradients dy of a tile to v[point * step]; their sum is added to *sum. */
WIDE static void
gradient_tile(const struct hop_cpu_wino *s, const float *dy, const struct tile *t, float *v,
              size_t step, reals *sum)
{
    reals rows[4][6], d[4], o[6];

    for (int64_t i = 0; i < 4; i++) {
        for (int64_t j = 0; j < 4; j++) {
            d[j] = t->y + i < s->p && t->x + j < s->q
                       ? load(dy + ((t->y + i) * s->q + t->x + j) * L)
                       : (reals){0};
            *sum += d[j];
        }
        outputs_to_points(d, rows[i]);
    }
    for (int j = 0; j < 6; j++) {
        for (int i = 0; i < 4; i++)
            d[i] = rows[i][j];
        outputs_to_points(d, o);
        for (int i = 0; i < 6; i++)
            store(v + (size_t)(i * 6 + j) * step, o[i]);
    }
}

/* m[point * step] to the 4x4 outputs of a tile; y, and end's arrays, from that block of channels of the
 * image on. */
WIDE static void
output_tile(const struct hop_cpu_wino *s, const float *m, size_t step, const struct tile *t,
            const struct hop_cpu_wino_end *end, float *y)
{
    reals bias = end->bias ? load(end->bias) : (reals){0};
    reals cols[6][4], d[6], o[4];

    for (int i = 0; i < 6; i++) {
        for (int j = 0; j < 6; j++)
            d[j] = load(m + (size_t)(i * 6 + j) * step);
        from_points(d, cols[i]);
    }
    for (int64_t j = 0; j < 4 && t->x + j < s->q; j++) {
        for (int i = 0; i < 6; i++)
            d[i] = cols[i][j];
        from_points(d, o);
        for (int64_t i = 0; i < 4 && t->y + i < s->p; i++) {
            int64_t at = ((t->y + i) * s->q + t->x + j) * L;

            o[i] += bias;
            if (end->has_relu)
                o[i] = relu(o[i]);
            if (end->relu_of)
                o[i] = where_positive(load(end->relu_of + at), o[i]);
            store(y + at, o[i]);
        }
    }
}

/* What tiles will read, asked for a few lines of the cache at a time while products of matrices are made:
 * memory has nothing else to do then, and tiles come too short a way along each row for the processor
 * to foresee them. */
struct ahead {
    const float *x; /* [n][blocks][h][w][16] */
    int64_t blocks, h, w, below; /* below: of a tile's first output lies the first row that is new */
    struct grid g;
    int64_t row, last, b, i; /* row of tiles; block of channels; 0 to 3 in the tile */
    const float *at, *end;   /* what is left of a row of pixels */
    int64_t each;            /* lines at a time */
};

/* Of the n tiles from t0 on, in n_times times. */
static struct ahead
ahead(const struct hop_cpu_wino *s, bool is_output, const float *x, int64_t t0, int64_t n,
      int64_t n_times)
{
    struct ahead a = {.x = x, .g = grid(s)};

    a.blocks = (is_output ? s->k : s->c) / L;
    a.h = is_output ? s->p : s->h;
    a.w = is_output ? s->q : s->w;
    a.below = is_output ? 0 : 2 - s->top;
    n = a.g.n - t0 < n ? a.g.n - t0 : n;
    a.row = t0 / a.g.cols;
    a.last = n > 0 ? (t0 + n - 1) / a.g.cols : -1;
    a.i = -1;
    a.each = (4 * a.blocks * (a.last - a.row + 1) * a.w + n_times - 1) / n_times;
    if (s->n * (s->c * s->h * s->w + s->k * s->p * s->q) < FAR)
        a.last = -1;
    return a;
}

/* The next row of pixels; false: there is none. */
static bool
ahead_row(struct ahead *a)
{
    int64_t y;

    if (++a->i == 4) {
        a->i = 0;
        if (++a->b == a->blocks) {
            a->b = 0;
            a->row++;
        }
    }
    y = a->row % a->g.rows * 4 + a->i + a->below;
    a->at = a->x + ((a->row / a->g.rows * a->blocks + a->b) * a->h + y) * a->w * L;
    a->end = y < a->h ? a->at + a->w * L : a->at;
    return a->row <= a->last;
}

ALWAYS void
ahead_some(struct ahead *a)
{
    for (int64_t n = a->row <= a->last ? a->each : 0; n > 0;) {
        if (a->at == a->end) {
            if (!ahead_row(a))
                return;
            continue;
        }
        __builtin_prefetch(a->at, 0, 2);
        a->at += L;
        n--;
    }
}

/* ---- 3 kernels ---- */

static size_t
n_points(int64_t c, int64_t k)
{
    return (size_t)(POINTS * c * k);
}

size_t
hop_cpu_wino_points(const struct hop_cpu_wino *s)
{
    return n_points(s->c, s->k);
}

/* Kernels at a point are panels of PANEL columns, [c][PANEL] each: where block k of row c is. */
ALWAYS int64_t
in_panels(const struct hop_cpu_wino *s, int64_t c, int64_t block)
{
    int64_t at = block * L / PANEL * PANEL, width = s->k - at < PANEL ? s->k - at : PANEL;

    return at * s->c + c * width + block * L % PANEL;
}

/* One row c, 16 columns. w: 9 taps, `step` floats apart. */
ALWAYS void
kernel_to_points(const reals w[9], float *u, size_t step)
{
    reals rows[3][6], d[3], o[6];

    for (int i = 0; i < 3; i++)
        taps_to_points(w + 3 * i, rows[i]);
    for (int j = 0; j < 6; j++) {
        for (int i = 0; i < 3; i++)
            d[i] = rows[i][j];
        taps_to_points(d, o);
        for (int i = 0; i < 6; i++)
            store(u + (size_t)(i * 6 + j) * step, o[i]);
    }
}

/* Forward: w is [k/16][c/16][3][3][16c][16k]. */
WIDE static void
kernel_row(const struct hop_cpu_wino *s, const float *w, int64_t c, float *u)
{
    size_t step = (size_t)(s->c * s->k);
    reals taps[9];

    for (int64_t block = 0; block < s->k / L; block++) {
        const float *from = w + ((block * (s->c / L) + c / L) * 9 * L + c % L) * L;

        for (int i = 0; i < 9; i++)
            taps[i] = load(from + i * L * L);
        kernel_to_points(taps, u + in_panels(s, c, block), step);
    }
}

/* Back: s->c is what w calls k, and the other way round; taps from the last to the first. */
WIDE static void
kernel_row_back(const struct hop_cpu_wino *s, const float *w, int64_t c, float *u)
{
    size_t step = (size_t)(s->c * s->k);
    reals taps[9];

    for (int64_t block = 0; block < s->k / L; block++) {
        const float *from = w + ((c / L * (s->k / L) + block) * 9) * L * L + c % L;

        for (int i = 0; i < 9; i++)
            for (int j = 0; j < L; j++)
                taps[8 - i][j] = from[(i * L + j) * L];
        kernel_to_points(taps, u + in_panels(s, c, block), step);
    }
}

void
hop_cpu_wino_kernel(const struct hop_cpu_wino *s, const float *w, bool is_back, float *u)
{
#pragma omp parallel for schedule(static)
    for (int64_t c = 0; c < s->c; c++) {
        if (is_back)
            kernel_row_back(s, w, c, u);
        else
            kernel_row(s, w, c, u);
    }
}

struct hop_cpu_wino
hop_cpu_wino_back(const struct hop_cpu_wino *s)
{
    return (struct hop_cpu_wino){.n = s->n, .c = s->k, .h = s->p, .w = s->q, .k = s->c, .p = s->h,
                                 .q = s->w, .top = 2 - s->top, .left = 2 - s->left};
}

/* ---- 4 forward ---- */

/* m [ROWS][ldm] = a [ROWS][lda] * b [c][width], columns of whole vectors. */
#define PRODUCT(name, N)                                                                           \
    ALWAYS void name(int64_t c, const float *a, int64_t lda, const float *b, float *m, int64_t ldm) \
    {                                                                                              \
        reals acc[ROWS][N] = {{{0}}}, x[N], y;                                                     \
                                                                                                   \
        for (int64_t i = 0; i < c; i++) {                                                          \
            for (int j = 0; j < N; j++)                                                            \
                x[j] = load(b + (i * N + j) * L);                                                  \
            for (int r = 0; r < ROWS; r++) {                                                       \
                y = splat(a[r * lda + i]);                                                         \
                for (int j = 0; j < N; j++)                                                        \
                    acc[r][j] = fma_(y, x[j], acc[r][j]);                                          \
            }                                                                                      \
        }                                                                                          \
        for (int r = 0; r < ROWS; r++)                                                             \
            for (int j = 0; j < N; j++)                                                            \
                store(m + r * ldm + j * L, acc[r][j]);                                             \
    }
PRODUCT(product_2, 2)
PRODUCT(product_1, 1)

/* m [n][k] = v [n][c] * u, n a multiple of ROWS. */
WIDE static void
multiply(const struct hop_cpu_wino *s, int64_t n, const float *v, const float *u, float *m,
         struct ahead next[2])
{
    for (int64_t k = 0; k < s->k; k += PANEL) {
        const float *panel = u + k * s->c;

        for (int64_t t = 0; t < n; t += ROWS) {
            if (s->k - k >= PANEL)
                product_2(s->c, v + t * s->c, s->c, panel, m + t * s->k + k, s->k);
            else
                product_1(s->c, v + t * s->c, s->c, panel, m + t * s->k + k, s->k);
            ahead_some(&next[0]);
            ahead_some(&next[1]);
        }
    }
}

static int64_t
n_panels(const struct hop_cpu_wino *s)
{
    return (s->k + PANEL - 1) / PANEL;
}

/* Tiles of a block: so many that both products and factors of all points fit the cache. */
static int64_t
block_size(const struct hop_cpu_wino *s)
{
    return s->c + s->k <= 64 ? 56 : s->c + s->k <= 128 ? 32 : 48;
}

/* Tiles t0 .. t0 + n - 1, of a block of `most`. */
WIDE static void
forward_block(const struct hop_cpu_wino *s, int64_t t0, int64_t n, int64_t most, const float *x,
              const float *u, const struct hop_cpu_wino_end *end, float *y, float *room)
{
    size_t step_v = (size_t)(most * s->c + SPARE), step_m = (size_t)(most * s->k + SPARE);
    float *v = room, *m = room + POINTS * step_v;
    int64_t hw = s->h * s->w * L, pq = s->p * s->q * L, n_rows = (n + ROWS - 1) / ROWS * ROWS;
    struct ahead next[] = {ahead(s, true, y, t0, n, POINTS * n_panels(s) * n_rows / ROWS),
                           ahead(s, false, x, t0 + n, n, POINTS * n_panels(s) * n_rows / ROWS)};
    struct grid g = grid(s);
    struct tile t;

    for (int64_t i = 0; i < n; i++) {
        t = tile(&g, t0 + i);
        for (int64_t b = 0; b < s->c / L; b++)
            input_tile(s, x + (t.n * (s->c / L) + b) * hw, &t, v + i * s->c + b * L, step_v);
    }
    for (size_t i = 0; i < POINTS; i++)
        multiply(s, n_rows, v + i * step_v, u + (int64_t)i * s->c * s->k, m + i * step_m, next);
    for (int64_t i = 0; i < n; i++) {
        t = tile(&g, t0 + i);
        for (int64_t b = 0; b < s->k / L; b++) {
            int64_t at = (t.n * (s->k / L) + b) * pq;
            struct hop_cpu_wino_end here = {end->bias ? end->bias + b * L : NULL, end->has_relu,
                                            end->relu_of ? end->relu_of + at : NULL};

            output_tile(s, m + i * s->k + b * L, step_m, &t, &here, y + at);
        }
    }
}

static size_t
forward_room(const struct hop_cpu_wino *s)
{
    return (size_t)(POINTS * (block_size(s) * (s->c + s->k) + 2 * SPARE));
}

void
hop_cpu_wino_forward(const struct hop_cpu_wino *s, const float *x, const float *u,
                     const struct hop_cpu_wino_end *end, float *y, float *room)
{
    int64_t n_tiles = grid(s).n, most = block_size(s);
    size_t each = forward_room(s);

#pragma omp parallel for schedule(static)
    for (int64_t t = 0; t < n_tiles; t += most)
        forward_block(s, t, n_tiles - t < most ? n_tiles - t : most, most, x, u, end, y,
                      room + (size_t)omp_get_thread_num() * each);
}

/* ---- 5 gradient of weights ---- */

/* sums [ROWS][width] += a' [n][ROWS]' * b [n][ldb], columns of whole vectors. */
#define PRODUCT_T(name, N)                                                                         \
    ALWAYS void name(int64_t n, const float *a, int64_t lda, const float *b, int64_t ldb,         \
                     float *sums)                                                                  \
    {                                                                                              \
        reals acc[ROWS][N] = {{{0}}}, x[N], y;                                                     \
                                                                                                   \
        for (int64_t i = 0; i < n; i++) {                                                          \
            for (int j = 0; j < N; j++)                                                            \
                x[j] = load(b + i * ldb + j * L);                                                  \
            for (int r = 0; r < ROWS; r++) {                                                       \
                y = splat(a[i * lda + r]);                                                         \
                for (int j = 0; j < N; j++)                                                        \
                    acc[r][j] = fma_(y, x[j], acc[r][j]);                                          \
            }                                                                                      \
        }                                                                                          \
        for (int r = 0; r < ROWS; r++)                                                             \
            for (int j = 0; j < N; j++) {                                                          \
                float *to = sums + (r * N + j) * L;                                                \
                                                                                                   \
                store(to, load(to) + acc[r][j]);                                                   \
            }                                                                                      \
    }
PRODUCT_T(product_t_2, 2)
PRODUCT_T(product_t_1, 1)

/* sums (panels, as kernels) += v' [n][c]' * d [n][k] */
WIDE static void
multiply_t(const struct hop_cpu_wino *s, int64_t n, const float *v, const float *d, float *sums,
           struct ahead next[2])
{
    for (int64_t k = 0; k < s->k; k += PANEL) {
        float *panel = sums + k * s->c;

        for (int64_t c = 0; c < s->c; c += ROWS) {
            if (s->k - k >= PANEL)
                product_t_2(n, v + c, s->c, d + k, s->k, panel + c * PANEL);
            else
                product_t_1(n, v + c, s->c, d + k, s->k, panel + c * L);
            ahead_some(&next[0]);
            ahead_some(&next[1]);
        }
    }
}

/* to [k] += the sum over the rows of from [n][k] */
WIDE static void
add_biases(int64_t n, int64_t k, const float *from, float *to)
{
    for (int64_t b = 0; b < k; b += L) {
        reals sum = {0};

        for (int64_t i = 0; i < n; i++)
            sum += load(from + i * k + b);
        store(to + b, load(to + b) + sum);
    }
}

/* Row c of the kernel's gradient, from the sums at the points. */
WIDE static void
taps_row(const struct hop_cpu_wino *s, const float *sums, int64_t c, float *dw)
{
    size_t step = (size_t)(s->c * s->k);
    reals cols[6][3], d[6], o[3];

    for (int64_t block = 0; block < s->k / L; block++) {
        const float *from = sums + in_panels(s, c, block);
        float *to = dw + ((block * (s->c / L) + c / L) * 9 * L + c % L) * L;

        for (int i = 0; i < 6; i++) {
            for (int j = 0; j < 6; j++)
                d[j] = load(from + (size_t)(i * 6 + j) * step);
            points_to_taps(d, cols[i]);
        }
        for (int j = 0; j < 3; j++) {
            for (int i = 0; i < 6; i++)
                d[i] = cols[i][j];
            points_to_taps(d, o);
            for (int i = 0; i < 3; i++)
                store(to + (i * 3 + j) * L * L, o[i]);
        }
    }
}

/* Tile t, number i of its block; bias sums of that tile's channels to `bias`. */
WIDE static void
factors(const struct hop_cpu_wino *s, const struct grid *g, int64_t number, const float *x,
        const float *dy, float *v, float *d, float *bias)
{
    size_t step_v = (size_t)(WHOLE * s->c + SPARE), step_d = (size_t)(WHOLE * s->k + SPARE);
    struct tile t = tile(g, number);

    for (int64_t b = 0; b < s->c / L; b++)
        input_tile(s, x + (t.n * (s->c / L) + b) * s->h * s->w * L, &t, v + b * L, step_v);
    for (int64_t b = 0; b < s->k / L; b++) {
        reals sum = {0};

        gradient_tile(s, dy + (t.n * (s->k / L) + b) * s->p * s->q * L, &t, d + b * L, step_d, &sum);
        store(bias + b * L, sum);
    }
}

static size_t
weights_room(const struct hop_cpu_wino *s)
{
    return n_points(s->c, s->k) + (size_t)(POINTS * (WHOLE * (s->c + s->k) + 2 * SPARE)) +
           (size_t)(WHOLE * s->k);
}

/* Where the gradient of weights works; all threads at once, or one alone: for that one the barriers
 * would be calls of the system. */
struct sums {
    float *points, *v, *d, *bias; /* [36] panels; factors and biases of a block of tiles */
    size_t step_v, step_d;
    float *out; /* the gradient */
};

static void
add_blocks(const struct hop_cpu_wino *s, const struct sums *at, const float *x, const float *dy,
           float *dbias)
{
    struct grid g = grid(s);

    for (int64_t t0 = 0; t0 < g.n; t0 += WHOLE) {
        int64_t n = g.n - t0 < WHOLE ? g.n - t0 : WHOLE;
        int64_t n_mine = (n + omp_get_num_threads() - 1) / omp_get_num_threads();
        int64_t mine = t0 + n + n_mine * omp_get_thread_num();
        int64_t n_times = POINTS * n_panels(s) * s->c / ROWS / omp_get_num_threads();
        struct ahead next[] = {ahead(s, false, x, mine, n_mine, n_times),
                               ahead(s, true, dy, mine, n_mine, n_times)};

#pragma omp for schedule(static)
        for (int64_t i = 0; i < n; i++)
            factors(s, &g, t0 + i, x, dy, at->v + i * s->c, at->d + i * s->k, at->bias + i * s->k);
#pragma omp for schedule(static)
        for (int64_t i = 0; i < POINTS + 1; i++) {
            if (i < POINTS)
                multiply_t(s, n, at->v + (size_t)i * at->step_v, at->d + (size_t)i * at->step_d,
                           at->points + i * s->c * s->k, next);
            else if (dbias)
                add_biases(n, s->k, at->bias, dbias);
        }
    }
#pragma omp for schedule(static)
    for (int64_t c = 0; c < s->c; c++)
        taps_row(s, at->points, c, at->out);
}

void
hop_cpu_wino_weights(const struct hop_cpu_wino *s, const float *x, const float *dy, float *dw,
                     float *dbias, float *room)
{
    struct sums at = {.points = room,
                      .v = room + n_points(s->c, s->k),
                      .step_v = (size_t)(WHOLE * s->c + SPARE),
                      .step_d = (size_t)(WHOLE * s->k + SPARE),
                      .out = dw};

    at.d = at.v + POINTS * at.step_v;
    at.bias = at.d + POINTS * at.step_d;
    memset(at.points, 0, n_points(s->c, s->k) * sizeof *at.points);
    if (dbias)
        memset(dbias, 0, (size_t)s->k * sizeof *dbias);
    if (omp_get_max_threads() > 1) {
#pragma omp parallel
        add_blocks(s, &at, x, dy, dbias);
    } else {
        add_blocks(s, &at, x, dy, dbias);
    }
}

size_t
hop_cpu_wino_room(const struct hop_cpu_wino *s, int n_threads)
{
    size_t forward = forward_room(s) * (size_t)n_threads, weights = weights_room(s);

    return forward > weights ? forward : weights;
}
