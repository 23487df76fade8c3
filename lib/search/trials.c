#include "search/trials.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "format/flat.h"

/* Contents: 1 what is kept, 2 hashing, 3 lines, 4 reading, 5 asking */

/* ---- 1 what is kept ---- */

enum { MAX_SPLITS = 64 };

/* An open-addressed table of indices, 0 = free, else index + 1. */
struct index_table {
    uint32_t *at;
    size_t n, n_slots; /* n_slots a power of two */
};

struct hop_trials_store {
    char *text; /* the log; what is borrowed from it ends at line ends */
    struct text { struct text *next; char *s; } *more; /* texts of lines that were not flat */
    struct hop_entry *entries;
    size_t n, cap, cap_trials;
    struct index_table by_id, by_key;
    char *splits[MAX_SPLITS];
    int n_splits;
};

/* A line, understood. */
struct line {
    enum { CONFIG, TRAIN, EVAL } kind;
    struct hop_entry entry;
    struct hop_json *json; /* of config/1 lines */
    const struct hop_flat_member *split;
    bool is_diverged;
    double wall_s;
    char id[256]; /* last: it is not cleared line by line */
};

/* ---- 2 hashing ---- */

static uint64_t
hash_bytes(const void *p, size_t n, uint64_t h)
{
    const uint8_t *b = p;
    size_t i;

    for (i = 0; i < n; i++)
        h = (h ^ b[i]) * 0x100000001B3u;
    return h ^ h >> 29;
}

static uint64_t
hash_id(const char *id)
{
    return hash_bytes(id, strlen(id), 0xCBF29CE484222325u);
}

/* What an entry is about: of a visit its number, of an evaluation iteration and split. */
static uint64_t
hash_entry(const struct hop_entry *e)
{
    int64_t key[3] = {e->i_trial, e->i_split, e->i_split < 0 ? e->visit : e->iteration};

    return hash_bytes(key, sizeof key, 0xCBF29CE484222325u);
}

static bool
is_same(const struct hop_entry *a, const struct hop_entry *b)
{
    return a->i_trial == b->i_trial && a->i_split == b->i_split &&
           (a->i_split < 0 ? a->visit == b->visit : a->iteration == b->iteration);
}

typedef uint64_t hash_fn(const struct hop_trials *t, size_t i);

static uint64_t
hash_trial_at(const struct hop_trials *t, size_t i)
{
    return hash_id(t->v[i].id);
}

static uint64_t
hash_entry_at(const struct hop_trials *t, size_t i)
{
    return hash_entry(&t->store->entries[i]);
}

/* Room for one more index; the table stays at most half full. */
static int
make_room(struct index_table *x, const struct hop_trials *t, hash_fn *hash, struct hop_err *e)
{
    size_t n_slots = x->n_slots ? x->n_slots * 4 : 1024, i, k;
    uint32_t *at;

    if (x->n_slots && x->n * 2 < x->n_slots)
        return HOP_OK;
    if (!(at = hop_alloc(n_slots, sizeof *at, e)))
        return HOP_ENOMEM;
    for (i = 0; i < x->n_slots; i++) {
        if (!x->at[i])
            continue;
        for (k = hash(t, x->at[i] - 1) & (n_slots - 1); at[k]; k = (k + 1) & (n_slots - 1))
            ;
        at[k] = x->at[i];
    }
    free(x->at);
    x->at = at;
    x->n_slots = n_slots;
    return HOP_OK;
}

/* The slot of `id`: that of its trial, or the free one where it belongs. */
static uint32_t *
slot_of_id(const struct hop_trials *t, const char *id)
{
    const struct index_table *x = &t->store->by_id;
    size_t k = hash_id(id) & (x->n_slots - 1);

    while (x->at[k] && strcmp(t->v[x->at[k] - 1].id, id))
        k = (k + 1) & (x->n_slots - 1);
    return &x->at[k];
}

