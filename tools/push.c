#include "push.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "format/manifest.h"
#include "run/many.h"
#include "schedule/far.h"
#include "schedule/shards.h"
#include "tool.h"

/* What rsync says when a connection failed or broke: 10 socket, 12 protocol stream, 20 signal, 30
 * and 35 timeouts, 255 ssh. All else (11 is a full disk) stays wrong when tried again. */
static const int cut_off[] = {10, 12, 20, 30, 35, 255};

/* A folder at a worker, or of several that share it. */
struct place {
    struct hop_words names; /* shards that belong there */
    struct hop_words left;  /* those of them that are not there (yet) */
    struct hop_str list;    /* left, for rsync --files-from */
    struct hop_words argv;
    bool is_cut;
};

struct push {
    const struct tool_push_options *o;
    struct hop_workers workers;
    struct hop_manifest m;
    struct hop_shard_list shards;
    struct hop_placement placement;
    struct place *places; /* [n] */
    struct hop_far *far;  /* [n] */
    size_t n, n_there, n_sent, n_left, n_cut, n_ended;
};

static const char *
dir_of(const struct push *p, const struct hop_worker *w)
{
    return w->folder ? w->folder : p->o->dir;
}

/* The place of worker w: that of an earlier one with the same way and folder, or a new one. */
static size_t
find_place(struct push *p, const struct hop_worker *w)
{
    const struct hop_worker *one;
    size_t i;

    for (i = 0; i < p->n; i++) {
        one = p->far[i].worker;
        if (!one->ssh == !w->ssh && (!w->ssh || hop_json_equal(one->ssh, w->ssh)) &&
            !strcmp(dir_of(p, one), dir_of(p, w)))
            return i;
    }
    p->far[p->n] = (struct hop_far){.worker = w, .dir = dir_of(p, w)};
    return p->n++;
}

static bool
has_word(const struct hop_words *words, const char *word)
{
    size_t i;

    for (i = 0; i < words->n; i++)
        if (!strcmp(words->v[i], word))
            return true;
    return false;
}

static int
read_all(struct push *p, struct hop_err *e)
{
    const struct hop_worker *w;
    size_t i, k, at;
    int rc;

    if ((rc = hop_manifest_read(p->o->dir, &p->m, e)))
        return rc;
    if ((rc = hop_shard_list_read(p->o->dir, &p->shards, e)) ||
        (rc = hop_workers_read(p->o->workers, &p->workers, e)) ||
        (rc = hop_workers_place(&p->workers, &p->shards, NULL, &p->placement, e)))
        return rc;
    p->places = hop_alloc(p->workers.n, sizeof *p->places, e);
    p->far = hop_alloc(p->workers.n, sizeof *p->far, e);
    if (!p->places || !p->far)
        return HOP_ENOMEM;
    for (i = 0; i < p->shards.n; i++)
        for (k = p->placement.first[i]; k < p->placement.first[i + 1]; k++) {
            w = &p->workers.v[p->placement.worker[k]];
            if (w->srun)
                return hop_fail(e, HOP_EFORMAT, w->name, "sbcast or a job with rsync brings shards to its node",
                                "cannot push to a worker that srun reaches");
            if (!w->ssh && !strcmp(dir_of(p, w), p->o->dir))
                continue; /* it lies there already */
            at = find_place(p, w);
            if (!has_word(&p->places[at].names, p->shards.v[i].name))
                hop_words_add(&p->places[at].names, p->shards.v[i].name);
        }
    for (i = 0; i < p->n && !rc; i++)
        rc = hop_words_check(&p->places[i].names, e);
    return rc;
}

static void
clear(struct push *p)
{
    size_t i;

    for (i = 0; i < p->n; i++) {
        hop_words_clear(&p->places[i].names);
        hop_words_clear(&p->places[i].left);
        hop_words_clear(&p->places[i].argv);
        hop_str_clear(&p->places[i].list);
        hop_far_clear(&p->far[i]);
    }
    free(p->places);
    free(p->far);
    hop_placement_clear(&p->placement);
    hop_workers_clear(&p->workers);
    hop_shard_list_clear(&p->shards);
    hop_manifest_clear(&p->m);
}

static const struct hop_manifest_shard *
noted(const struct push *p, const char *name)
{
    size_t i = (size_t)hop_shard_list_find(&p->shards, name);

    return i < p->shards.n_train ? &p->m.train.shards[i] : &p->m.val.shards[i - p->shards.n_train];
}

