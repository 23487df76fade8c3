#include "turn.h"

#include <string.h>
#include <unistd.h>

void
turns_init(struct turns *q)
{
    *q = (struct turns){0};
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->change, NULL);
}

void
turns_clear(struct turns *q)
{
    pthread_cond_destroy(&q->change);
    pthread_mutex_destroy(&q->lock);
}

void
turns_join(struct turns *q, struct turn *t)
{
    struct turn **p;

    t->next = NULL;
    t->is_claimed = t->is_inside = false;
    t->slot_fd = t->named_fd = -1;
    pthread_mutex_lock(&q->lock);
    for (p = &q->first; *p; p = &(*p)->next)
        ;
    *p = t;
    pthread_mutex_unlock(&q->lock);
}

void
turns_claim(struct turns *q, struct turn *t)
{
    pthread_mutex_lock(&q->lock);
    t->is_claimed = true;
    pthread_mutex_unlock(&q->lock);
}

static int
over(struct hop_err *e)
{
    return hop_fail(e, HOP_EBUSY, NULL, NULL, "told to end");
}

/* Are as many inside as may have their turn by t's name at a time? */
static bool
is_held_up(const struct turns *q, const struct turn *t)
{
    const struct turn *p;
    int n = 0;

    for (p = q->first; p && t->named.n; p = p->next)
        n += p->is_inside && !strcmp(p->named.lock, t->named.lock);
    return n > 0 && n >= t->named.n;
}

/* How many before t claim their turn; outside: those that t has to let in first. */
static int
count_before(const struct turns *q, const struct turn *t, bool want_outside)
{
    const struct turn *p;
    int n = 0;

    for (p = q->first; p && p != t; p = p->next)
        n += p->is_claimed && !(want_outside && (p->is_inside || is_held_up(q, p)));
    return n;
}

static bool
is_wanted(void *turn)
{
    return !((struct turn *)turn)->is_over;
}

int
turns_admit(struct turns *q, struct turn *t, int n_slots, struct hop_err *e)
{
    pthread_mutex_lock(&q->lock);
    while (!t->is_over && count_before(q, t, false) >= 2 * n_slots)
        pthread_cond_wait(&q->change, &q->lock);
    pthread_mutex_unlock(&q->lock);
    return t->is_over ? over(e) : HOP_OK;
}

int
turns_enter(struct turns *q, struct turn *t, const char *lock_dir, const char *locks, int n_slots,
            int *k, struct hop_err *e)
{
    int k_named, rc = HOP_OK;

    pthread_mutex_lock(&q->lock);
    while (!t->is_over &&
           (count_before(q, t, true) || q->n_inside >= n_slots || is_held_up(q, t)))
        pthread_cond_wait(&q->change, &q->lock);
    pthread_mutex_unlock(&q->lock);
    if (t->is_over)
        return over(e);
    /* Now the next: those behind wait until it is inside. What it may still wait for is the visits of
     * other processes. */
    if (t->named.n)
        rc = hop_slot_take(lock_dir, t->named.lock, t->named.n, is_wanted, t, &k_named, &t->named_fd, e);
    if (!rc)
        rc = hop_slot_take(lock_dir, locks, n_slots, is_wanted, t, k, &t->slot_fd, e);
    if (rc)
        return rc;
    pthread_mutex_lock(&q->lock);
    t->is_inside = true;
    q->n_inside++;
    pthread_cond_broadcast(&q->change);
    pthread_mutex_unlock(&q->lock);
    return HOP_OK;
}

void
turns_leave(struct turns *q, struct turn *t)
{
    struct turn **p;

    if (t->slot_fd >= 0)
        close(t->slot_fd);
    if (t->named_fd >= 0)
        close(t->named_fd);
    t->slot_fd = t->named_fd = -1;
    pthread_mutex_lock(&q->lock);
    for (p = &q->first; *p && *p != t; p = &(*p)->next)
        ;
    if (*p)
        *p = t->next;
    q->n_inside -= t->is_inside;
    t->is_inside = false;
    pthread_cond_broadcast(&q->change);
    pthread_mutex_unlock(&q->lock);
}

void
turns_end(struct turns *q, struct turn *t)
{
    pthread_mutex_lock(&q->lock);
    t->is_over = true;
    pthread_cond_broadcast(&q->change);
    pthread_mutex_unlock(&q->lock);
}
