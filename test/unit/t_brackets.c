/* brackets - Hyperband's tables for R of 8 to 243, both shapes, against the formulae worked out in whole
 * numbers and fractions; the diagonals of MADlib; and who goes on from a rung. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/brackets.h"
#include "search/rung.h"
#include "tap.h"

static const struct {
    int64_t R, eta;
    const char *shape;
    int64_t n_configs, work; /* work: as if every rung began anew */
    int64_t work_resumed;    /* going on from the model files: totals */
    const char *rungs;
} rows[] = {
    {8, 2, "A", 20, 120, 92, "8,4,2,1 | 4,2,1 | 4,2 | 4"},
    {8, 2, "B", 22, 128, 98, "8,4,2,1 | 6,3,1 | 4,2 | 4"},
    {9, 3, "A", 15, 72, 63, "9,3,1 | 3,1 | 3"},
    {9, 3, "B", 17, 78, 69, "9,3,1 | 5,1 | 3"},
    {16, 4, "A", 23, 128, 116, "16,4,1 | 4,1 | 3"},
    {16, 4, "B", 25, 136, 124, "16,4,1 | 6,1 | 3"},
    {16, 2, "A", 37, 336, 248, "16,8,4,2,1 | 8,4,2,1 | 4,2,1 | 4,2 | 5"},
    {16, 2, "B", 43, 372, 278, "16,8,4,2,1 | 10,5,2,1 | 7,3,1 | 5,2 | 5"},
    {27, 3, "A", 46, 405, 342, "27,9,3,1 | 9,3,1 | 6,2 | 4"},
    {27, 3, "B", 49, 423, 357, "27,9,3,1 | 12,4,1 | 6,2 | 4"},
    {81, 3, "A", 128, 1701, 1404, "81,27,9,3,1 | 27,9,3,1 | 9,3,1 | 6,2 | 5"},
    {81, 3, "B", 143, 1902, 1581, "81,27,9,3,1 | 34,11,3,1 | 15,5,1 | 8,2 | 5"},
    {100, 3, "A", 128, 2089, 1726, "81,27,9,3,1 | 27,9,3,1 | 9,3,1 | 6,2 | 5"},
    {100, 3, "B", 143, 2337, 1944, "81,27,9,3,1 | 34,11,3,1 | 15,5,1 | 8,2 | 5"},
    {243, 3, "A", 384, 8019, 6480,
     "243,81,27,9,3,1 | 81,27,9,3,1 | 27,9,3,1 | 18,6,2 | 9,3 | 6"},
    {243, 3, "B", 415, 8457, 6831,
     "243,81,27,9,3,1 | 98,32,10,3,1 | 41,13,4,1 | 18,6,2 | 9,3 | 6"},
};

static struct hop_brackets
make(int64_t R, int64_t eta, const char *shape, bool is_added)
{
    struct hop_brackets b;
    struct hop_err e = {0};

    if (hop_brackets_make(R, eta, shape, is_added, &b, &e)) {
        ok(false, "R %lld, eta %lld: %s", (long long)R, (long long)eta, e.what);
        exit(1);
    }
    return b;
}

static int64_t
all_work(const struct hop_brackets *b)
{
    int64_t sum = 0;
    int d;

    for (d = 0; d < b->n; d++)
        sum += hop_brackets_work(b, d);
    return sum;
}

static void
test_tables(void)
{
    struct hop_str s = {0};
    struct hop_brackets b, added;
    size_t r;
    int k, i;

    for (r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        b = make(rows[r].R, rows[r].eta, rows[r].shape, false);
        added = make(rows[r].R, rows[r].eta, rows[r].shape, true);
        hop_str_clear(&s);
        for (k = 0; k < b.n; k++)
            for (i = 0; i <= b.v[k].s; i++)
                hop_str_addf(&s, "%s%lld", i ? "," : k ? " | " : "", (long long)b.v[k].n[i]);
        ok(!strcmp(hop_str_c(&s), rows[r].rungs) && b.n_configs == rows[r].n_configs,
           "R %lld, eta %lld, %s: %s", (long long)b.R, (long long)b.eta, rows[r].shape,
           hop_str_c(&s));
        ok(all_work(&b) == rows[r].work_resumed && all_work(&added) == rows[r].work,
           "work %lld, or %lld with added iterations", (long long)all_work(&b),
           (long long)all_work(&added));
        for (k = 0; k < b.n && b.v[k].until[b.v[k].s] == b.R; k++)
            ;
        ok(k == b.n && b.v[1].first == b.v[0].n[0] + 1, "all brackets end at R, configs in a row");
    }
    hop_str_clear(&s);
}

/* R = 81, eta = 3 as MADlib trains it. */
static void
test_diagonals(void)
{
    static const int64_t models[] = {81, 54, 27, 15, 10}, work[] = {81, 162, 243, 405, 810},
                         had[] = {121, 120, 117, 108, 81};
    struct hop_brackets b = make(81, 3, "A", true), t = make(81, 3, "A", false);
    bool is_ok = true, is_sum = true, is_together = true;
    int64_t n;
    int d, k;

    for (d = 0; d < 5; d++) {
        for (n = 0, k = 0; k <= d; k++) {
            n += b.v[k].n[d - k];
            is_together = is_together && t.v[k].until[d - k] == t.r[d];
        }
        is_ok = is_ok && n == models[d] && hop_brackets_work(&b, d) == work[d];
        is_sum = is_sum && b.v[d].until[b.v[d].s] == had[d];
    }
    ok(is_ok, "R 81: diagonals of 81, 54, 27, 15, 10 configs and their work");
    ok(is_sum, "R 81, added: finalists have had 121, 120, 117, 108, 81 iterations");
    ok(is_together, "R 81: a diagonal ends at one iteration");
}

