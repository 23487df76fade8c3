#include "schedule/list.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "schedule/ready.h"

struct task { /* of one config; it waits, runs, or is done */
    int64_t visits, target; /* visits begun */
    size_t next_shard;      /* in rotation */
    size_t n_running;       /* its visits that run now: one of training, or evaluations */
    size_t n_todo;          /* evaluations of this state that are yet to begin */
    double left_s;          /* of training */
};

struct worker {
    uint64_t busy;      /* slots */
    size_t n_busy;
    struct hop_mask holds; /* shards */
    double left_s;      /* training still to begin on its shards, shared out among their workers */
};

/* A visit that runs; the heap of them has the first end on top. */
struct event {
    double end_s;
    uint32_t task, worker;
    uint16_t slot;
    bool is_eval;
};

struct hop_list {
    const struct hop_sched_in *in;
    const struct hop_list_rule *rule;
    struct hop_sched *plan;
    struct task *tasks;
    struct worker *workers;
    double *load;     /* [n_shards] seconds of training still to begin there */
    char *seen;       /* [n_tasks][n_train] in the iteration under way, */
    uint64_t *unseen; /* [n_tasks][ready.n_words] and what is left of it, as bits */
    struct hop_ready ready; /* item i + 1 = task i */
    uint32_t *words;  /* what the workers' masks point to */
    uint64_t *bits;
    uint64_t *open;   /* shards that a free slot could take */
    uint32_t *every_word; /* 0, 1, 2, ...: open as a mask */
    uint32_t *n_open; /* [n_shards] workers of it with a free slot */
    struct event *events;
    size_t n_events;
    uint32_t *freed, *fresh; /* workers and tasks of this round */
    size_t n_freed, n_fresh;
    double now;
    double *load_0, *left_0; /* at the beginning: by shard, by task */
};

/* ---- 1 memory ---- */

void
hop_list_free(struct hop_list *l)
{
    if (!l)
        return;
    hop_ready_clear(&l->ready);
    free(l->tasks);
    free(l->workers);
    free(l->load);
    free(l->seen);
    free(l->unseen);
    free(l->words);
    free(l->bits);
    free(l->open);
    free(l->every_word);
    free(l->n_open);
    free(l->events);
    free(l->freed);
    free(l->fresh);
    free(l->load_0);
    free(l->left_0);
    free(l);
}

/* Which shards each worker holds, as masks. */
static int
make_masks(struct hop_list *l, struct hop_err *e)
{
    const struct hop_sched_in *in = l->in;
    size_t *n = hop_alloc(in->n_workers + 1, sizeof *n, e), i, k, total = 0;
    struct hop_mask *m;
    uint32_t w;

    for (i = 0; n && i < in->n_shards; i++)
        for (k = 0; k < in->shards[i].n_workers; k++, total++)
            n[in->shards[i].workers[k]]++;
    l->words = hop_alloc(total, sizeof *l->words, e);
    l->bits = hop_alloc(total, sizeof *l->bits, e);
    if (!n || !l->words || !l->bits) {
        free(n);
        return HOP_ENOMEM;
    }
    for (i = 0, k = 0; i < in->n_workers; k += n[i++])
        l->workers[i].holds = (struct hop_mask){l->words + k, l->bits + k, 0};
    for (i = 0; i < in->n_shards; i++)
        for (k = 0; k < in->shards[i].n_workers; k++) {
            w = in->shards[i].workers[k];
            m = &l->workers[w].holds;
            if (!m->n || m->word[m->n - 1] != i / 64)
                l->words[(size_t)(m->word - l->words) + m->n++] = (uint32_t)(i / 64);
            l->bits[(size_t)(m->bits - l->bits) + m->n - 1] |= (uint64_t)1 << (i % 64);
        }
    free(n);
    return HOP_OK;
}

/* Seconds of training on a shard, on its fastest worker. */
static double
least_cost(const struct hop_sched_in *in, size_t task, size_t shard)
{
    double cost, least = hop_sched_cost(in, task, shard, in->shards[shard].workers[0], false);
    size_t i;

    for (i = 1; i < in->shards[shard].n_workers; i++) {
        cost = hop_sched_cost(in, task, shard, in->shards[shard].workers[i], false);
        least = cost < least ? cost : least;
    }
    return least;
}