static uint32_t *
slot_of_entry(const struct hop_trials_store *s, const struct hop_entry *entry)
{
    const struct index_table *x = &s->by_key;
    size_t k = hash_entry(entry) & (x->n_slots - 1);

    while (x->at[k] && !is_same(&s->entries[x->at[k] - 1], entry))
        k = (k + 1) & (x->n_slots - 1);
    return &x->at[k];
}

const struct hop_trial *
hop_trials_find(const struct hop_trials *t, const char *id)
{
    uint32_t at = t->n ? *slot_of_id(t, id) : 0;

    return at ? &t->v[at - 1] : NULL;
}

/* ---- 3 lines ---- */

/* The split's number, given to it if it is new. Past MAX_SPLITS of them all others are one. */
static int
split_number(struct hop_trials_store *s, const struct hop_flat_member *m, struct hop_err *e)
{
    struct hop_str name = {0};
    int i;

    for (i = 0; i < s->n_splits; i++)
        if (hop_flat_is(m, s->splits[i]))
            return i;
    if (s->n_splits == MAX_SPLITS)
        return MAX_SPLITS;
    hop_str_add_n(&name, m->value, m->n_value);
    if (hop_str_check(&name, e) || !(s->splits[s->n_splits] = hop_dup(hop_str_c(&name), e))) {
        hop_str_clear(&name);
        return HOP_ENOMEM;
    }
    hop_str_clear(&name);
    return s->n_splits++;
}

/* The trial called `id`, made if it is new. */
static int
trial_of(struct hop_trials *t, const char *id, size_t order, uint32_t *out, struct hop_err *e)
{
    struct hop_trials_store *s = t->store;
    uint32_t *slot;
    int rc;

    if ((rc = make_room(&s->by_id, t, hash_trial_at, e)))
        return rc;
    slot = slot_of_id(t, id);
    if (!*slot) {
        if ((rc = hop_grow(&t->v, &s->cap_trials, t->n + 1, sizeof *t->v, e)))
            return rc;
        t->v[t->n] = (struct hop_trial){.id = hop_dup(id, e), .order = order};
        if (!t->v[t->n].id)
            return HOP_ENOMEM;
        *slot = (uint32_t)++t->n;
        s->by_id.n++;
    }
    *out = *slot - 1;
    return HOP_OK;
}

/* 0 and *kind, or -1 for a line that is none of ours. */
static int
kind_of(const struct hop_flat *f, struct line *out)
{
    const struct hop_flat_member *hop = hop_flat_find(f, "hop"), *id = hop_flat_find(f, "id");

    if (hop_flat_is(hop, "train/1"))
        out->kind = TRAIN;
    else if (hop_flat_is(hop, "eval/1"))
        out->kind = EVAL;
    else if (hop_flat_is(hop, "config/1"))
        out->kind = CONFIG;
    else
        return -1;
    if (!id || id->kind != 's' || id->n_value >= sizeof out->id)
        return -1;
    memcpy(out->id, id->value, id->n_value);
    out->id[id->n_value] = 0;
    return 0;
}

/* A line of JSON that is not flat: the flat part of it, with values of its own. */
static int
flatten(struct hop_trials_store *s, const struct hop_json *j, const char **text, size_t *n,
        struct hop_err *e)
{
    struct hop_json *flat = hop_json_object();
    struct hop_str out = {0};
    struct hop_flat one;
    struct text *kept;
    void *it;
    int rc = HOP_OK;

