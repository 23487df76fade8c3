/* The tree of waiting configs against a list that is searched from end to end. */
#include <stdlib.h>
#include <string.h>

#include "schedule/ready.h"
#include "tap.h"

enum { N = 60, N_BITS = 150, N_WORDS = 3, N_STEPS = 60000 };

static uint64_t chance = 1;

static uint32_t
roll(uint32_t n)
{
    chance = chance * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((chance >> 33) % n);
}

/* The first of those that are in, by key and index, that wants any of the mask's bits. */
static uint32_t
look(const struct hop_ready *r, const struct hop_mask *m)
{
    uint32_t i, best = 0;
    size_t k;

    for (i = 1; i <= N; i++)
        for (k = 0; k < m->n && r->is_in[i]; k++)
            if ((hop_ready_wants(r, i)[m->word[k]] & m->bits[k]) &&
                (!best || r->key[i] > r->key[best]))
                best = i;
    return best;
}

static void
want_some(struct hop_ready *r, uint32_t item)
{
    uint64_t *wants = hop_ready_wants(r, item);
    uint32_t k, n = roll(4) ? 1 + roll(3) : roll(100);

    memset(wants, 0, N_WORDS * sizeof *wants);
    for (k = 0; k < n; k++)
        wants[roll(N_WORDS)] |= (uint64_t)1 << roll(22);
}

static void
test_against_list(void)
{
    static const uint32_t words[N_WORDS] = {0, 1, 2};
    struct hop_ready r;
    struct hop_err e = {0};
    uint32_t item, found, n_off = 0, n_found = 0;
    uint64_t bits[N_WORDS];
    struct hop_mask m;
    int i;

    if (!ok(!hop_ready_init(&r, N, N_BITS, &e) && r.n_words == N_WORDS, "a tree"))
        return;
    for (i = 0; i < N_STEPS; i++) {
        item = 1 + roll(N);
        if (r.is_in[item]) {
            hop_ready_remove(&r, item);
        } else {
            want_some(&r, item);
            hop_ready_add(&r, item, (double)roll(20));
        }
        for (item = 0; item < N_WORDS; item++)
            bits[item] = (uint64_t)1 << roll(22);
        item = roll(N_WORDS);
        m = (struct hop_mask){words + item, bits + item, N_WORDS - item};
        found = hop_ready_first(&r, &m);
        n_found += found != 0;
        n_off += found != look(&r, &m);
        if (roll(2000) == 0)
            hop_ready_reset(&r);
    }
    if (!ok(!n_off && n_found > N_STEPS / 4 && n_found < N_STEPS, "%d steps, as a list has it",
            N_STEPS))
        printf("# %u off, %u found\n", n_off, n_found);
    hop_ready_reset(&r);
    m = (struct hop_mask){words, bits, N_WORDS};
    ok(!r.root && !hop_ready_first(&r, &m), "empty again");
    hop_ready_clear(&r);
}

int
main(void)
{
    test_against_list();
    return tap_end();
}