/* Seconds of training that each config has ahead and each shard. */
static void
count_work(struct hop_list *l)
{
    const struct hop_sched_in *in = l->in;
    const struct hop_sched_task *t;
    int64_t p = (int64_t)in->n_train;
    double cost, n;
    size_t i, s;

    for (i = 0; i < in->n_tasks; i++) {
        t = &in->tasks[i];
        for (s = 0; s < in->n_train; s++) {
            cost = least_cost(in, i, s);
            n = (double)(t->until - t->visits / p);
            if (t->seen && t->visits % p && t->seen[s])
                n--;
            n = n > 0 ? n : 0;
            l->left_0[i] += n * cost;
            l->load_0[s] += n * cost;
        }
    }
}

struct hop_list *
hop_list_new(const struct hop_sched_in *in, struct hop_err *e)
{
    struct hop_list *l = hop_alloc(1, sizeof *l, e);
    size_t i, n_slots = 0, n_words = (in->n_shards + 63) / 64;

    if (!l)
        return NULL;
    for (i = 0; i < in->n_workers; i++)
        n_slots += in->workers[i].n_slots;
    l->in = in;
    l->tasks = hop_alloc(in->n_tasks, sizeof *l->tasks, e);
    l->workers = hop_alloc(in->n_workers, sizeof *l->workers, e);
    l->load = hop_alloc(in->n_shards, sizeof *l->load, e);
    l->seen = hop_alloc(in->n_tasks, in->n_train, e);
    l->unseen = hop_alloc(in->n_tasks * n_words, sizeof *l->unseen, e);
    l->open = hop_alloc(n_words, sizeof *l->open, e);
    l->every_word = hop_alloc(n_words, sizeof *l->every_word, e);
    l->n_open = hop_alloc(in->n_shards, sizeof *l->n_open, e);
    l->events = hop_alloc(n_slots, sizeof *l->events, e);
    l->freed = hop_alloc(n_slots + in->n_workers, sizeof *l->freed, e);
    l->fresh = hop_alloc(n_slots + in->n_tasks, sizeof *l->fresh, e);
    l->load_0 = hop_alloc(in->n_shards, sizeof *l->load_0, e);
    l->left_0 = hop_alloc(in->n_tasks, sizeof *l->left_0, e);
    if (!l->tasks || !l->workers || !l->load || !l->seen || !l->unseen || !l->open || !l->every_word || !l->n_open ||
        !l->events || !l->freed || !l->fresh || !l->load_0 || !l->left_0 || make_masks(l, e) ||
        hop_ready_init(&l->ready, in->n_tasks, in->n_shards, e)) {
        hop_list_free(l);
        return NULL;
    }
    for (i = 0; i < n_words; i++)
        l->every_word[i] = (uint32_t)i;
    count_work(l);
    return l;
}

/* ---- 2 running visits ---- */

static void
push_event(struct hop_list *l, struct event ev)
{
    size_t i = l->n_events++, up;

    for (; i && l->events[up = (i - 1) / 2].end_s > ev.end_s; i = up)
        l->events[i] = l->events[up];
    l->events[i] = ev;
}

static struct event
pop_event(struct hop_list *l)
{
    struct event top = l->events[0], last = l->events[--l->n_events];
    size_t i = 0, k;

    while ((k = 2 * i + 1) < l->n_events) {
        if (k + 1 < l->n_events && l->events[k + 1].end_s < l->events[k].end_s)
            k++;
        if (l->events[k].end_s >= last.end_s)
            break;
        l->events[i] = l->events[k];
        i = k;
    }
    l->events[i] = last;
    return top;
}

/* The worker has a free slot now, or has none any more. */
static void
set_open(struct hop_list *l, const struct worker *w, bool is_open)
{
    uint64_t bits;
    size_t i, s;

    for (i = 0; i < w->holds.n; i++)
        for (bits = w->holds.bits[i]; bits; bits &= bits - 1) {
            s = w->holds.word[i] * (size_t)64 + (size_t)__builtin_ctzll(bits);
            l->n_open[s] += is_open ? 1 : (uint32_t)-1;
            if (l->n_open[s])
                l->open[s / 64] |= (uint64_t)1 << (s % 64);
            else
                l->open[s / 64] &= ~((uint64_t)1 << (s % 64));
        }
}

/* ---- 3 configs that wait ---- */

static double
key_of(const struct hop_list *l, size_t i)
{
    const struct hop_sched_task *in = &l->in->tasks[i];
    const struct task *t = &l->tasks[i];
    uint32_t u[4];
    double x;
    size_t k;

    switch (l->rule->key) {
    case HOP_LIST_FEWEST: /* and who has waited longest: the later, the more below 1/2 */
        return -(double)t->visits - 0.5 * l->now / (l->now + 1);
    case HOP_LIST_RANK:
        k = (size_t)(t->visits - in->visits) - (t->n_todo && t->visits > in->visits);
        return k < in->n_order && in->rank ? -in->rank[k] : -1e300;
    case HOP_LIST_LONGEST:
    case HOP_LIST_RANDOM:
        break;
    }
    if (l->rule->key == HOP_LIST_LONGEST && l->rule->noise <= 0)
        return t->left_s;
    hop_philox(l->in->seed, (uint32_t)i, (uint32_t)t->visits, l->rule->stream, 0x504c414e, u);
    x = (double)u[0] / 4294967296.0;
    return l->rule->key == HOP_LIST_RANDOM ? x : t->left_s * (1 + l->rule->noise * (2 * x - 1));
}

