#include "search/columns.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static bool
differs(const struct hop_json *const *configs, size_t n, const char *key)
{
    const struct hop_json *first = n ? hop_json_get(configs[0], key) : NULL, *other;
    size_t i;

    for (i = 1; i < n; i++) {
        other = hop_json_get(configs[i], key);
        if (!first != !other || (first && !hop_json_equal(first, other)))
            return true;
    }
    return false;
}

static bool
is_known(const struct hop_columns *c, const char *key)
{
    size_t k;

    for (k = 0; k < c->n; k++)
        if (!strcmp(c->keys[k], key))
            return true;
    return false;
}

int
hop_columns_make(const struct hop_json *const *configs, size_t n, struct hop_columns *out,
                 struct hop_err *e)
{
    static const char *const ours[] = {"hop", "id", "until"};
    struct hop_columns all = {0};
    const char *key;
    size_t i, k;
    void *it;
    int rc = HOP_OK;

    *out = (struct hop_columns){0};
    for (k = 0; k < HOP_LEN(ours) && !(rc = hop_grow(&all.keys, &all.cap, k + 1, sizeof *all.keys, e)); k++)
        all.keys[all.n++] = ours[k];
    for (i = 0; i < n && !rc; i++)
        for (it = hop_json_first(configs[i]); it && !rc; it = hop_json_next(configs[i], it)) {
            key = hop_json_it_key(it);
            if (is_known(&all, key) ||
                (rc = hop_grow(&all.keys, &all.cap, all.n + 1, sizeof *all.keys, e)))
                continue;
            all.keys[all.n++] = key;
            if (differs(configs, n, key) &&
                !(rc = hop_grow(&out->keys, &out->cap, out->n + 1, sizeof *out->keys, e)))
                out->keys[out->n++] = key;
        }
    hop_columns_clear(&all);
    if (rc)
        hop_columns_clear(out);
    return rc;
}

void
hop_columns_clear(struct hop_columns *c)
{
    free(c->keys);
    *c = (struct hop_columns){0};
}
