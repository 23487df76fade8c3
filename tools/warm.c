/* Contents: 1 things kept, 2 inputs, 3 models' memory, 4 plans, 5 shards */
#include "warm.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"

/* ---- 1 things kept ---- */

enum kind { INPUT, TRAINING, PLAN, SHARD };

struct item {
    struct item *next;
    enum kind kind;
    char *key;         /* NULL: to be dropped when the last user gives it back */
    int n_users;
    int64_t bytes;
    uint64_t used_at;  /* w->clock when it was given back */
    struct hop_st_input input;
    char *precision;   /* what the plan's spec borrows */
    struct hop_training training;
    struct train_plan plan;
    struct hop_shard shard;
};

struct warm {
    pthread_mutex_t lock;
    struct item *items;
    int64_t max_bytes, bytes;
    uint64_t clock;
};

struct warm *
warm_new(int64_t max_bytes, struct hop_err *e)
{
    struct warm *w = hop_alloc(1, sizeof *w, e);

    if (w) {
        w->max_bytes = max_bytes;
        pthread_mutex_init(&w->lock, NULL);
    }
    return w;
}

static void
item_free(struct item *x)
{
    if (x->plan.session.ops)
        hop_session_close(&x->plan.session); /* before the net that it was compiled with */
    hop_net_free(x->plan.net);
    hop_training_clear(&x->training);
    hop_shard_close(&x->shard);
    free(x->input.bytes);
    free(x->precision);
    free(x->key);
    free(x);
}

/* Under the lock: take out what must go; the caller frees the list. */
static struct item *
take_out(struct warm *w)
{
    struct item *out = NULL, **p, **oldest;

    for (p = &w->items; *p;) {
        struct item *x = *p;

        if (x->n_users || x->key) {
            p = &x->next;
            continue;
        }
        *p = x->next;
        w->bytes -= x->bytes;
        x->next = out;
        out = x;
    }
    while (w->bytes > w->max_bytes) {
        struct item *x;

        for (oldest = NULL, p = &w->items; *p; p = &(*p)->next)
            if (!(*p)->n_users && (!oldest || (*p)->used_at < (*oldest)->used_at))
                oldest = p;
        if (!oldest)
            break;
        x = *oldest;
        *oldest = x->next;
        w->bytes -= x->bytes;
        x->next = out;
        out = x;
    }
    return out;
}

static void
unlock(struct warm *w)
{
    struct item *gone = take_out(w), *next;

    pthread_mutex_unlock(&w->lock);
    for (; gone; gone = next) {
        next = gone->next;
        item_free(gone);
    }
}

void
warm_set_limit(struct warm *w, int64_t max_bytes)
{
    pthread_mutex_lock(&w->lock);
    w->max_bytes = max_bytes;
    unlock(w);
}