    for (it = hop_json_first(j); it && !rc; it = hop_json_next(j, it)) {
        struct hop_json *alone = hop_json_object();

        out.n = 0;
        hop_json_set(alone, hop_json_it_key(it), hop_json_copy(hop_json_it_value(it)));
        rc = hop_json_dump(alone, &out, e);
        if (!rc && hop_flat_parse(hop_str_c(&out), out.n, &one) &&
            hop_json_len(flat) < HOP_FLAT_MAX)
            hop_json_set(flat, hop_json_it_key(it), hop_json_copy(hop_json_it_value(it)));
        hop_json_free(alone);
    }
    out.n = 0;
    if (!rc)
        rc = hop_json_dump(flat, &out, e);
    hop_json_free(flat);
    kept = hop_alloc(1, sizeof *kept, e);
    if (rc || !kept || (rc = hop_str_check(&out, e))) {
        hop_str_clear(&out);
        free(kept);
        return rc ? rc : HOP_ENOMEM;
    }
    *kept = (struct text){s->more, out.s};
    s->more = kept;
    *text = out.s;
    *n = out.n;
    return HOP_OK;
}

static void
understand(const struct hop_flat *f, struct line *out)
{
    out->entry.iteration = hop_flat_int(hop_flat_find(f, "iteration"));
    out->entry.visit = hop_flat_int(hop_flat_find(f, "visit"));
    out->entry.i_split = -1;
    if (out->kind == EVAL) {
        out->split = hop_flat_find(f, "split");
    } else {
        out->is_diverged = hop_flat_is(hop_flat_find(f, "status"), "diverged");
        out->wall_s = hop_flat_real(hop_flat_find(f, "wall_s"));
    }
}

/* A config/1 line. Its first is kept: what differs later is refused by whoever writes configs. */
static int
add_config(struct hop_trials *t, struct line *l, struct hop_err *e)
{
    int64_t until = hop_json_int(hop_json_get(l->json, "until"));
    uint32_t i;
    int rc = trial_of(t, l->id, l->entry.order, &i, e);

    if (rc)
        return rc;
    if (until > t->v[i].until)
        t->v[i].until = until;
    if (!t->v[i].config) {
        t->v[i].config = l->json;
        l->json = NULL;
    }
    return HOP_OK;
}

static int
add_entry(struct hop_trials *t, const struct line *l, const struct hop_flat *f, struct hop_err *e)
{
    struct hop_trials_store *s = t->store;
    struct hop_entry entry = l->entry;
    struct hop_trial *trial;
    uint32_t *slot;
    int rc;

    if ((rc = trial_of(t, l->id, entry.order, &entry.i_trial, e)))
        return rc;
    trial = &t->v[entry.i_trial];
    if (l->kind == EVAL) {
        if (!l->split || l->split->kind != 's')
            return HOP_OK;
        trial->has_val = trial->has_val || hop_flat_is(l->split, "val");
        t->has_val = t->has_val || trial->has_val;
        if (hop_flat_find(f, "shard"))
            return HOP_OK; /* a part */
        if ((entry.i_split = split_number(s, l->split, e)) < 0)
            return entry.i_split;
    }
    if ((rc = make_room(&s->by_key, t, hash_entry_at, e)))
        return rc;
    slot = slot_of_entry(s, &entry);
    if (*slot)
        return HOP_OK;
    if ((rc = hop_grow(&s->entries, &s->cap, s->n + 1, sizeof *s->entries, e)))
        return rc;
    s->entries[s->n] = entry;
    *slot = (uint32_t)++s->n;
    s->by_key.n++;
    trial->n_entries++;
    if (l->kind == TRAIN) {
        if (l->is_diverged && !trial->is_diverged) {
            trial->is_diverged = true;
            trial->diverged_order = entry.order;
        }
        trial->train_s += isnan(l->wall_s) ? 0 : l->wall_s;
        trial->visits++;
    }
    return HOP_OK;
}

/* ---- 4 reading ---- */

static bool
is_blank(const char *text, size_t n)
{
    size_t i;

    for (i = 0; i < n && (text[i] == ' ' || text[i] == '\t' || text[i] == '\r'); i++)
        ;
    return i == n;
}

/* A line that is not flat: JSON all the same, or bad. *is_bad, and e untouched, if so. */
static int
read_json(struct hop_trials *t, const char *text, size_t n, const char *where, struct line *l,
          struct hop_flat *f, bool *is_bad, struct hop_err *e)
{
    struct hop_err one = {0};
    struct hop_json *j;
    int rc = hop_json_parse(text, n, where, &j, &one);