static void
see(struct hop_list *l, size_t i, size_t s)
{
    l->seen[i * l->in->n_train + s] = 1;
    l->unseen[i * l->ready.n_words + s / 64] &= ~((uint64_t)1 << (s % 64));
}

static void
begin_iteration(struct hop_list *l, size_t i)
{
    uint64_t *bits = l->unseen + i * l->ready.n_words;
    size_t n = l->in->n_train;

    memset(l->seen + i * n, 0, n);
    memset(bits, 0xff, n / 64 * sizeof *bits);
    if (n % 64)
        bits[n / 64] = ((uint64_t)1 << (n % 64)) - 1;
}

/* What a config that is to train could visit next: what is given, any shard that it has not seen
 * in this iteration, or the next one in rotation. */
static int
want_training(struct hop_list *l, size_t i, uint64_t *wants, struct hop_err *e)
{
    const struct hop_sched_in *in = l->in;
    const struct hop_sched_task *given = &in->tasks[i];
    struct task *t = &l->tasks[i];
    char *seen = l->seen + i * in->n_train;
    size_t k = (size_t)(t->visits - given->visits), s;

    if (t->visits % (int64_t)in->n_train == 0)
        begin_iteration(l, i);
    if (given->order && k < given->n_order) {
        s = given->order[k];
        if (s >= in->n_train || seen[s])
            return hop_fail(e, HOP_EFORMAT, given->id, NULL,
                            "visit %lld is given to a shard that the config was on in that "
                            "iteration", (long long)t->visits + 1);
    } else if (in->is_free && !l->rule->is_rotating) {
        memcpy(wants, l->unseen + i * l->ready.n_words, l->ready.n_words * sizeof *wants);
        return HOP_OK;
    } else {
        s = hop_cyclic_next(seen, t->next_shard, in->n_train);
    }
    wants[s / 64] |= (uint64_t)1 << (s % 64);
    return HOP_OK;
}

/* Nothing of the config runs: what comes next? */
static int
come_to_wait(struct hop_list *l, size_t i, struct hop_err *e)
{
    const struct hop_sched_in *in = l->in;
    uint64_t *wants = hop_ready_wants(&l->ready, (uint32_t)i + 1);
    struct task *t = &l->tasks[i];
    size_t s;
    int rc;

    if (!t->n_todo && t->visits >= t->target)
        return HOP_OK;
    memset(wants, 0, l->ready.n_words * sizeof *wants);
    if (!t->n_todo && (rc = want_training(l, i, wants, e)))
        return rc;
    for (s = 0; t->n_todo && s < in->n_shards; s++)
        wants[s / 64] |= (uint64_t)(t->visits == in->tasks[i].visits ? in->tasks[i].eval_todo[s] != 0
                                                                     : in->shards[s].is_eval)
                         << (s % 64);
    hop_ready_add(&l->ready, (uint32_t)i + 1, key_of(l, i));
    l->fresh[l->n_fresh++] = (uint32_t)i;
    return HOP_OK;
}

/* A training visit has ended: is its state to be evaluated? */
static void
set_todo(struct hop_list *l, struct task *t)
{
    const struct hop_sched_in *in = l->in;
    int64_t p = (int64_t)in->n_train;
    size_t s;

    if (t->visits % p || !hop_eval_is_due(t->visits / p, t->target / p, in->eval_every))
        return;
    for (s = 0; s < in->n_shards; s++)
        t->n_todo += in->shards[s].is_eval;
}

/* ---- 4 visits ---- */

