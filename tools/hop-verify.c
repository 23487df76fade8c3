/* hop-verify - law 2 on the user's own data: a config's visits again, one after the other. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"
#include "run/filter.h"
#include "run/run.h"
#include "run/verify.h"
#include "schedule/reach.h"
#include "schedule/shards.h"
#include "schedule/workers.h"
#include "tool.h"
#include "weights.h"

/* Some bytes differ, but so do the numerics: neither proof nor disproof. */
enum { OTHER_NUMERICS = 3 };

static struct {
    const char *data, *workers, *device, *keep;
} a;

static struct hop_opt rows[] = {
    {"data", 0, HOP_OPT_STR, &a.data, "DIR", "the data folder (the one that RUN was begun with)", 0,
     0, false},
    {"workers", 'w', HOP_OPT_STR, &a.workers, "FILE",
     "train where the shards lie, by this file of workers", 0, 0, false},
    {"device", 'd', HOP_OPT_STR, &a.device, "NAME", "train on it (the one that each visit names)", 0,
     0, false},
    {"keep", 0, HOP_OPT_STR, &a.keep, "TIME", "hop-train's --keep: the same bits, sooner", 0, 0,
     false},
    TOOL_COMMON_OPTIONS};

struct scene {
    char *data;
    struct hop_shard_list shards;
    struct hop_workers workers;
    struct hop_placement place;
    bool has_workers;
    struct hop_words words, argv; /* of the visit that runs */
};

static void
check(int rc, const struct hop_err *e)
{
    if (rc)
        tool_die(e);
}

/* The folder that hop-run noted, unless one is given. */
static char *
find_data(const char *run)
{
    struct hop_err e = {0};
    char *path = hop_run_path(run, "data.txt", &e), *text = NULL;
    size_t n = 0;

    if (a.data) {
        if (!(text = strdup(a.data)))
            hop_fail(&e, HOP_ENOMEM, NULL, NULL, "out of memory");
    } else if (path && access(path, F_OK)) {
        tool_usage("--data", "is missing, and %s does not say which folder", path);
    } else if (path && !hop_read_file(path, 1 << 16, &text, &n, &e) && n && text[n - 1] == '\n') {
        text[n - 1] = '\0';
    }
    free(path);
    check(e.code, &e);
    return text;
}

static void
read_scene(const char *run, struct scene *s)
{
    struct hop_err e = {0};

    *s = (struct scene){.data = find_data(run), .has_workers = a.workers != NULL};
    check(hop_shard_list_read(s->data, &s->shards, &e), &e);
    if (!s->has_workers)
        return;
    check(hop_workers_read(a.workers, &s->workers, &e), &e);
    check(hop_workers_place(&s->workers, &s->shards, s->data, &s->place, &e), &e);
}

/* The device that a visit says it was made on: of GPUs any, since their number says nothing. How many
 * threads and which precision is in its fingerprint ("cpu onednn-2.6.3 avx2 t2 bf16"). */
static void
add_numerics(const struct hop_verify_visit *v, struct hop_words *out)
{
    const char *threads = strstr(v->fingerprint, " t"), *colon = strchr(v->device, ':');
    size_t n = strlen(v->fingerprint), n_digits;

    hop_words_add(out, "--device");
    if (a.device)
        hop_words_add(out, a.device);
    else
        hop_words_addf(out, "%.*s", (int)(colon ? (size_t)(colon - v->device) : strlen(v->device)),
                       v->device);
    n_digits = threads ? strspn(threads + 2, "0123456789") : 0;
    if (n_digits && !strncmp(v->fingerprint, "cpu ", 4)) {
        hop_words_add(out, "--threads");
        hop_words_addf(out, "%.*s", (int)n_digits, threads + 2);
    }
    if (n > 5 && (!strcmp(v->fingerprint + n - 5, " bf16") ||
                  !strcmp(v->fingerprint + n - 5, " tf32"))) {
        hop_words_add(out, "--precision");
        hop_words_add(out, v->fingerprint + n - 4);
    }
}

