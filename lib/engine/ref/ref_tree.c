/* The fixed tree over images. */
#include <string.h>

#include "engine/ref/ref.h"

void
REF_NAME(tree_start)(struct ref_tree *t, size_t n)
{
    t->n = n;
    memset(t->is_full, 0, sizeof t->is_full);
    memset(t->leaf, 0, n * sizeof(real));
}

void
REF_NAME(tree_add)(struct ref_tree *t)
{
    real *carry = t->leaf, *other;
    size_t i;
    int h;

    for (h = 0; t->is_full[h]; h++) {
        other = t->level[h];
        for (i = 0; i < t->n; i++)
            carry[i] = other[i] + carry[i];
        t->is_full[h] = false;
    }
    t->leaf = t->level[h];
    t->level[h] = carry;
    t->is_full[h] = true;
    memset(t->leaf, 0, t->n * sizeof(real));
}

void
REF_NAME(tree_end)(struct ref_tree *t, real *out)
{
    bool is_first = true;
    size_t i;
    int h;

    memset(out, 0, t->n * sizeof(real));
    for (h = 0; h < REF_TREE_HEIGHT; h++) {
        if (!t->is_full[h])
            continue;
        if (is_first)
            memcpy(out, t->level[h], t->n * sizeof(real));
        else
            for (i = 0; i < t->n; i++)
                out[i] = t->level[h][i] + out[i];
        is_first = false;
    }
}
