#include "probe_workers.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "format/manifest.h"
#include "run/filter.h"
#include "schedule/far.h"
#include "schedule/shards.h"
#include "tool.h"

enum { N_AT_ONCE = 64 };

int
tool_probe_here(struct hop_err *e)
{
    char *path = hop_dup(tool_beside("hop-train"), e), probe[] = "--probe", quiet[] = "--quiet";
    char *argv[] = {path, probe, tool_is_quiet ? quiet : NULL, NULL};
    int fd, rc;

    if (!path)
        return HOP_ENOMEM;
    if ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0) {
        free(path);
        return hop_fail_errno(e, "/dev/null", NULL, "cannot open");
    }
    rc = hop_filter_run(argv, "hop-train --probe", fd, STDOUT_FILENO, e);
    close(fd);
    free(path);
    return rc;
}

struct scene {
    struct hop_workers workers;
    struct hop_manifest m;
    struct hop_shard_list shards;
    struct hop_placement place;
    struct hop_far *far;      /* [workers.n] */
    struct hop_words *names;  /* [workers.n] of the shards that should be there */
    bool has_data;
    size_t n_missed, n_bad;
};

/* What the manifest says of the shard i of the list. */
static const struct hop_manifest_shard *
noted(const struct scene *s, size_t i)
{
    return i < s->shards.n_train ? &s->m.train.shards[i]
                                 : &s->m.val.shards[i - s->shards.n_train];
}

static int
read_scene(const char *workers, const char *data, struct scene *s, struct hop_err *e)
{
    size_t i, k;
    int rc;

    *s = (struct scene){.has_data = data != NULL};
    if ((rc = hop_workers_read(workers, &s->workers, e)))
        return rc;
    s->far = hop_alloc(s->workers.n, sizeof *s->far, e);
    s->names = hop_alloc(s->workers.n, sizeof *s->names, e);
    if (!s->far || !s->names)
        return HOP_ENOMEM;
    if (data && ((rc = hop_manifest_read(data, &s->m, e)) ||
                 (rc = hop_shard_list_read(data, &s->shards, e)) ||
                 (rc = hop_workers_place(&s->workers, &s->shards, NULL, &s->place, e))))
        return rc;
    for (i = 0; i < s->workers.n; i++)
        s->far[i] = (struct hop_far){
            .worker = &s->workers.v[i], .names = data ? &s->names[i] : NULL,
            .dir = s->workers.v[i].folder ? s->workers.v[i].folder : data};
    for (i = 0; i < s->shards.n; i++)
        for (k = s->place.first[i]; k < s->place.first[i + 1]; k++)
            hop_words_add(&s->names[s->place.worker[k]], s->shards.v[i].name);
    for (i = 0; i < s->workers.n && !rc; i++)
        rc = hop_words_check(&s->names[i], e);
    return rc;
}

static void
scene_clear(struct scene *s)
{
    size_t i;

    for (i = 0; i < s->workers.n; i++) {
        if (s->far)
            hop_far_clear(&s->far[i]);
        if (s->names)
            hop_words_clear(&s->names[i]);
    }
    free(s->far);
    free(s->names);
    hop_placement_clear(&s->place);
    hop_shard_list_clear(&s->shards);
    if (s->has_data)
        hop_manifest_clear(&s->m);
    hop_workers_clear(&s->workers);
}

/* The line of the device that the worker trains on, among those of its host: the one it names; GPU 0
 * for "cuda"; without a name, or for "auto", the first GPU, else the processors. */
static const struct hop_json *
find_device(const struct hop_far *f)
{
    const char *want = f->worker->device, *device;
    const struct hop_json *line, *cpu = NULL, *gpu = NULL;
    size_t i;

    if (want && !strcmp(want, "auto"))
        want = NULL;
    if (want && !strcmp(want, "cuda"))
        want = "cuda:0";
    for (i = 0; i < hop_json_len(f->devices); i++) {
        line = hop_json_at(f->devices, i);
        device = hop_json_str(hop_json_get(line, "device"));
        if (!device)
            continue;
        if (want && !strcmp(want, device))
            return line;
        if (!strncmp(device, "cuda", 4))
            gpu = gpu ? gpu : line;
        else
            cpu = line;
    }
    if (want)
        return strcmp(want, "ref") ? NULL : cpu;
    return gpu ? gpu : cpu;
}

/* problem - one more thing that is wrong with a worker, for people and in its line. */
static void
problem(struct scene *s, const struct hop_far *f, struct hop_json *problems, const char *what,
        const char *name)
{
    struct hop_str text = {0};

    hop_str_addf(&text, "%s%s%s", name ? name : "", name ? ": " : "", what);
    hop_json_push(problems, hop_json_new_str(hop_str_c(&text)));
    tool_warn("worker %s: %s", f->worker->name, hop_str_c(&text));
    hop_str_clear(&text);
    s->n_bad++;
}