/* hop-train for one visit, where the shard lies. */
static int
filter(void *arg, const struct hop_verify_visit *v, char *const **argv, struct hop_err *e)
{
    static const struct hop_worker here;
    struct scene *s = arg;
    const struct hop_worker *w = &here;
    long i_shard = hop_shard_list_find(&s->shards, v->shard);
    int rc;

    hop_words_clear(&s->words);
    hop_words_clear(&s->argv);
    if (i_shard < 0)
        return hop_fail(e, HOP_EFORMAT, s->data, "give --data the folder that the run had",
                        "the data have no shard \"%s\"", v->shard);
    if (s->has_workers)
        w = &s->workers.v[s->place.worker[s->place.first[i_shard]]];
    if (w->path)
        hop_words_addf(&s->words, "%s/hop-train", w->path);
    else
        hop_words_add(&s->words, hop_worker_is_far(w) ? "hop-train" : tool_beside("hop-train"));
    if (tool_is_quiet)
        hop_words_add(&s->words, "--quiet");
    hop_words_add(&s->words, "--shard");
    hop_words_addf(&s->words, "%s/%s.safetensors", w->folder ? w->folder : s->data, v->shard);
    add_numerics(v, &s->words);
    if (v->passes) {
        hop_words_add(&s->words, "--passes");
        hop_words_addf(&s->words, "%lld", (long long)v->passes);
    }
    if (a.keep || w->keep) {
        hop_words_add(&s->words, "--keep");
        hop_words_add(&s->words, a.keep ? a.keep : w->keep);
    }
    tool_progress("visit %lld/%lld on %s", (long long)v->visit, (long long)v->n, v->shard);
    if ((rc = hop_words_check(&s->words, e)) || (rc = hop_reach(w, 0, &s->words, &s->argv, e)))
        return rc;
    *argv = s->argv.v;
    return HOP_OK;
}

static int
weights(void *arg, const char *path, struct hop_training *t, struct hop_err *e)
{
    (void)arg;
    return tool_weights(path, "name", t, e);
}

/* For people; the record says the same to programs. */
static void
tell(const struct hop_verify_found *f, double wall_s)
{
    struct hop_str s = {0};

    hop_str_addf(&s, "%s: %lld visits again in %.1f s: ", f->id, (long long)f->n_visits, wall_s);
    if (f->is_equal) {
        hop_str_add(&s, "every byte is the same");
    } else {
        hop_str_addf(&s, "%s%s", f->tensor, f->tensor[0] ? ": " : "");
        if (f->byte >= 0)
            hop_str_addf(&s, "byte %lld differs: ", (long long)f->byte);
        hop_str_add(&s, f->what);
        if (f->other_bytes)
            hop_str_addf(&s, "; the first visit after which anything differed is %lld",
                         (long long)f->other_bytes);
    }
    tool_warn("%s", hop_str_c(&s));
    hop_str_clear(&s);
    if (f->other_numerics)
        tool_warn("%s: visit %lld was made with \"%s\", and now with \"%s\": %s", f->id,
                  (long long)f->other_numerics, f->was, f->now,
                  f->is_equal ? "here that made no difference"
                              : "such numerics may add in another order, so this proves nothing; "
                                "verify where the first is to be had (--workers)");
}

static int
verify(const char *run, const char *id, struct scene *s, struct hop_err *e)
{
    const char *tmp = tool_env("TMPDIR");
    double start_s = hop_clock_s(), wall_s;
    struct hop_verify_found found;
    struct hop_json *j;
    struct hop_verify v = {.model = hop_run_model(run, id, e), .tmp = tmp ? tmp : "/tmp",
                           .filter = filter, .weights = weights, .arg = s};

    if (!v.model || hop_id_check(id, "ID", e) || hop_verify_run(&v, &found, e)) {
        free((char *)v.model);
        tool_show(e);
        return hop_filter_signal() ? 128 + hop_filter_signal() : hop_err_exit(e);
    }
    free((char *)v.model);
    wall_s = hop_clock_s() - start_s;
    tool_progress_end();
    tell(&found, wall_s);
    j = hop_verify_json(&found);
    hop_json_set_real(j, "wall_s", wall_s);
    tool_record(j);
    hop_json_free(j);
    return found.is_equal ? 0 : found.other_numerics ? OTHER_NUMERICS : 1;
}

int
main(int argc, char **argv)
{
    struct scene s;
    struct hop_err e = {0};
    int i, one, status = 0;

    tool_init("hop-verify",
              "Train configs again, visit by visit in their own order, and compare all bytes.",
              "[OPTIONS] RUN ID...", rows, true, &argc, argv);
    if (argc < 3)
        tool_usage(argc < 2 ? "RUN" : "ID", "is missing");
    read_scene(argv[1], &s);
    hop_filter_signals();
    tool_plans_of(argv[1]);
    for (i = 2; i < argc && status < 128; i++) {
        hop_err_clear(&e);
        one = verify(argv[1], argv[i], &s, &e);
        /* What is certain counts before what is not. */
        if (one >= 128 || one == 1 || !status)
            status = one;
    }
    hop_words_clear(&s.words);
    hop_words_clear(&s.argv);
    hop_placement_clear(&s.place);
    hop_workers_clear(&s.workers);
    hop_shard_list_clear(&s.shards);
    free(s.data);
    return status ? status : tool_finish();
}