void
warm_free(struct warm *w)
{
    if (!w)
        return;
    warm_set_limit(w, -1);
    HOP_BUG_ON(w->items != NULL);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

/* One that is free (shards may be shared), now used; or NULL. */
static struct item *
find(struct warm *w, enum kind kind, const char *key)
{
    struct item *x;

    pthread_mutex_lock(&w->lock);
    for (x = w->items; x; x = x->next)
        if (x->kind == kind && x->key && (!x->n_users || kind == SHARD) && !strcmp(x->key, key)) {
            x->n_users++;
            break;
        }
    pthread_mutex_unlock(&w->lock);
    return x;
}

/* A new one, not yet in the list; take_key becomes its, well or not. */
static struct item *
item_new(enum kind kind, char *take_key, struct hop_err *e)
{
    struct item *x = hop_alloc(1, sizeof *x, e);

    if (!x) {
        free(take_key);
        return NULL;
    }
    x->kind = kind;
    x->key = take_key;
    x->n_users = 1;
    return x;
}

static void
keep(struct warm *w, struct item *x, int64_t bytes)
{
    pthread_mutex_lock(&w->lock);
    x->bytes = bytes;
    w->bytes += bytes;
    x->next = w->items;
    w->items = x;
    unlock(w);
}

static void
give(struct warm *w, struct item *x, int64_t bytes, bool is_good)
{
    pthread_mutex_lock(&w->lock);
    w->bytes += bytes - x->bytes;
    x->bytes = bytes;
    x->used_at = ++w->clock;
    x->n_users--;
    if (!is_good) {
        free(x->key);
        x->key = NULL;
    }
    unlock(w);
}

/* ---- 2 inputs ---- */

int
warm_input_take(struct warm *w, int fd, int (*wait)(void *arg, int fd, struct hop_err *e),
                void *arg, struct hop_st_input **out, struct hop_err *e)
{
    struct item *x = find(w, INPUT, "");
    char *key;
    int rc;

    if (!x) {
        if (!(key = hop_dup("", e)) || !(x = item_new(INPUT, key, e)))
            return HOP_ENOMEM;
        keep(w, x, 0);
    }
    *out = &x->input;
    if ((rc = hop_st_input_read(&x->input, fd, "stdin", HOP_MAX_MODEL_BYTES, wait, arg, e)))
        warm_input_give(w, &x->input);
    return rc;
}

void
warm_input_give(struct warm *w, struct hop_st_input *in)
{
    struct item *x = (struct item *)((char *)in - offsetof(struct item, input));

    give(w, x, (int64_t)in->cap, true);
}

/* ---- 3 models' memory ---- */

/* The architecture as the file has it, or as it would be written. */
static int
add_architecture(const struct hop_model *m, struct hop_str *s, struct hop_err *e)
{
    const char *text = hop_st_meta(&m->st, "hop.architecture");

    if (!text)
        return hop_json_dump(m->architecture, s, e);
    hop_str_add(s, text);
    return HOP_OK;
}

static int64_t
training_bytes(const struct hop_training *t)
{
    return t->own ? (int64_t)(t->net->n_params + t->net->n_trainable * (size_t)t->conf.n_slots) * 4
                  : 0;
}

int
warm_training_take(struct warm *w, const struct hop_model *m, struct hop_training *t,
                   struct hop_err *e)
{
    struct hop_train_conf conf;
    struct hop_str key = {0};
    struct item *x;
    int rc;

    if ((rc = hop_train_conf_parse(m->config, "stdin", &conf, e)))
        return rc;
    hop_str_addf(&key, "%s %d ", conf.optim->name, conf.n_slots);
    if ((rc = add_architecture(m, &key, e)) || (rc = hop_str_check(&key, e))) {
        hop_str_clear(&key);
        return rc;
    }
    if ((x = find(w, TRAINING, key.s))) {
        hop_str_clear(&key);
        if ((rc = hop_training_reload(m, "stdin", &x->training, e)))
            give(w, x, x->bytes, false);
    } else {
        if (!(x = item_new(TRAINING, key.s, e)))
            return HOP_ENOMEM;
        if ((rc = hop_training_adopt(m, "stdin", &x->training, e)))
            item_free(x);
        else
            keep(w, x, training_bytes(&x->training));
    }
    if (!rc)
        *t = x->training;
    return rc;
}

void
warm_training_give(struct warm *w, struct hop_training *t, bool is_good)
{
    struct item *x;

    pthread_mutex_lock(&w->lock);
    for (x = w->items; x->training.net != t->net; x = x->next)
        ;
    pthread_mutex_unlock(&w->lock);
    give(w, x, training_bytes(&x->training), is_good);
}

/* ---- 4 plans ---- */

/* All that a plan is compiled from, as text. */
static int
plan_key(const struct train_options *o, const struct hop_model *m, const struct hop_plan_spec *spec,
         struct hop_str *s, struct hop_err *e)
{
    const struct hop_device_ops *ops;
    const struct hop_lr *lr = &spec->lr;
    char device[64];
    int i, rc;

    if ((rc = hop_device_find(o->device, &ops, &i, e)))
        return rc;
    hop_device_identity(o->device, device, sizeof device);
    hop_str_addf(s, "%s %lld %s %lld %s %d %a %a %s %d ", device, (long long)o->threads,
                 spec->precision, (long long)spec->batch_size, spec->loss.kind->name,
                 spec->loss.from_logits, spec->loss.label_smoothing, spec->loss.delta,
                 spec->optim->name, spec->optim->slots(spec->optim_conf, NULL));
    for (i = 0; !ops->retune && spec->optim->hyper[i].name; i++)
        hop_str_addf(s, "%a ", spec->optim_conf[i]);
    if (!ops->retune) {
        hop_str_addf(s, "%p %a %a %a %a %a %a %a %a %d %d ", (const void *)lr->kind,
                     lr->warmup_steps, lr->decay_steps, lr->decay_rate, lr->alpha, lr->power,
                     lr->pct_start, lr->div_factor, lr->final_div_factor, lr->is_staircase,
                     lr->n_boundaries);
        for (i = 0; i < lr->n_boundaries; i++)
            hop_str_addf(s, "%a %a ", lr->boundaries[i], lr->factors[i]);
        hop_str_addf(s, "%a ", lr->factors[lr->n_boundaries]);
    }
    rc = add_architecture(m, s, e);
    return rc ? rc : hop_str_check(s, e);
}

/* With a net of its own, since the model's goes with the visit. */
static int
compile(struct item *x, const struct train_options *o, const struct hop_model *m,
        const struct hop_plan_spec *spec, const struct hop_state *state, struct hop_err *e)
{
    struct hop_plan_spec own = *spec;
    int rc;

    if (!(own.precision = x->precision = hop_dup(spec->precision, e)))
        return HOP_ENOMEM;
    if ((rc = hop_net_parse(m->architecture, "stdin", &x->plan.net, e)))
        return rc;
    own.net = x->plan.net;
    return hop_session_open(o->device, (int)o->threads, &own, state, &x->plan.session, e);
}

static int64_t
plan_bytes(const struct item *x)
{
    return (int64_t)x->plan.session.ops->plan_bytes(x->plan.session.plan);
}

/* All that nobody uses. Were there any? */
static bool
drop_plans(struct warm *w)
{
    struct item *x;
    bool has_any = false;

    pthread_mutex_lock(&w->lock);
    for (x = w->items; x; x = x->next)
        if (x->kind == PLAN && !x->n_users) {
            free(x->key);
            x->key = NULL;
            has_any = true;
        }
    unlock(w);
    return has_any;
}

int
warm_plan_take(struct warm *w, const struct train_options *o, const struct hop_model *m,
               const struct hop_plan_spec *spec, const struct hop_state *state,
               struct train_plan **out, struct hop_err *e)
{
    struct hop_str key = {0};
    struct item *x;
    int rc;

    if ((rc = plan_key(o, m, spec, &key, e))) {
        hop_str_clear(&key);
        return rc;
    }
    if ((x = find(w, PLAN, key.s))) {
        hop_str_clear(&key);
        if ((rc = hop_session_load(&x->plan.session, spec, state, e)))
            give(w, x, x->bytes, false);
    } else {
        if (!(x = item_new(PLAN, key.s, e)))
            return HOP_ENOMEM;
        rc = compile(x, o, m, spec, state, e);
        if (rc == HOP_ENOMEM && drop_plans(w)) { /* a GPU's memory has another limit than ours */
            hop_err_clear(e);
            hop_net_free(x->plan.net);
            x->plan.net = NULL;
            free(x->precision);
            rc = compile(x, o, m, spec, state, e);
        }
        if (rc)
            item_free(x);
        else
            keep(w, x, plan_bytes(x));
    }
    if (!rc)
        *out = &x->plan;
    return rc;
}

void
warm_plan_give(struct warm *w, struct train_plan *p, bool is_good)
{
    struct item *x = (struct item *)((char *)p - offsetof(struct item, plan));

    /* The examples' memory may go. */
    hop_session_unbind(&p->session);
    give(w, x, plan_bytes(x), is_good);
}

/* ---- 5 shards ---- */

/* Which file it is, and in which state. The name, since the shard is called by it. */
static int
shard_key(const char *path, struct hop_str *key, bool *is_settled)
{
    const char *slash = strrchr(path, '/');
    struct timespec now;
    struct stat st;

    if (stat(path, &st) < 0 || clock_gettime(CLOCK_REALTIME, &now) < 0)
        return HOP_EIO;
    hop_str_addf(key, "%llx %llx %lld %lld.%09ld %lld.%09ld %s", (unsigned long long)st.st_dev,
                 (unsigned long long)st.st_ino, (long long)st.st_size, (long long)st.st_mtim.tv_sec,
                 st.st_mtim.tv_nsec, (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec,
                 slash ? slash + 1 : path);
    /* Clocks of file systems tick in milliseconds: a file may change twice within one tick. */
    *is_settled = (double)(now.tv_sec - st.st_ctim.tv_sec) +
                      (double)(now.tv_nsec - st.st_ctim.tv_nsec) / 1e9 > 0.05;
    return HOP_OK;
}

/* Errors name the file as the caller does: without what was put before it. */
static int
blame(const char *full, const char *path, int rc, const struct hop_err *from, struct hop_err *e)
{
    size_t n_more = strlen(full) - strlen(path);
    bool is_ours = !strncmp(from->where, full, n_more);

    return hop_fail(e, rc, from->where + (is_ours ? n_more : 0), from->hint, "%s", from->what);
}

/* Open it; what is not the file that the key was made of is not kept. */
static int
open_shard(struct warm *w, const char *full, char *take_key, bool is_settled, struct item **out,
           struct hop_err *e)
{
    struct item *x = *out = item_new(SHARD, take_key, e);
    struct hop_str after = {0};
    bool ignored;
    int rc;

    if (!x)
        return HOP_ENOMEM;
    if ((rc = hop_shard_open(full, &x->shard, e))) {
        item_free(x);
        return rc;
    }
    if (!is_settled || shard_key(full, &after, &ignored) || strcmp(hop_str_c(&after), x->key)) {
        free(x->key);
        x->key = NULL;
    }
    hop_str_clear(&after);
    keep(w, x, (int64_t)x->shard.st.map.n_bytes);
    return HOP_OK;
}

int
warm_shard_take(struct warm *w, int cwd_fd, const char *path, const struct hop_shard **out,
                struct hop_err *e)
{
    struct hop_str full = {0}, key = {0};
    struct hop_err own = {0};
    struct item *x = NULL;
    bool is_settled = false;
    int rc;

    if (path[0] != '/')
        hop_str_addf(&full, "/proc/self/fd/%d/", cwd_fd);
    hop_str_add(&full, path);
    if (!(rc = hop_str_check(&full, e)) && shard_key(full.s, &key, &is_settled))
        hop_str_add(&key, "?"); /* opening it says why */
    if (!rc && !(rc = hop_str_check(&key, e))) {
        if ((x = find(w, SHARD, key.s)))
            hop_str_clear(&key);
        else if ((rc = open_shard(w, full.s, key.s, is_settled, &x, &own)))
            blame(full.s, path, rc, &own, e);
    }
    hop_str_clear(&full);
    if (!rc)
        *out = &x->shard;
    return rc;
}

void
warm_shard_give(struct warm *w, const struct hop_shard *s)
{
    struct item *x = (struct item *)((char *)s - offsetof(struct item, shard));

    give(w, x, x->bytes, true);
}