static void
print(const struct push *p, size_t i, const char *name, const char *status)
{
    struct hop_json *j = hop_json_record("push/1");

    hop_json_set_str(j, "worker", p->far[i].worker->name);
    hop_json_set_str(j, "shard", name);
    hop_json_set_int(j, "bytes", noted(p, name)->bytes);
    hop_json_set_str(j, "digest", noted(p, name)->digest);
    hop_json_set_str(j, "status", status);
    tool_record(j);
    hop_json_free(j);
}

/* ---- what is there ---- */

/* Which of `names` are not at place i, by what was answered; those that are, are printed. */
static void
sort_out(struct push *p, size_t i, const struct hop_words *names, const char *status,
         struct hop_words *left, size_t *n_good)
{
    const char *digest;
    size_t k;

    for (k = 0; k < names->n; k++) {
        digest = hop_json_str(hop_json_get(hop_json_get(p->far[i].shards, names->v[k]), "digest"));
        if (!digest || strcmp(digest, noted(p, names->v[k])->digest)) {
            hop_words_add(left, names->v[k]);
            continue;
        }
        print(p, i, names->v[k], status);
        (*n_good)++;
    }
}

/* Can place i be worked with at all? If not, say why. */
static bool
is_good(struct push *p, size_t i)
{
    const struct hop_far *f = &p->far[i];

    if (f->is_reached && f->devices)
        return true;
    tool_warn("worker %s: %s%s", f->worker->name, f->is_reached ? "" : "not reached: ",
              hop_str_c(&f->why));
    p->places[i].is_cut = p->places[i].is_cut || !f->is_reached;
    return false;
}

static int
look(struct push *p, struct hop_err *e)
{
    size_t i;
    int rc;

    for (i = 0; i < p->n; i++) {
        p->far[i].names = &p->places[i].names;
        p->far[i].want_dir = true;
    }
    if ((rc = hop_far_ask(p->far, p->n, (size_t)p->o->n_at_once, 0, false, e)))
        return rc;
    for (i = 0; i < p->n; i++)
        if (is_good(p, i))
            sort_out(p, i, &p->places[i].names, "there", &p->places[i].left, &p->n_there);
        else
            p->n_left += p->places[i].names.n;
    return HOP_OK;
}

/* ---- sending ---- */

/* A word of rsync's --rsh: single quotes, a quote in them doubled. That is rsync's own rule; no
 * shell sees it. */
static void
add_rsh_word(struct hop_str *s, const char *word)
{
    hop_str_add(s, s->n ? " '" : "'");
    for (; *word; word++)
        hop_str_add_n(s, *word == '\'' ? "''" : word, *word == '\'' ? 2 : 1);
    hop_str_add(s, "'");
}

/* "user@host:DIR/", an address with colons in brackets. */
static void
add_target(const char *host, const char *dir, struct hop_words *out)
{
    const char *at = strrchr(host, '@');
    int n_user = at ? (int)(at + 1 - host) : 0;

    if (strchr(host, ':') && !strchr(host, '['))
        hop_words_addf(out, "%.*s[%s]:%s/", n_user, host, host + n_user, dir);
    else
        hop_words_addf(out, "%s:%s/", host, dir);
}

/* rsync of the shards in place.list to place i. What a broken connection left is gone on with; a file
 * is put in its place when it is whole. */
static int
make_command(struct push *p, size_t i, struct hop_err *e)
{
    const struct hop_worker *w = p->far[i].worker;
    struct place *place = &p->places[i];
    struct hop_words ssh = {0};
    struct hop_str rsh = {0};
    const char *host = hop_reach_host(w);
    size_t k;
    int rc;

    hop_words_add(&place->argv, "rsync");
    hop_words_add(&place->argv, "--times");
    hop_words_add(&place->argv, "--perms");
    hop_words_add(&place->argv, "--ignore-times"); /* what is damaged may be of the same time and size */
    hop_words_add(&place->argv, "--partial-dir=.hop-partial");
    hop_words_addf(&place->argv, "--timeout=%lld", (long long)p->o->timeout_s);
    hop_words_add(&place->argv, "--files-from=-");
    hop_words_add(&place->argv, "--protect-args");
    if (w->ssh) {
        hop_reach_ssh(w, (int)(p->o->timeout_s < 15 ? p->o->timeout_s : 15), &ssh);
        for (k = 0; k < ssh.n; k++)
            add_rsh_word(&rsh, ssh.v[k]);
        hop_words_addf(&place->argv, "--rsh=%s", hop_str_c(&rsh));
    }
    hop_words_addf(&place->argv, "%s%s/", p->o->dir[0] == '/' ? "" : "./", p->o->dir);
    if (w->ssh)
        add_target(host, dir_of(p, w), &place->argv);
    else
        hop_words_addf(&place->argv, "%s%s/", dir_of(p, w)[0] == '/' ? "" : "./", dir_of(p, w));
    for (k = 0; k < place->left.n; k++)
        hop_str_addf(&place->list, "%s.safetensors\n", place->left.v[k]);
    if ((rc = hop_words_check(&ssh, e)) || (rc = hop_words_check(&place->argv, e)) ||
        (rc = hop_words_check(&place->left, e)) || (rc = hop_str_check(&rsh, e)))
        return rc;
    hop_words_clear(&ssh);
    hop_str_clear(&rsh);
    return hop_str_check(&place->list, e);
}

