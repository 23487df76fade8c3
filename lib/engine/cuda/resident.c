#include "engine/cuda/resident.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct owner { /* a GPU opened for the table's own memory, which outlives any slot */
    struct owner *next;
    const struct hop_cuda_driver *driver;
    int index;
    struct hop_cuda_context *context;
    size_t bytes, max_bytes;
    int n_residents;
};

struct hop_cuda_resident {
    struct hop_cuda_resident *next;
    struct owner *owner;
    char *key;
    void *memory;
    size_t bytes;
    int n_users;
    uint64_t used_at;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct owner *owners;
static struct hop_cuda_resident *residents;
static uint64_t now;

/* ---- under the lock ---- */

static void
drop(struct hop_cuda_resident **at)
{
    struct hop_cuda_resident *r = *at;

    *at = r->next;
    r->owner->driver->free(r->owner->context, r->memory);
    r->owner->bytes -= r->bytes;
    r->owner->n_residents--;
    free(r->key);
    free(r);
}

/* The longest unused of this owner; false: all are in use. */
static bool
drop_oldest(const struct owner *o)
{
    struct hop_cuda_resident **at, **oldest = NULL;

    for (at = &residents; *at; at = &(*at)->next)
        if ((*at)->owner == o && !(*at)->n_users &&
            (!oldest || (*at)->used_at < (*oldest)->used_at))
            oldest = at;
    if (oldest)
        drop(oldest);
    return oldest;
}

static int
owner_of(const struct hop_device *d, struct owner **out, struct hop_err *e)
{
    struct owner *o;
    int rc;

    for (o = owners; o && (o->driver != d->driver || o->index != d->index); o = o->next)
        ;
    if ((*out = o))
        return HOP_OK;
    if (!(o = hop_alloc(1, sizeof *o, e)))
        return HOP_ENOMEM;
    if ((rc = d->driver->open(d->index, &o->context, e))) {
        free(o);
        return rc;
    }
    o->driver = d->driver;
    o->index = d->index;
    o->max_bytes = (size_t)(d->props.memory_bytes / 4);
    o->next = owners;
    *out = owners = o;
    return HOP_OK;
}

/* Memory for one more. HOP_EOF: there is none. */
static int
get_memory(struct owner *o, size_t bytes, void **out, struct hop_err *e)
{
    struct hop_err none;
    int rc;

    while (o->bytes + bytes > o->max_bytes)
        if (!drop_oldest(o))
            return HOP_EOF;
    do {
        none = (struct hop_err){0};
        rc = o->driver->alloc(o->context, bytes, out, &none);
    } while (rc == HOP_ENOMEM && drop_oldest(o));
    if (rc && rc != HOP_ENOMEM)
        return hop_fail(e, rc, none.where, none.hint, "%s", none.what);
    return rc ? HOP_EOF : HOP_OK;
}

static int
add(struct owner *o, const char *key, size_t bytes,
    int (*fill)(void *arg, void *memory, struct hop_err *e), void *arg,
    struct hop_cuda_resident **out, struct hop_err *e)
{
    struct hop_cuda_resident *r = hop_alloc(1, sizeof *r, e);
    int rc;

    if (!r || !(r->key = hop_dup(key, e))) {
        free(r);
        return HOP_ENOMEM;
    }
    if ((rc = get_memory(o, bytes, &r->memory, e))) {
        free(r->key);
        free(r);
        return rc;
    }
    r->owner = o;
    r->bytes = bytes;
    o->bytes += bytes;
    o->n_residents++;
    r->next = residents;
    residents = r;
    if ((rc = fill(arg, r->memory, e))) {
        drop(&residents);
        return rc;
    }
    *out = r;
    return HOP_OK;
}

/* ---- the functions of the header ---- */

int
hop_cuda_resident_take(struct hop_device *d, const char *key, size_t bytes,
                       int (*fill)(void *arg, void *memory, struct hop_err *e), void *arg,
                       struct hop_cuda_resident **out, void **memory, struct hop_err *e)
{
    struct hop_cuda_resident *r = NULL;
    struct owner *o;
    int rc;

    *out = NULL;
    pthread_mutex_lock(&lock);
    if (!(rc = owner_of(d, &o, e))) {
        for (r = residents;
             r && (r->owner != o || r->bytes != bytes || strcmp(r->key, key)); r = r->next)
            ;
        if (!r)
            rc = add(o, key, bytes, fill, arg, &r, e);
    }
    if (!rc) {
        r->n_users++;
        *out = r;
        *memory = r->memory;
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

void
hop_cuda_resident_give(struct hop_cuda_resident *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&lock);
    r->n_users--;
    r->used_at = ++now;
    pthread_mutex_unlock(&lock);
}

void
hop_cuda_residents_drop(void)
{
    struct owner **at, *o;

    pthread_mutex_lock(&lock);
    for (at = &owners; (o = *at);) {
        while (drop_oldest(o))
            ;
        if (o->n_residents) {
            at = &o->next;
            continue;
        }
        *at = o->next;
        o->driver->close(o->context);
        free(o);
    }
    pthread_mutex_unlock(&lock);
}
