#include "search/median.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { MIN_OTHERS = 5 };

struct seen { /* one evaluation of one config */
    int64_t iteration;
    size_t order, i;
    double best, mean;
};

static int
compare_seen(const void *a, const void *b)
{
    const struct seen *p = a, *q = b;

    if (p->iteration != q->iteration)
        return p->iteration < q->iteration ? -1 : 1;
    if (p->order != q->order)
        return p->order < q->order ? -1 : 1;
    return p->i < q->i ? -1 : p->i > q->i;
}

static size_t
collect(const struct hop_median_in *v, size_t n, struct seen *out)
{
    double best, sum;
    size_t i, k, m = 0;

    for (i = 0; i < n; i++)
        for (k = 0, best = INFINITY, sum = 0; k < v[i].n; k++) {
            best = fmin(best, v[i].curve[k].loss);
            sum += v[i].curve[k].loss;
            out[m++] = (struct seen){v[i].curve[k].iteration, v[i].curve[k].order, i, best,
                                     sum / (double)(k + 1)};
        }
    return m;
}

/* Keep sorted[n] sorted; there is room for one more. */
static void
insert(double *sorted, size_t n, double value)
{
    size_t low = 0, high = n, mid;

    while (low < high) {
        mid = (low + high) / 2;
        if (sorted[mid] < value)
            low = mid + 1;
        else
            high = mid;
    }
    memmove(sorted + low + 1, sorted + low, (n - low) * sizeof *sorted);
    sorted[low] = value;
}

int
hop_median_apply(const struct hop_median_in *v, size_t n, int64_t from, bool *is_given_up,
                 struct hop_err *e)
{
    size_t i, n_points = 0, n_means = 0;
    struct seen *points;
    double *means, median;

    for (i = 0; i < n; i++)
        n_points += v[i].n;
    points = hop_alloc(n_points, sizeof *points, e);
    means = hop_alloc(n, sizeof *means, e); /* of one iteration: one for each config */
    if (!points || !means) {
        free(points);
        free(means);
        return HOP_ENOMEM;
    }
    collect(v, n, points);
    qsort(points, n_points, sizeof *points, compare_seen);
    for (i = 0; i < n_points; i++) {
        if (i && points[i].iteration != points[i - 1].iteration)
            n_means = 0;
        if (n_means >= MIN_OTHERS && points[i].iteration >= from) {
            median = n_means % 2 ? means[n_means / 2]
                                 : (means[n_means / 2 - 1] + means[n_means / 2]) / 2;
            if (points[i].best > median)
                is_given_up[points[i].i] = true;
        }
        insert(means, n_means++, points[i].mean);
    }
    free(points);
    free(means);
    return HOP_OK;
}

int64_t
hop_median_until(const struct hop_median_in *v, int64_t from, int64_t every, int64_t until)
{
    int64_t last = v->n ? v->curve[v->n - 1].iteration : 0;
    int64_t next = (last / every + 1) * every;

    if (next < from)
        next = (from + every - 1) / every * every;
    return next < until ? next : until;
}