static void
on_end(void *arg, const struct hop_many_job *job)
{
    struct push *p = arg;

    (void)job;
    tool_progress("%zu folders done", ++p->n_ended);
}

/* What an rsync that failed has to say. */
static void
take_failure(struct push *p, size_t i, struct hop_many_job *job)
{
    size_t k;

    for (k = 0; k < HOP_LEN(cut_off); k++)
        if (job->status == cut_off[k] || job->status > 128)
            p->places[i].is_cut = true;
    tool_warn("worker %s: rsync ended with %d: %s", p->far[i].worker->name, job->status,
              hop_many_said(job));
}

static int
send_all(struct push *p, struct hop_err *e)
{
    struct hop_many_job *jobs = hop_alloc(p->n, sizeof *jobs, e);
    size_t *of = hop_alloc(p->n, sizeof *of, e);
    size_t i, n = 0;
    int rc = jobs && of ? HOP_OK : HOP_ENOMEM;

    for (i = 0; i < p->n && !rc; i++) {
        if (!p->places[i].left.n)
            continue;
        rc = make_command(p, i, e);
        jobs[n] = (struct hop_many_job){.argv = p->places[i].argv.v,
                                        .in = hop_str_c(&p->places[i].list)};
        of[n++] = i;
    }
    if (!rc)
        rc = hop_many_run(jobs, n, (size_t)p->o->n_at_once, 0, on_end, p, e);
    tool_progress_end();
    for (i = 0; i < n; i++) {
        if (!rc && jobs[i].status)
            take_failure(p, of[i], &jobs[i]);
        hop_str_clear(&jobs[i].out);
        hop_str_clear(&jobs[i].err);
    }
    free(jobs);
    free(of);
    return rc;
}

/* ---- what got there ---- */

/* Ask again about all that was sent, also where rsync failed: some shards may be there. */
static int
look_again(struct push *p, struct hop_err *e)
{
    struct hop_words left;
    size_t i, j, k, n = 0, *of = hop_alloc(p->n, sizeof *of, e);
    struct hop_far *far = hop_alloc(p->n, sizeof *far, e);
    int rc = far && of ? HOP_OK : HOP_ENOMEM;

    for (i = 0; i < p->n && !rc; i++)
        if (p->places[i].left.n) {
            far[n] = (struct hop_far){.worker = p->far[i].worker, .dir = p->far[i].dir,
                                      .names = &p->places[i].left};
            of[n++] = i;
        }
    if (!rc)
        rc = hop_far_ask(far, n, (size_t)p->o->n_at_once, 0, false, e);
    for (k = 0; k < n && !rc; k++) {
        i = of[k];
        hop_far_clear(&p->far[i]);
        p->far[i] = far[k];
        left = (struct hop_words){0};
        if (is_good(p, i)) {
            sort_out(p, i, &p->places[i].left, "sent", &left, &p->n_sent);
            for (j = 0; j < left.n; j++)
                print(p, i, left.v[j], "missing");
            p->n_left += left.n;
        } else {
            p->n_left += p->places[i].left.n;
        }
        hop_words_clear(&left);
    }
    free(far);
    free(of);
    return rc;
}

int
tool_push(const struct tool_push_options *o, struct hop_err *e)
{
    struct push p = {.o = o};
    size_t i;
    int rc;

    if (!(rc = read_all(&p, e)) && !(rc = look(&p, e)) && !(rc = send_all(&p, e)) &&
        !(rc = look_again(&p, e))) {
        tool_warn("%zu shards sent, %zu were there", p.n_sent, p.n_there);
        for (i = 0; i < p.n; i++)
            p.n_cut += p.places[i].is_cut;
        if (p.n_left)
            rc = hop_fail(e, p.n_cut ? HOP_EDEV : HOP_EFAIL, o->workers,
                          "called again it goes on where it was",
                          "%zu shards are not where they belong", p.n_left);
    }
    clear(&p);
    return rc;
}