/* Begin a visit of task i to shard s on worker w. */
static int
begin(struct hop_list *l, size_t i, size_t s, size_t w, struct hop_err *e)
{
    const struct hop_sched_in *in = l->in;
    struct task *t = &l->tasks[i];
    struct worker *worker = &l->workers[w];
    uint32_t item = (uint32_t)i + 1, slot = 0;
    double key = l->ready.key[item], share;
    size_t k;
    struct hop_sched_visit v = {.task = (uint32_t)i, .shard = (uint32_t)s, .worker = (uint32_t)w,
                                .is_eval = t->n_todo > 0, .start_s = l->now};

    while (worker->busy >> slot & 1)
        slot++;
    hop_ready_remove(&l->ready, item);
    t->n_running++;
    if (v.is_eval) {
        hop_ready_wants(&l->ready, item)[s / 64] &= ~((uint64_t)1 << (s % 64));
        if (--t->n_todo)
            hop_ready_add(&l->ready, item, key);
    } else {
        t->visits++;
        t->next_shard = (s + 1) % in->n_train;
        see(l, i, s);
        share = least_cost(in, i, s);
        t->left_s -= share;
        l->load[s] -= share;
        for (k = 0; k < in->shards[s].n_workers; k++)
            l->workers[in->shards[s].workers[k]].left_s -= share / (double)in->shards[s].n_workers;
    }
    v.slot = (uint16_t)slot;
    v.visit = t->visits;
    v.iteration = (t->visits + (int64_t)in->n_train - 1) / (int64_t)in->n_train;
    v.expect_s = hop_sched_cost(in, i, s, w, v.is_eval);
    worker->busy |= (uint64_t)1 << slot;
    if (++worker->n_busy == in->workers[w].n_slots)
        set_open(l, worker, false);
    push_event(l, (struct event){l->now + v.expect_s, v.task, v.worker, v.slot, v.is_eval});
    return hop_sched_add(l->plan, &v, e);
}

/* Of the shards in both sets, the one with most work ahead for each of its workers; -1 = none. Of
 * very many the first few dozen are looked at, from word `begin` on. */
static long
choose_shard(const struct hop_list *l, const uint64_t *wants, const struct hop_mask *m,
             size_t begin)
{
    double load, most = 0;
    uint64_t both;
    long best = -1;
    size_t i, k, s, at, n_seen = 0;

    for (i = 0; i < m->n && n_seen < 64; i++) {
        k = begin + i < m->n ? begin + i : begin + i - m->n;
        at = m->word[k];
        for (both = wants[at] & m->bits[k]; both; both &= both - 1, n_seen++) {
            s = at * 64 + (size_t)__builtin_ctzll(both);
            load = l->load[s] / (double)l->in->shards[s].n_workers;
            if (best < 0 || load > most) {
                best = (long)s;
                most = load;
            }
        }
    }
    return best;
}

/* Fill the free slots of a worker. */
static int
serve_worker(struct hop_list *l, uint32_t w, struct hop_err *e)
{
    const struct hop_mask *holds = &l->workers[w].holds;
    uint32_t item;
    int rc = HOP_OK;

    while (!rc && l->workers[w].n_busy < l->in->workers[w].n_slots &&
           (item = hop_ready_first(&l->ready, holds)))
        rc = begin(l, item - 1,
                   (size_t)choose_shard(l, hop_ready_wants(&l->ready, item), holds, 0), w, e);
    return rc;
}

/* A config that has just come to wait may find workers that have been waiting. */
static int
serve_task(struct hop_list *l, uint32_t i, struct hop_err *e)
{
    const struct hop_sched_in *in = l->in;
    const struct hop_mask open = {l->every_word, l->open, l->ready.n_words};
    const struct hop_sched_shard *shard;
    double cost, least;
    uint32_t w, best;
    long s;
    size_t k;
    int rc = HOP_OK;

    while (!rc && l->ready.is_in[i + 1]) {
        s = choose_shard(l, hop_ready_wants(&l->ready, i + 1), &open,
                         l->tasks[i].next_shard / 64);
        if (s < 0)
            break;
        shard = &in->shards[s];
        least = -1;
        best = 0;
        for (k = 0; k < shard->n_workers; k++) {
            w = shard->workers[k];
            if (l->workers[w].n_busy == in->workers[w].n_slots)
                continue;
            cost = hop_sched_cost(in, i, (size_t)s, w, l->tasks[i].n_todo > 0);
            if (least < 0 || cost < least) {
                least = cost;
                best = w;
            }
        }
        rc = begin(l, i, (size_t)s, best, e);
    }
    return rc;
}

/* The workers of this round, those with most work ahead first (RANDOM: as chance has it). */
static void
order_freed(struct hop_list *l)
{
    uint32_t u[4], keep;
    size_t i, k;

    for (i = 1; i < l->n_freed && l->rule->key == HOP_LIST_RANDOM; i++) {
        hop_philox(l->in->seed, (uint32_t)i, (uint32_t)l->plan->n, l->rule->stream, 0x4652, u);
        k = u[0] % (i + 1);
        keep = l->freed[i];
        l->freed[i] = l->freed[k];
        l->freed[k] = keep;
    }
    for (i = 1; i < l->n_freed && l->rule->key != HOP_LIST_RANDOM; i++) {
        keep = l->freed[i];
        for (k = i; k && l->workers[l->freed[k - 1]].left_s < l->workers[keep].left_s; k--)
            l->freed[k] = l->freed[k - 1];
        l->freed[k] = keep;
    }
}

