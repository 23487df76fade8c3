#include "search/rung.h"

#include <math.h>
#include <stdlib.h>

/* -1, 0, 1; NAN is above all. */
static int
compare_losses(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) - isnan(b);
    return a < b ? -1 : a > b;
}

static int
compare_runners(const void *a, const void *b)
{
    const struct hop_runner *p = a, *q = b;
    int by_loss = compare_losses(p->loss, q->loss);

    return by_loss ? by_loss : p->number < q->number ? -1 : p->number > q->number;
}

void
hop_rung_sort(struct hop_runner *v, size_t n)
{
    if (n)
        qsort(v, n, sizeof *v, compare_runners);
}

size_t
hop_rung_promotes(size_t n, int64_t eta)
{
    return n / (size_t)eta;
}

bool
hop_rung_keeps(const struct hop_runner *v, size_t n, size_t i, int64_t eta)
{
    size_t k, n_came = 1, n_better = 0, n_go;

    for (k = 0; k < n; k++) {
        if (k == i || v[k].order > v[i].order)
            continue;
        n_came++;
        n_better += compare_losses(v[k].loss, v[i].loss) < 0;
    }
    n_go = hop_rung_promotes(n_came, eta);
    return n_better < (n_go ? n_go : 1) && isfinite(v[i].loss);
}

static int
compare_doubles(const void *a, const void *b)
{
    return compare_losses(*(const double *)a, *(const double *)b);
}

double
hop_median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, compare_doubles);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}
