#include "schedule/workers.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "format/shard.h"
#include "base/opt.h"
#include "base/str.h"
#include "schedule/plan.h"

static const char known_keys[] = "name, ssh, srun, device, precision, keep, folder, path, shards, slots, "
                                 "send_ahead, speed, bytes_per_s, node, gres, sbatch";

/* Every element a string? */
static bool
are_texts(const struct hop_json *array)
{
    size_t i;

    for (i = 0; i < hop_json_len(array); i++)
        if (!hop_json_str(hop_json_at(array, i)))
            return false;
    return hop_json_kind(array) == HOP_JSON_ARRAY;
}

static int
check_keys(const struct hop_json *j, const char *where, struct hop_err *e)
{
    static const char *const known[] = {"name",        "ssh",    "device", "precision", "keep", "folder",
                                        "path",        "shards", "slots",  "speed",     "hop",  "probe",
                                         "bytes_per_s", "node",   "gres",   "sbatch",    "srun", "send_ahead"};
    void *it;
    size_t i;

    for (it = hop_json_first(j); it; it = hop_json_next(j, it)) {
        for (i = 0; i < HOP_LEN(known) && strcmp(known[i], hop_json_it_key(it)); i++)
            ;
        if (i == HOP_LEN(known))
            return hop_fail(e, HOP_EFORMAT, where, NULL, "unknown key \"%s\" (known: %s)",
                            hop_json_it_key(it), known_keys);
    }
    return HOP_OK;
}

static int
check_ssh(const struct hop_json *ssh, const char *where, struct hop_err *e)
{
    const char *host = hop_json_str(ssh);

    if (!ssh || (host && *host && *host != '-'))
        return HOP_OK;
    if (host)
        return hop_fail(e, HOP_EFORMAT, where, "options need the form [\"-p\",\"2222\",\"HOST\"]",
                        "\"ssh\" \"%s\" is no host", host);
    if (are_texts(ssh) && hop_json_len(ssh))
        return HOP_OK;
    return hop_fail(e, HOP_EFORMAT, where, NULL,
                    "\"ssh\" is %s, should be a string or an array of strings",
                    hop_json_kind_name(ssh));
}

static int
check_slurm(const struct hop_worker *w, const char *where, struct hop_err *e)
{
    if (w->sbatch && !are_texts(w->sbatch))
        return hop_fail(e, HOP_EFORMAT, where, "[\"--partition=gpu\",\"--time=60\"]",
                        "\"sbatch\" is %s, should be an array of strings",
                        hop_json_kind_name(w->sbatch));
    if (w->srun && !are_texts(w->srun))
        return hop_fail(e, HOP_EFORMAT, where, "[] for no options",
                        "\"srun\" is %s, should be an array of strings",
                        hop_json_kind_name(w->srun));
    if (w->srun && w->ssh)
        return hop_fail(e, HOP_EFORMAT, where, "one of them", "both \"ssh\" and \"srun\"");
    return HOP_OK;
}

bool
hop_worker_is_far(const struct hop_worker *w)
{
    return w->ssh || w->srun;
}

/* Slots, speed and link of the worker in j. */
static int
check_speeds(const struct hop_json *j, const char *where, struct hop_worker *w, struct hop_err *e)
{
    int rc;

    w->n_slots = 1;
    w->send_ahead = -1;
    w->bytes_per_s = hop_worker_is_far(w) ? 1e8 : 0;
    if ((rc = hop_json_get_int(j, "slots", false, 1, HOP_MAX_WORKER_SLOTS, where, &w->n_slots,
                               e)) ||
        (rc = hop_json_get_int(j, "send_ahead", false, 0, HOP_MAX_SEND_AHEAD, where, &w->send_ahead, e)) ||
        (rc = hop_json_get_real(j, "speed", false, 1e-6, 1e6, where, &w->speed, e)))
        return rc;
    return hop_json_get_real(j, "bytes_per_s", false, 1, 1e15, where, &w->bytes_per_s, e);
}

long
hop_workers_find(const struct hop_workers *w, const char *name)
{
    size_t i;

    for (i = 0; i < w->n; i++)
        if (!strcmp(w->v[i].name, name))
            return (long)i;
    return -1;
}

/* One worker from its line, which becomes w's. */
static int
add_worker(struct hop_workers *w, size_t *cap, struct hop_json *take, const char *where,
           struct hop_err *e)
{
    struct hop_worker one = {0};
    int64_t ignored;
    int rc;