static void
test_whole_numbers(void)
{
    static const struct {
        int64_t R, eta;
        int s_max;
        int64_t first;
    } cases[] = {{1, 3, 0, 1},      {2, 3, 0, 2},        {243, 3, 5, 1},   {1000, 10, 3, 1},
                 {59049, 3, 10, 1}, {1000000, 10, 6, 1}, {200, 3, 4, 2},   {6, 3, 1, 2},
                 {7, 2, 2, 2},      {10, 4, 1, 3}};
    int64_t rungs[HOP_MAX_BRACKETS];
    size_t i;
    int n, k;
    bool is_rising;

    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        n = hop_brackets_rungs(cases[i].R, cases[i].eta, 1, rungs);
        for (k = 1, is_rising = true; k < n; k++)
            is_rising = is_rising && rungs[k] > rungs[k - 1];
        ok(n == cases[i].s_max + 1 && rungs[0] == cases[i].first && rungs[n - 1] == cases[i].R &&
               is_rising,
           "R %lld, eta %lld: s_max %d, first rung %lld", (long long)cases[i].R,
           (long long)cases[i].eta, n - 1, (long long)rungs[0]);
    }
    n = hop_brackets_rungs(81, 3, 4, rungs);
    ok(n == 3 && rungs[0] == 9, "no rung below the least");
    n = hop_brackets_rungs(INT64_MAX, 2, 1, rungs);
    ok(n == HOP_MAX_BRACKETS && rungs[n - 1] == INT64_MAX, "no overflow");
}

static void
test_refused(void)
{
    struct hop_brackets b;
    struct hop_err e = {0}, f = {0}, g = {0}, h = {0};

    ok(hop_brackets_make(0, 3, "A", false, &b, &e) == HOP_EARG &&
           hop_brackets_make(9, 1, "A", false, &b, &f) == HOP_EARG &&
           hop_brackets_make(9, 3, "C", false, &b, &g) == HOP_EARG &&
           hop_brackets_make(100000000, 2, "A", false, &b, &h) == HOP_EARG,
       "R 0, eta 1, shape C, a million configs are refused");
}

static void
test_text(void)
{
    static const char want[] =
        "R 9, eta 3: 15 configs in 3 brackets\n\n"
        "                   s=2             s=1             s=0\n"
        "  rung     n_i     r_i     n_i     r_i     n_i     r_i\n"
        "     0       9       1       3       3       3       9\n"
        "     1       3       3       1       9\n"
        "     2       1       9\n\n"
        "diagonal  rungs (bracket.rung) that train together, configs, iterations\n"
        "       0  2.0                                   9        9\n"
        "       1  2.1 1.0                               6       15\n"
        "       2  2.2 1.1 0.0                           5       39\n"
        "     all                                                63\n";
    struct hop_brackets b = make(9, 3, "A", false);
    struct hop_str s = {0};

    hop_brackets_table(&b, &s);
    ok(!strcmp(hop_str_c(&s), want), "the table as text");
    hop_str_clear(&s);
}

/* ---- rungs ---- */

static void
test_keeps(void)
{
    static const double arriving[] = {5, 3, 4, 6, 2, 7, 1, 8, 3.5, 2.5};
    struct hop_runner v[10];
    char got[11] = "";
    size_t i;

    for (i = 0; i < 10; i++)
        v[i] = (struct hop_runner){arriving[i], 10 - i, i};
    for (i = 0; i < 10; i++)
        got[i] = hop_rung_keeps(v, 10, i, 3) ? 'C' : 'S';
    ok(!strcmp(got, "CCSSCSCSSC"), "asha, stopping: %s", got);
    v[0].loss = NAN;
    ok(!hop_rung_keeps(v, 10, 0, 3), "a loss that is not a number never goes on");
}

static void
test_sort(void)
{
    struct hop_runner v[] = {{NAN, 1, 0}, {2, 2, 0}, {INFINITY, 3, 0}, {1, 5, 0}, {1, 4, 9}};

    hop_rung_sort(v, 5);
    ok(v[0].number == 4 && v[1].number == 5 && v[2].number == 2 && v[3].number == 3 &&
           v[4].number == 1,
       "rungs are sorted by loss, equals by number, what diverged last");
    ok(hop_rung_promotes(2, 3) == 0 && hop_rung_promotes(3, 3) == 1 &&
           hop_rung_promotes(27, 3) == 9,
       "asha, promoting: a third, rounded down");
}

static void
test_median(void)
{
    double odd[] = {3, 1, 2}, even[] = {4, 1, 3, 2}, not[] = {NAN, 1, INFINITY};

    ok(hop_median(odd, 3) == 2 && hop_median(even, 4) == 2.5 && isinf(hop_median(not, 3)),
       "medians");
}

int
main(void)
{
    test_tables();
    test_diagonals();
    test_whole_numbers();
    test_refused();
    test_text();
    test_keeps();
    test_sort();
    test_median();
    return tap_end();
}
