#include "schedule/numerics.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct kind {
    char *name;
    struct hop_str workers;
};

struct kinds {
    struct kind *v;
    size_t n, cap;
};

void
hop_numerics_kind(const char *fingerprint, struct hop_str *out)
{
    const char *plans = strstr(fingerprint, " plans "), *behind;

    if (!strncmp(fingerprint, "ref ", 4) || !strcmp(fingerprint, "ref") || strstr(fingerprint, " exact ")) {
        hop_str_add(out, "exact");
        return;
    }
    if (!plans) {
        hop_str_add(out, fingerprint);
        return;
    }
    behind = plans + strlen(" plans ");
    hop_str_addf(out, "%.*s%s", (int)(plans - fingerprint), fingerprint,
                 behind + strcspn(behind, " "));
}

/* "bf16" of "cpu ... bf16"; without such an end fp32. */
static const char *
precision_of(const char *fingerprint)
{
    const char *last = strrchr(fingerprint, ' ');

    return last && (!strcmp(last, " bf16") || !strcmp(last, " tf32")) ? last + 1 : "fp32";
}

static int
add(struct kinds *k, const char *fingerprint, const char *worker, struct hop_err *e)
{
    struct hop_str name = {0};
    size_t i;
    int rc;

    hop_numerics_kind(fingerprint, &name);
    if ((rc = hop_str_check(&name, e))) {
        hop_str_clear(&name);
        return rc;
    }
    for (i = 0; i < k->n && strcmp(k->v[i].name, name.s); i++)
        ;
    if (i == k->n) {
        if (hop_grow(&k->v, &k->cap, k->n + 1, sizeof *k->v, e)) {
            hop_str_clear(&name);
            return HOP_ENOMEM;
        }
        k->v[k->n++] = (struct kind){.name = name.s};
    } else {
        hop_str_clear(&name);
    }
    hop_str_addf(&k->v[i].workers, "%s%s", k->v[i].workers.n ? ", " : "", worker);
    return HOP_OK;
}

/* What a worker will make, from its line; nothing added: not known. */
static void
expect(const struct hop_worker *w, const char *device, const char *precision, struct hop_str *out)
{
    bool is_plain = !strcmp(precision, "fp32");

    if (device && !strcmp(device, "ref"))
        hop_str_add(out, "ref");
    else if (is_plain && w->fingerprint)
        hop_str_add(out, w->fingerprint);
    else if (!is_plain && strcmp(precision, "auto") && (w->fast || w->fingerprint))
        hop_str_addf(out, "%s %s", w->fast ? w->fast : w->fingerprint, precision);
}

/* Two workers whose lines say the same of where and what they are. */
static bool
are_alike(const struct hop_worker *a, const struct hop_worker *b)
{
    return !hop_worker_is_far(a) && !hop_worker_is_far(b) && !a->device == !b->device &&
           (!a->device || !strcmp(a->device, b->device)) && !a->path == !b->path &&
           (!a->path || !strcmp(a->path, b->path)) && !a->precision == !b->precision &&
           (!a->precision || !strcmp(a->precision, b->precision));
}

/* Worker i has visits: its kind, or one of which nothing is known. */
static int
add_worker(const struct hop_numerics_in *in, size_t i, struct kinds *k, const struct hop_worker **odd,
           struct hop_err *e)
{
    const struct hop_worker *w = &in->workers->v[i];
    const char *precision = w->precision ? w->precision : in->precision ? in->precision : "fp32";
    const char *past = hop_json_str(hop_json_get(in->tasks->numerics, w->name));
    struct hop_str will = {0};
    int rc = HOP_OK;

    if (past && (!strcmp(precision, "auto") || !strcmp(precision_of(past), precision)))
        return HOP_OK; /* among those of the past */
    expect(w, w->device ? w->device : in->device, precision, &will);
    if (will.n)
        rc = add(k, will.s, w->name, e);
    else if (!*odd)
        *odd = w;
    hop_str_clear(&will);
    return rc;
}

static int
write_kinds(const struct kinds *k, struct hop_numerics *out, struct hop_err *e)
{
    size_t i;

    out->n_kinds = k->n;
    for (i = 0; i < k->n; i++)
        hop_str_addf(&out->kinds, "%s%s (%s)", i ? "; " : "", k->v[i].name,
                     hop_str_c(&k->v[i].workers));
    return hop_str_check(&out->kinds, e);
}

int
hop_numerics_of(const struct hop_numerics_in *in, struct hop_numerics *out, struct hop_err *e)
{
    const struct hop_worker *odd = NULL;
    struct kinds k = {0};
    bool *has_visits = hop_alloc(in->workers->n, sizeof *has_visits, e);
    size_t i;
    void *it;
    int rc = has_visits ? HOP_OK : HOP_ENOMEM;

    *out = (struct hop_numerics){0};
    for (it = hop_json_first(in->tasks->numerics); it && !rc;
         it = hop_json_next(in->tasks->numerics, it))
        rc = add(&k, hop_json_str(hop_json_it_value(it)), hop_json_it_key(it), e);
    for (i = 0; i < in->plan->n && !rc; i++)
        if (!in->plan->v[i].is_eval)
            has_visits[in->plan->v[i].worker] = true;
    for (i = 0; i < in->workers->n && !rc; i++)
        if (has_visits[i])
            rc = add_worker(in, i, &k, &odd, e);
    for (i = 0; i < in->workers->n && !rc && odd; i++)
        if (has_visits[i] && (k.n || !are_alike(odd, &in->workers->v[i])))
            out->unknown = odd->name;
    if (!rc)
        rc = write_kinds(&k, out, e);
    for (i = 0; i < k.n; i++) {
        free(k.v[i].name);
        hop_str_clear(&k.v[i].workers);
    }
    free(k.v);
    free(has_visits);
    if (rc)
        hop_numerics_clear(out);
    return rc;
}

void
hop_numerics_clear(struct hop_numerics *n)
{
    hop_str_clear(&n->kinds);
    *n = (struct hop_numerics){0};
}