    hop_json_push(w->lines, take);
    if ((rc = check_keys(take, where, e)) ||
        (rc = hop_json_get_str(take, "name", true, where, &one.name, e)) ||
        (rc = hop_json_get_str(take, "device", false, where, &one.device, e)) ||
        (rc = hop_json_get_str(take, "precision", false, where, &one.precision, e)) ||
        (rc = hop_json_get_str(take, "keep", false, where, &one.keep, e)) ||
        (one.keep && (rc = hop_parse_duration(one.keep, where, &ignored, e))) ||
        (rc = hop_json_get_str(take, "folder", false, where, &one.folder, e)) ||
        (rc = hop_json_get_str(take, "path", false, where, &one.path, e)) ||
        (rc = hop_json_get_str(take, "node", false, where, &one.node, e)) ||
        (rc = hop_json_get_str(take, "gres", false, where, &one.gres, e)))
        return rc;
    one.fingerprint = hop_json_str(hop_json_get(hop_json_get(take, "probe"), "fingerprint"));
    one.fast = hop_json_str(hop_json_get(hop_json_get(take, "probe"), "fast"));
    one.ssh = hop_json_get(take, "ssh");
    one.shards = hop_json_get(take, "shards");
    one.srun = hop_json_get(take, "srun");
    one.sbatch = hop_json_get(take, "sbatch");
    if ((rc = check_ssh(one.ssh, where, e)))
        return rc;
    if (one.shards && !are_texts(one.shards))
        return hop_fail(e, HOP_EFORMAT, where, NULL,
                        "\"shards\" is %s, should be an array of strings",
                        hop_json_kind_name(one.shards));
    if ((rc = check_slurm(&one, where, e)) || (rc = check_speeds(take, where, &one, e)))
        return rc;
    if (!*one.name)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "\"name\" is empty");
    if (hop_workers_find(w, one.name) >= 0)
        return hop_fail(e, HOP_EFORMAT, where, "names are unique", "two workers are called \"%s\"",
                        one.name);
    if (hop_grow(&w->v, cap, w->n + 1, sizeof *w->v, e))
        return HOP_ENOMEM;
    w->v[w->n++] = one;
    return HOP_OK;
}

static int
read_file(const char *path, struct hop_workers *w, size_t *cap, struct hop_err *e)
{
    struct hop_jsonl *r;
    struct hop_json *line;
    int rc, fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return hop_fail_errno(e, path, "--workers takes a number or a file", "cannot open");
    if (!(r = hop_jsonl_open(fd, path, e))) {
        close(fd);
        return HOP_EIO;
    }
    while (!(rc = hop_jsonl_next(r, &line, e)))
        if ((rc = add_worker(w, cap, line, hop_jsonl_place(r), e)))
            break;
    hop_jsonl_close(r);
    close(fd);
    if (rc == HOP_EOF)
        rc = w->n ? HOP_OK : hop_fail(e, HOP_EFORMAT, path, NULL, "no workers in it");
    return rc;
}

int
hop_workers_read(const char *text, struct hop_workers *w, struct hop_err *e)
{
    struct hop_json *line;
    size_t cap = 0;
    int64_t i, n;
    char name[32];
    int rc = HOP_OK;

    *w = (struct hop_workers){.lines = hop_json_array()};
    if (*text && text[strspn(text, "-0123456789")]) {
        rc = read_file(text, w, &cap, e);
    } else if (!(rc = hop_parse_int(text, 1, 100000, "--workers", &n, e))) {
        for (i = 0; i < n && !rc; i++) {
            snprintf(name, sizeof name, "w%lld", (long long)i);
            line = hop_json_object();
            hop_json_set_str(line, "name", name);
            rc = add_worker(w, &cap, line, "--workers", e);
        }
    }
    if (rc)
        hop_workers_clear(w);
    return rc;
}

void
hop_workers_clear(struct hop_workers *w)
{
    free(w->v);
    hop_json_free(w->lines);
    *w = (struct hop_workers){0};
}

/* Do the listed names exist? */
static int
check_lists(const struct hop_workers *w, const struct hop_shard_list *m, struct hop_err *e)
{
    const char *name;
    size_t i, k;

    for (i = 0; i < w->n; i++)
        for (k = 0; k < hop_json_len(w->v[i].shards); k++) {
            name = hop_json_str(hop_json_at(w->v[i].shards, k));
            if (hop_shard_list_find(m, name) < 0)
                return hop_fail(e, HOP_EFORMAT, w->v[i].name, NULL,
                                "the data have no shard \"%s\"", name);
        }
    return HOP_OK;
}