    *is_bad = rc == HOP_EFORMAT || (!rc && hop_json_kind(j) != HOP_JSON_OBJECT);
    if (*is_bad) {
        hop_log(HOP_LOG_WARN, "%s: line skipped: %s", where,
                rc ? one.what : "this is no JSON object");
        if (!rc)
            hop_json_free(j);
        return HOP_OK;
    }
    if (rc)
        return hop_fail(e, rc, one.where, one.hint, "%s", one.what);
    if (!(rc = flatten(t->store, j, &l->entry.text, &l->entry.n_text, e)) &&
        !hop_flat_parse(l->entry.text, l->entry.n_text, f))
        *is_bad = true; /* cannot be */
    hop_json_free(j);
    return rc;
}

/* A line that is not flat, as add_line. */
static int
add_other_line(struct hop_trials *t, const char *text, size_t n, const char *where, size_t number,
               struct line *l, struct hop_flat *f, bool *is_bad, struct hop_err *e)
{
    char place[700];

    snprintf(place, sizeof place, "%.600s:%zu", where, number);
    return read_json(t, text, n, place, l, f, is_bad, e);
}

static int
add_line(struct hop_trials *t, const char *text, size_t n, const char *where, size_t number,
         struct hop_err *e)
{
    struct hop_flat f;
    struct line l;
    bool is_bad = false;
    int rc = HOP_OK;

    memset(&l, 0, offsetof(struct line, id));
    l.entry = (struct hop_entry){.text = text, .n_text = n, .order = number};
    if (!hop_flat_parse(text, n, &f))
        rc = add_other_line(t, text, n, where, number, &l, &f, &is_bad, e);
    if (rc || is_bad || kind_of(&f, &l) < 0)
        return rc;
    understand(&f, &l);
    if (l.kind != CONFIG)
        return add_entry(t, &l, &f, e);
    if ((rc = hop_json_parse(text, n, where, &l.json, e)))
        return rc;
    rc = add_config(t, &l, e);
    hop_json_free(l.json);
    return rc;
}

/* Entries by trial, each trial's in the log's order: a counting sort. */
static int
group(struct hop_trials *t, struct hop_err *e)
{
    struct hop_trials_store *s = t->store;
    struct hop_entry *sorted = hop_alloc(s->n, sizeof *sorted, e);
    size_t *at = hop_alloc(t->n, sizeof *at, e), i, sum = 0;
    int rc = sorted && at ? HOP_OK : HOP_ENOMEM;

    for (i = 0; i < t->n && !rc; i++) {
        at[i] = sum;
        t->v[i].entries = sorted + sum;
        sum += t->v[i].n_entries;
    }
    for (i = 0; i < s->n && !rc; i++)
        sorted[at[s->entries[i].i_trial]++] = s->entries[i];
    free(at);
    if (rc) {
        free(sorted);
        return rc;
    }
    free(s->entries);
    s->entries = sorted;
    free(s->by_key.at);
    s->by_key = (struct index_table){0};
    return HOP_OK;
}

/* The log becomes t's, NUL-terminated. */
static int
read_text(char *text, size_t n, const char *where, struct hop_trials *t, struct hop_err *e)
{
    const char *p = text, *end = text + n, *eol;
    size_t number = 0;
    int rc = HOP_OK;

    *t = (struct hop_trials){.store = hop_alloc(1, sizeof *t->store, e)};
    if (!t->store) {
        free(text);
        return HOP_ENOMEM;
    }
    t->store->text = text;
    for (; p < end && !rc; p = eol + 1) {
        number++;
        if (!(eol = memchr(p, '\n', (size_t)(end - p)))) {
            eol = end;
            if (!is_blank(p, (size_t)(eol - p)))
                hop_log(HOP_LOG_WARN, "%s:%zu: line skipped: no newline at its end", where, number);
        } else if (!is_blank(p, (size_t)(eol - p))) {
            rc = add_line(t, p, (size_t)(eol - p), where, number, e);
        }
    }
    if (!rc)
        rc = group(t, e);
    if (rc)
        hop_trials_clear(t);
    return rc;
}