/* Facts of the host and of the device, as hop-train --probe found them. */
static void
add_device(struct scene *s, const struct hop_far *f, struct hop_json *facts,
           struct hop_json *problems)
{
    const struct hop_json *line = find_device(f), *probe, *cpu;
    struct hop_json *names = hop_json_array();
    bool is_ref = f->worker->device && !strcmp(f->worker->device, "ref");
    size_t i;
    void *it;

    probe = hop_json_get(line, "probe");
    for (it = hop_json_first(probe); it; it = hop_json_next(probe, it))
        if (!is_ref || strcmp(hop_json_it_key(it), "fingerprint"))
            hop_json_set(facts, hop_json_it_key(it), hop_json_copy(hop_json_it_value(it)));
    for (i = 0; i < hop_json_len(f->devices); i++) {
        cpu = hop_json_at(f->devices, i);
        hop_json_push(names, hop_json_copy(hop_json_get(cpu, "device")));
        cpu = hop_json_get(hop_json_get(cpu, "probe"), "processors");
        if (cpu && !hop_json_get(facts, "processors"))
            hop_json_set(facts, "processors", hop_json_copy(cpu));
    }
    hop_json_set(facts, "devices", names);
    if (!line)
        problem(s, f, problems, "this device is not there", f->worker->device);
}

/* Shards: those that are whole with their digests; what should be there and is not is a problem. */
static void
add_shards(struct scene *s, const struct hop_far *f, struct hop_json *facts,
           struct hop_json *problems)
{
    struct hop_json *shards = hop_json_object();
    const char *name, *digest;
    long i;
    void *it;

    for (it = hop_json_first(f->shards); it; it = hop_json_next(f->shards, it)) {
        name = hop_json_it_key(it);
        digest = hop_json_str(hop_json_get(hop_json_it_value(it), "digest"));
        i = s->has_data ? hop_shard_list_find(&s->shards, name) : -1;
        if (i >= 0 && (!digest || strcmp(digest, noted(s, (size_t)i)->digest)))
            problem(s, f, problems, "is whole, but of other data than the manifest's", name);
        else
            hop_json_set_str(shards, name, digest);
    }
    for (it = hop_json_first(f->bad); it; it = hop_json_next(f->bad, it))
        problem(s, f, problems, hop_json_str(hop_json_it_value(it)), hop_json_it_key(it));
    hop_json_set(facts, "shards", shards);
}

static void
print_worker(struct scene *s, size_t i)
{
    const struct hop_far *f = &s->far[i];
    struct hop_json *line = hop_json_record("worker/1"), *facts = hop_json_object();
    struct hop_json *problems = hop_json_array();
    const struct hop_json *given = hop_json_at(s->workers.lines, i);
    void *it;

    for (it = hop_json_first(given); it; it = hop_json_next(given, it))
        if (strcmp(hop_json_it_key(it), "hop") && strcmp(hop_json_it_key(it), "probe"))
            hop_json_set(line, hop_json_it_key(it), hop_json_copy(hop_json_it_value(it)));
    hop_json_set_str(facts, "status", f->is_reached ? "ok" : "unreachable");
    if (!f->is_reached) {
        s->n_missed++;
        tool_warn("worker %s: not reached: %s", f->worker->name, hop_str_c(&f->why));
        hop_json_set_str(facts, "why", hop_str_c(&f->why));
    } else if (!f->devices) {
        problem(s, f, problems, hop_str_c(&f->why), NULL);
    } else {
        add_device(s, f, facts, problems);
        if (f->free_bytes >= 0)
            hop_json_set_int(facts, "disk_free_bytes", f->free_bytes);
        if (f->dir)
            add_shards(s, f, facts, problems);
    }
    if (hop_json_len(problems)) {
        hop_json_set_str(facts, "status", "wrong");
        hop_json_set(facts, "problems", problems);
    } else {
        hop_json_free(problems);
    }
    hop_json_set(line, "probe", facts);
    tool_record(line);
    hop_json_free(line);
}

int
tool_probe_workers(const char *workers, const char *data, int64_t timeout_s, struct hop_err *e)
{
    struct scene s;
    size_t i;
    int rc = read_scene(workers, data, &s, e);

    if (!rc)
        rc = hop_far_ask(s.far, s.workers.n, N_AT_ONCE, (double)timeout_s, true, e);
    for (i = 0; i < s.workers.n && !rc; i++)
        print_worker(&s, i);
    if (!rc && s.n_missed)
        rc = hop_fail(e, HOP_EDEV, workers, NULL, "%zu of %zu workers were not reached",
                      s.n_missed, s.workers.n);
    else if (!rc && s.n_bad)
        rc = hop_fail(e, HOP_EFAIL, workers, "\"problems\" of the lines on stdout has them", "something is wrong with workers");
    scene_clear(&s);
    return rc;
}