static int
serve_round(struct hop_list *l, struct hop_err *e)
{
    size_t i;
    int rc = HOP_OK;

    order_freed(l);
    for (i = 0; i < l->n_freed && !rc; i++)
        rc = serve_worker(l, l->freed[i], e);
    for (i = 0; i < l->n_fresh && !rc; i++)
        rc = serve_task(l, l->fresh[i], e);
    l->n_freed = l->n_fresh = 0;
    return rc;
}

/* All that ends now. Times that differ by rounding alone are one. */
static int
end_visits(struct hop_list *l, struct hop_err *e)
{
    double until = l->events[0].end_s * (1 + 1e-12) + 1e-12;
    struct event ev;
    struct worker *w;
    struct task *t;
    int rc = HOP_OK;

    while (!rc && l->n_events && l->events[0].end_s <= until) {
        ev = pop_event(l);
        l->now = ev.end_s;
        w = &l->workers[ev.worker];
        t = &l->tasks[ev.task];
        w->busy &= ~((uint64_t)1 << ev.slot);
        if (w->n_busy-- == l->in->workers[ev.worker].n_slots)
            set_open(l, w, true);
        l->freed[l->n_freed++] = ev.worker;
        t->n_running--;
        if (!ev.is_eval)
            set_todo(l, t);
        if (!t->n_running && !l->ready.is_in[ev.task + 1])
            rc = come_to_wait(l, ev.task, e);
    }
    return rc;
}

/* ---- 5 a run ---- */

static int
start(struct hop_list *l, struct hop_err *e)
{
    const struct hop_sched_in *in = l->in;
    const struct hop_sched_task *t;
    size_t i, s;
    int rc = HOP_OK;

    hop_ready_reset(&l->ready);
    memset(l->open, 0, l->ready.n_words * sizeof *l->open);
    memset(l->n_open, 0, in->n_shards * sizeof *l->n_open);
    memcpy(l->load, l->load_0, in->n_shards * sizeof *l->load);
    l->n_events = l->n_freed = l->n_fresh = 0;
    l->now = 0;
    for (i = 0; i < in->n_workers; i++) {
        l->workers[i].busy = 0;
        l->workers[i].n_busy = 0;
        l->workers[i].left_s = 0;
        set_open(l, &l->workers[i], true);
        l->freed[l->n_freed++] = (uint32_t)i;
    }
    for (s = 0; s < in->n_shards; s++)
        for (i = 0; i < in->shards[s].n_workers; i++)
            l->workers[in->shards[s].workers[i]].left_s +=
                l->load[s] / (double)in->shards[s].n_workers;
    for (i = 0; i < in->n_tasks && !rc; i++) {
        t = &in->tasks[i];
        l->tasks[i] = (struct task){.visits = t->visits,
                                    .target = t->until * (int64_t)in->n_train,
                                    .next_shard = t->next_shard,
                                    .left_s = l->left_0[i]};
        begin_iteration(l, i);
        for (s = 0; t->seen && s < in->n_train; s++)
            if (t->seen[s])
                see(l, i, s);
        if (l->rule->first && t->visits % (int64_t)in->n_train == 0)
            l->tasks[i].next_shard = l->rule->first[i];
        for (s = 0; t->eval_todo && s < in->n_shards; s++)
            l->tasks[i].n_todo += t->eval_todo[s] != 0;
        rc = come_to_wait(l, i, e);
    }
    return rc;
}

int
hop_list_run(struct hop_list *l, const struct hop_list_rule *rule, struct hop_sched *plan,
             struct hop_err *e)
{
    int rc;

    l->rule = rule;
    l->plan = plan;
    plan->n = 0;
    if ((rc = start(l, e)))
        return rc;
    rc = serve_round(l, e);
    while (!rc && l->n_events)
        if (!(rc = end_visits(l, e)))
            rc = serve_round(l, e);
    return rc;
}

int
hop_list_once(const struct hop_sched_in *in, const struct hop_list_rule *rule,
              struct hop_sched *plan, struct hop_err *e)
{
    struct hop_list *l = hop_list_new(in, e);
    int rc = l ? hop_list_run(l, rule, plan, e) : HOP_ENOMEM;

    hop_list_free(l);
    return rc;
}