int
hop_trials_parse(const char *text, size_t n, const char *where, struct hop_trials *t,
                 struct hop_err *e)
{
    char *copy = hop_alloc(n + 1, 1, e);

    *t = (struct hop_trials){0};
    if (!copy)
        return HOP_ENOMEM;
    memcpy(copy, text, n);
    return read_text(copy, n, where, t, e);
}

int
hop_trials_read(int fd, const char *where, struct hop_trials *t, struct hop_err *e)
{
    char *text;
    size_t n;
    int rc;

    *t = (struct hop_trials){0};
    if ((rc = hop_read_fd(fd, where, (size_t)1 << 40, &text, &n, e)))
        return rc;
    return read_text(text, n, where, t, e);
}

void
hop_trials_clear(struct hop_trials *t)
{
    struct hop_trials_store *s = t->store;
    struct text *kept;
    size_t i;

    for (i = 0; i < t->n; i++) {
        free((char *)t->v[i].id);
        hop_json_free(t->v[i].config);
    }
    free(t->v);
    for (i = 0; s && i < (size_t)s->n_splits; i++)
        free(s->splits[i]);
    while (s && (kept = s->more)) {
        s->more = kept->next;
        free(kept->s);
        free(kept);
    }
    if (s) {
        free(s->text);
        free(s->entries);
        free(s->by_id.at);
        free(s->by_key.at);
    }
    free(s);
    *t = (struct hop_trials){0};
}

/* ---- 5 asking ---- */

int
hop_trials_split(const struct hop_trials *t, const char *name)
{
    int i;

    for (i = 0; t->store && i < t->store->n_splits; i++)
        if (!strcmp(t->store->splits[i], name))
            return i;
    return -1;
}

double
hop_entry_number(const struct hop_entry *line, const char *key)
{
    struct hop_flat f;

    return hop_flat_parse(line->text, line->n_text, &f) ? hop_flat_real(hop_flat_find(&f, key))
                                                        : NAN;
}

bool
hop_entry_has(const struct hop_entry *line, const char *key)
{
    struct hop_flat f;

    return hop_flat_parse(line->text, line->n_text, &f) && hop_flat_find(&f, key);
}

const struct hop_entry *
hop_trial_eval(const struct hop_trial *t, int i_split, int64_t iteration)
{
    size_t i;

    for (i = 0; t && i_split >= 0 && i < t->n_entries; i++)
        if (t->entries[i].i_split == i_split && t->entries[i].iteration == iteration)
            return &t->entries[i];
    return NULL;
}

double
hop_trial_visits_mean(const struct hop_trial *t, const char *key, int64_t iteration)
{
    double sum = 0, n = 0, examples, v;
    const struct hop_entry *line;
    size_t i;

    for (i = 0; i < t->n_entries; i++) {
        line = &t->entries[i];
        if (line->i_split >= 0 || line->iteration != iteration)
            continue;
        examples = hop_entry_number(line, "examples");
        v = hop_entry_number(line, key);
        sum += v * examples;
        n += examples;
    }
    return n > 0 ? sum / n : NAN;
}

bool
hop_trial_is_done(const struct hop_trials *all, const struct hop_trial *t, int64_t until)
{
    int i_val = hop_trials_split(all, "val");
    size_t i;

    if (t->is_diverged)
        return true;
    for (i = 0; i < t->n_entries; i++)
        if (t->entries[i].i_split >= 0 && t->entries[i].iteration >= until &&
            (!all->has_val || t->entries[i].i_split == i_val))
            return true;
    return false;
}
