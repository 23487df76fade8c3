#include "schedule/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct hop_name {
    const char *name;
    size_t at;
};

int
hop_names_init(struct hop_names *names, size_t cap, struct hop_err *e)
{
    *names = (struct hop_names){.v = hop_alloc(cap, sizeof *names->v, e)};
    return names->v ? HOP_OK : HOP_ENOMEM;
}

void
hop_names_add(struct hop_names *names, const char *name)
{
    names->v[names->n] = (struct hop_name){name, names->n};
    names->n++;
}

static int
by_name(const void *a, const void *b)
{
    const struct hop_name *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    return order ? order : (x->at > y->at) - (x->at < y->at);
}

void
hop_names_sort(struct hop_names *names)
{
    if (names->n)
        qsort(names->v, names->n, sizeof *names->v, by_name);
}

long
hop_names_find(const struct hop_names *names, const char *name)
{
    size_t low = 0, high = names->n, mid;

    while (low < high) {
        mid = low + (high - low) / 2;
        if (strcmp(names->v[mid].name, name) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low < names->n && !strcmp(names->v[low].name, name) ? (long)names->v[low].at : -1;
}

void
hop_names_clear(struct hop_names *names)
{
    free(names->v);
    *names = (struct hop_names){0};
}
