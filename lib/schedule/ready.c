#include "schedule/ready.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

int
hop_ready_init(struct hop_ready *r, size_t n, size_t n_bits, struct hop_err *e)
{
    size_t i;
    uint64_t x = 0;

    *r = (struct hop_ready){.n_words = (n_bits + 63) / 64};
    r->wants = hop_alloc((n + 1) * r->n_words, sizeof *r->wants, e);
    r->all = hop_alloc((n + 1) * r->n_words, sizeof *r->all, e);
    r->key = hop_alloc(n + 1, sizeof *r->key, e);
    r->left = hop_alloc(n + 1, sizeof *r->left, e);
    r->right = hop_alloc(n + 1, sizeof *r->right, e);
    r->heap = hop_alloc(n + 1, sizeof *r->heap, e);
    r->is_in = hop_alloc(n + 1, sizeof *r->is_in, e);
    if (!r->wants || !r->all || !r->key || !r->left || !r->right || !r->heap || !r->is_in)
        return HOP_ENOMEM;
    for (i = 1; i <= n; i++) { /* the generator of MMIX; its high bits are the good ones */
        x = x * 6364136223846793005u + 1442695040888963407u;
        r->heap[i] = (uint32_t)(x >> 32);
    }
    return HOP_OK;
}

void
hop_ready_clear(struct hop_ready *r)
{
    free(r->wants);
    free(r->all);
    free(r->key);
    free(r->left);
    free(r->right);
    free(r->heap);
    free(r->is_in);
    *r = (struct hop_ready){0};
}

void
hop_ready_reset(struct hop_ready *r)
{
    uint32_t item;

    while ((item = r->root))
        hop_ready_remove(r, item);
}

/* Does the item `a` come before one with this key and index? */
static bool
is_before(const struct hop_ready *r, uint32_t a, double key, uint32_t b)
{
    return r->key[a] != key ? r->key[a] > key : a < b;
}

/* What the subtree of t wants. */
static void
pull(struct hop_ready *r, uint32_t t)
{
    const uint64_t *own = r->wants + t * r->n_words;
    const uint64_t *a = r->all + r->left[t] * r->n_words, *b = r->all + r->right[t] * r->n_words;
    uint64_t *all = r->all + t * r->n_words;
    size_t i;

    for (i = 0; i < r->n_words; i++)
        all[i] = own[i] | a[i] | b[i];
}

/* Cut the subtree t into what comes before `item` and what comes after. */
static void
split(struct hop_ready *r, uint32_t t, uint32_t item, uint32_t *before, uint32_t *after)
{
    if (!t) {
        *before = *after = 0;
    } else if (is_before(r, t, r->key[item], item)) {
        split(r, r->right[t], item, &r->right[t], after);
        *before = t;
        pull(r, t);
    } else {
        split(r, r->left[t], item, before, &r->left[t]);
        *after = t;
        pull(r, t);
    }
}

static uint32_t
merge(struct hop_ready *r, uint32_t a, uint32_t b)
{
    if (!a || !b)
        return a ? a : b;
    if (r->heap[a] > r->heap[b]) {
        r->right[a] = merge(r, r->right[a], b);
        pull(r, a);
        return a;
    }
    r->left[b] = merge(r, a, r->left[b]);
    pull(r, b);
    return b;
}

static uint32_t
insert(struct hop_ready *r, uint32_t t, uint32_t item)
{
    if (t && r->heap[t] > r->heap[item]) {
        if (is_before(r, t, r->key[item], item))
            r->right[t] = insert(r, r->right[t], item);
        else
            r->left[t] = insert(r, r->left[t], item);
        pull(r, t);
        return t;
    }
    split(r, t, item, &r->left[item], &r->right[item]);
    pull(r, item);
    return item;
}

static uint32_t
erase(struct hop_ready *r, uint32_t t, uint32_t item)
{
    if (t == item)
        return merge(r, r->left[t], r->right[t]);
    if (is_before(r, t, r->key[item], item))
        r->right[t] = erase(r, r->right[t], item);
    else
        r->left[t] = erase(r, r->left[t], item);
    pull(r, t);
    return t;
}

void
hop_ready_add(struct hop_ready *r, uint32_t item, double key)
{
    r->key[item] = key;
    r->root = insert(r, r->root, item);
    r->is_in[item] = true;
}

void
hop_ready_remove(struct hop_ready *r, uint32_t item)
{
    r->root = erase(r, r->root, item);
    r->left[item] = r->right[item] = 0;
    r->is_in[item] = false;
}

static bool
meets(const uint64_t *set, const struct hop_mask *m)
{
    size_t i;

    for (i = 0; i < m->n; i++)
        if (set[m->word[i]] & m->bits[i])
            return true;
    return false;
}

uint32_t
hop_ready_first(const struct hop_ready *r, const struct hop_mask *mask)
{
    uint32_t t = r->root;

    if (!t || !meets(r->all + t * r->n_words, mask))
        return 0;
    for (;;) {
        if (meets(r->all + r->left[t] * r->n_words, mask))
            t = r->left[t];
        else if (meets(r->wants + t * r->n_words, mask))
            return t;
        else
            t = r->right[t];
    }
}