/* Is any shard of this split listed by any worker? Then only lists count for the split. */
static bool
is_split_listed(const struct hop_workers *w, const struct hop_shard_list *m, const char *split)
{
    long at;
    size_t i, k;

    for (i = 0; i < w->n; i++)
        for (k = 0; k < hop_json_len(w->v[i].shards); k++) {
            at = hop_shard_list_find(m, hop_json_str(hop_json_at(w->v[i].shards, k)));
            if (at >= 0 && !strcmp(m->v[at].split, split))
                return true;
        }
    return false;
}

static bool
holds(const struct hop_workers *w, size_t i_worker, const struct hop_shard_ref *s, size_t i_shard,
      bool is_listed)
{
    const struct hop_json *list = w->v[i_worker].shards;
    size_t k;

    if (!is_listed || !list)
        return i_shard % w->n == i_worker;
    for (k = 0; k < hop_json_len(list); k++)
        if (!strcmp(hop_json_str(hop_json_at(list, k)), s->name))
            return true;
    return false;
}

/* A shard knows which one it is, and of how many: n, as the manifest has it. */
static int
check_shard(const char *path, const struct hop_shard_ref *s, size_t n, struct hop_err *e)
{
    struct hop_shard shard;
    int rc;

    if ((rc = hop_shard_peek(path, &shard, e)))
        return rc;
    if (strcmp(shard.name, s->name))
        rc = hop_fail(e, HOP_EFORMAT, path, NULL, "this is the shard %s", shard.name);
    else if ((size_t)shard.count != n)
        rc = hop_fail(e, HOP_EFORMAT, path, "was manifest.json edited? make the data anew",
                      "this is one of %lld %s shards, the manifest has %zu",
                      (long long)shard.count, s->split, n);
    hop_shard_close(&shard);
    return rc;
}

/* Of workers elsewhere the data folder here may have the shard, too. */
static int
check_file(const struct hop_worker *w, const struct hop_shard_ref *s, size_t n,
           const char *data_dir, struct hop_err *e)
{
    struct hop_str path = {0};
    int rc;

    hop_str_addf(&path, "%s/%s.safetensors", w->folder && !hop_worker_is_far(w) ? w->folder : data_dir, s->name);
    rc = hop_str_check(&path, e);
    if (!rc && access(path.s, R_OK) == 0)
        rc = check_shard(path.s, s, n, e);
    else if (!rc && !hop_worker_is_far(w))
        rc = hop_fail_errno(e, path.s, NULL, "worker %s cannot read this shard", w->name);
    hop_str_clear(&path);
    return rc;
}

int
hop_workers_place(const struct hop_workers *w, const struct hop_shard_list *m, const char *data_dir,
                  struct hop_placement *out, struct hop_err *e)
{
    bool is_listed[2];
    size_t i, k, cap = 0, n = 0, begin, end, of;
    int rc = check_lists(w, m, e);

    *out = (struct hop_placement){.first = hop_alloc(m->n + 1, sizeof *out->first, e)};
    if (!out->first)
        return HOP_ENOMEM;
    is_listed[0] = is_split_listed(w, m, m->v[0].split);
    is_listed[1] = m->n > m->n_train && is_split_listed(w, m, m->v[m->n_train].split);
    for (i = 0; i < m->n && !rc; i++) {
        of = i < m->n_train ? i : i - m->n_train;
        /* Without lists only one worker comes into question. */
        begin = is_listed[i >= m->n_train] ? 0 : of % w->n;
        end = is_listed[i >= m->n_train] ? w->n : begin + 1;
        for (k = begin; k < end && !rc; k++) {
            if (!holds(w, k, &m->v[i], of, is_listed[i >= m->n_train]))
                continue;
            if (!(rc = hop_grow(&out->worker, &cap, n + 1, sizeof *out->worker, e)))
                out->worker[n++] = (uint32_t)k;
            if (!rc && data_dir)
                rc = check_file(&w->v[k], &m->v[i], i < m->n_train ? m->n_train : m->n - m->n_train,
                                data_dir, e);
        }
        if (!rc && n == out->first[i])
            rc = hop_fail(e, HOP_EFORMAT, m->v[i].name, NULL, "this shard lies on no worker");
        out->first[i + 1] = n;
    }
    if (rc)
        hop_placement_clear(out);
    return rc;
}

void
hop_placement_clear(struct hop_placement *p)
{
    free(p->worker);
    free(p->first);
    *p = (struct hop_placement){0};
}
