#include "search/brackets.h"

#include <stdio.h>
#include <string.h>

enum { MAX_CONFIGS = 1000000 };

/* R / p to the nearest whole number, halves up, without overflow. */
static int64_t
divide(int64_t R, int64_t p)
{
    return R / p + (R % p >= p - R % p);
}

int
hop_brackets_rungs(int64_t R, int64_t eta, int64_t min, int64_t *rungs)
{
    int64_t p = 1;
    int n = 1, i;

    while (p <= R / eta && n < HOP_MAX_BRACKETS && divide(R, p * eta) >= min) {
        p *= eta;
        n++;
    }
    for (i = 0; i < n; i++, p /= eta)
        rungs[i] = divide(R, p);
    return n;
}

static int
fill(struct hop_brackets *b, struct hop_bracket *v, bool is_a, struct hop_err *e)
{
    int64_t p = 1, n, had = 0;
    int i;

    for (i = 0; i < v->s; i++)
        p *= b->eta;
    n = is_a ? (b->s_max + 1) / (v->s + 1) * p : (b->n * p + v->s) / (v->s + 1);
    v->first = b->n_configs + 1;
    if ((b->n_configs += n) > MAX_CONFIGS)
        return hop_fail(e, HOP_EARG, "--max-iterations", "take a larger --eta",
                        "%lld iterations and eta %lld make more than %d configs",
                        (long long)b->R, (long long)b->eta, MAX_CONFIGS);
    for (i = 0; i <= v->s; i++, n /= b->eta) {
        v->n[i] = n;
        v->until[i] = b->r[b->s_max - v->s + i] + had;
        if (b->is_added)
            had = v->until[i];
    }
    return HOP_OK;
}

int
hop_brackets_make(int64_t R, int64_t eta, const char *shape, bool is_added,
                  struct hop_brackets *out, struct hop_err *e)
{
    bool is_a = !strcmp(shape, "A");
    int i, rc = HOP_OK;

    memset(out, 0, sizeof *out);
    if (R < 1)
        return hop_fail(e, HOP_EARG, "--max-iterations", NULL, "%lld is below 1", (long long)R);
    if (eta < 2)
        return hop_fail(e, HOP_EARG, "--eta", NULL, "%lld is below 2", (long long)eta);
    if (!is_a && strcmp(shape, "B"))
        return hop_fail(e, HOP_EARG, "--shape", NULL, "unknown shape \"%s\" (known: A, B)", shape);
    out->R = R;
    out->eta = eta;
    out->is_added = is_added;
    out->n = hop_brackets_rungs(R, eta, 1, out->r);
    out->s_max = out->n - 1;
    for (i = 0; i < out->n && !rc; i++) {
        out->v[i].s = out->s_max - i;
        rc = fill(out, &out->v[i], is_a, e);
    }
    return rc;
}

/* What training to until[i] adds. */
static int64_t
added(const struct hop_bracket *v, int i)
{
    return v->until[i] - (i ? v->until[i - 1] : 0);
}

int64_t
hop_brackets_work(const struct hop_brackets *b, int diagonal)
{
    int64_t sum = 0;
    int k;

    for (k = 0; k <= diagonal; k++)
        sum += b->v[k].n[diagonal - k] * added(&b->v[k], diagonal - k);
    return sum;
}

void
hop_brackets_table(const struct hop_brackets *b, struct hop_str *out)
{
    int64_t work = 0, n;
    int i, k;

    hop_str_addf(out, "R %lld, eta %lld: %lld configs in %d brackets\n\n      ", (long long)b->R,
                 (long long)b->eta, (long long)b->n_configs, b->n);
    for (k = 0; k < b->n; k++) {
        char head[16];

        snprintf(head, sizeof head, "s=%d", b->v[k].s);
        hop_str_addf(out, "%16s", head);
    }
    hop_str_add(out, "\n  rung");
    for (k = 0; k < b->n; k++)
        hop_str_add(out, "     n_i     r_i");
    for (i = 0; i < b->n; i++) {
        hop_str_addf(out, "\n%6d", i);
        for (k = 0; k < b->n - i; k++)
            hop_str_addf(out, "%8lld%8lld", (long long)b->v[k].n[i], (long long)b->v[k].until[i]);
    }
    hop_str_add(out, "\n\ndiagonal  rungs (bracket.rung) that train together, configs, iterations\n");
    for (i = 0; i < b->n; i++) {
        struct hop_str rungs = {0};

        for (n = 0, k = 0; k <= i; k++) {
            hop_str_addf(&rungs, "%s%d.%d", k ? " " : "", b->v[k].s, i - k);
            n += b->v[k].n[i - k];
        }
        hop_str_addf(out, "%8d  %-30s %8lld %8lld\n", i, hop_str_c(&rungs), (long long)n,
                     (long long)hop_brackets_work(b, i));
        hop_str_clear(&rungs);
        work += hop_brackets_work(b, i);
    }
    hop_str_addf(out, "%8s  %-30s %8s %8lld\n", "all", "", "", (long long)work);
}
