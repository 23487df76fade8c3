/* The table of emitters: one row per emit_NAME.c; and the commands that all engines run. */
#include "schedule/emitters.h"

#include <string.h>

#include "format/safetensors.h"
#include "schedule/reach.h"

const struct hop_emitter *const hop_emitters[] = {&hop_emitter_json, &hop_emitter_plan,
                                                 &hop_emitter_lines, &hop_emitter_sh,
                                                 &hop_emitter_make, &hop_emitter_slurm,
                                                 &hop_emitter_more, NULL};

int
hop_emitter_find(const char *name, const struct hop_emitter **out, struct hop_err *e)
{
    struct hop_str known = {0};
    size_t i;
    int rc;

    for (i = 0; hop_emitters[i]; i++) {
        if (!strcmp(hop_emitters[i]->name, name)) {
            *out = hop_emitters[i];
            hop_str_clear(&known);
            return HOP_OK;
        }
        hop_str_addf(&known, "%s%s", i ? ", " : "known: ", hop_emitters[i]->name);
    }
    rc = hop_fail(e, HOP_EARG, "--as", hop_str_c(&known), "unknown form \"%s\"", name);
    hop_str_clear(&known);
    return rc;
}

typedef void quote_fn(struct hop_str *s, const char *word);

static void
add_word(struct hop_str *s, quote_fn *quote, const char *word)
{
    if (s->n)
        hop_str_add(s, " ");
    quote(s, word);
}

size_t
hop_emit_ahead(const struct hop_emit_in *in, size_t worker)
{
    const struct hop_worker *w = &in->workers->v[worker];
    int64_t n = w->send_ahead >= 0 ? w->send_ahead : in->send_ahead >= 0 ? in->send_ahead : w->ssh != NULL;

    return in->plan->has_barriers ? 0 : (size_t)(n * w->n_slots);
}

/* --turn, of the run and the worker: another run's visits to the same host are none of its business. */
static void
add_turn(const struct hop_emit_in *in, const struct hop_worker *w, struct hop_str *s)
{
    struct hop_str key = {0};
    char hex[HOP_DIGEST_LEN + 1];

    hop_str_addf(&key, "%s%c%s", in->run_id ? in->run_id : in->run, '\0', w->name);
    if (!key.is_oom) {
        hop_digest_of(key.s, key.n, hex);
        hop_str_addf(s, " --turn %s:%lld", hex, (long long)w->n_slots);
    }
    s->is_oom = s->is_oom || key.is_oom;
    hop_str_clear(&key);
}

/* hop-train or hop-eval with its options, as words for the shell that runs it. */
static void
add_filter(const struct hop_emit_in *in, const struct hop_sched_visit *v, quote_fn *quote,
           struct hop_str *s)
{
    const struct hop_worker *w = &in->workers->v[v->worker];
    const char *tool = v->is_eval ? "hop-eval" : "hop-train";
    const char *device = w->device ? w->device : in->device;
    const char *precision = w->precision ? w->precision : in->precision;
    const char *keep = w->keep ? w->keep : in->keep;
    struct hop_str path = {0};

    hop_str_addf(&path, "%s%s%s", w->path ? w->path : "", w->path ? "/" : "", tool);
    add_word(s, quote, hop_str_c(&path));
    path.n = 0;
    hop_str_addf(&path, "%s/%s.safetensors", w->folder ? w->folder : in->data_dir,
                 in->in->shards[v->shard].name);
    hop_str_add(s, " --shard");
    add_word(s, quote, hop_str_c(&path));
    if (device) {
        hop_str_add(s, " --device");
        add_word(s, quote, device);
    }
    if (precision) {
        hop_str_add(s, " --precision");
        add_word(s, quote, precision);
    }
    if (!v->is_eval && keep) {
        hop_str_add(s, " --keep");
        add_word(s, quote, keep);
    }
    if (!v->is_eval) {
        hop_str_add(s, " --worker");
        add_word(s, quote, w->name);
    }
    if (hop_emit_ahead(in, v->worker))
        add_turn(in, w, s);
    s->is_oom = s->is_oom || path.is_oom;
    hop_str_clear(&path);
}

/* ssh and its words; the remote command is one word to the shell here and words to the one there.
 * BatchMode: nobody is there to be asked. Keep-alives end a visit whose host is gone. A script that
 * keeps a connection open says where in $HOP_SSH. */
static void
add_ssh(const struct hop_worker *w, const char *remote, struct hop_str *s)
{
    hop_str_add(s, " ssh -o BatchMode=yes -o ServerAliveInterval=15 "
                   "${HOP_SSH:+-o \"ControlPath=$HOP_SSH\"}");
    hop_emit_host(w, s);
    add_word(s, hop_str_quote_line, remote);
}

static void
add_srun(const struct hop_worker *w, struct hop_str *s)
{
    struct hop_words words = {0};
    size_t i;

    hop_reach_srun(w, &words);
    for (i = 0; i < words.n; i++)
        add_word(s, hop_str_quote_line, words.v[i]);
    s->is_oom = s->is_oom || words.is_oom;
    hop_words_clear(&words);
}

void
hop_emit_host(const struct hop_worker *w, struct hop_str *s)
{
    const struct hop_json *ssh = w->ssh;
    size_t i;

    if (hop_json_str(ssh))
        add_word(s, hop_str_quote_line, hop_json_str(ssh));
    for (i = 0; hop_json_kind(ssh) == HOP_JSON_ARRAY && i < hop_json_len(ssh); i++)
        add_word(s, hop_str_quote_line, hop_json_str(hop_json_at(ssh, i)));
}

static void
add_visit_words(const struct hop_emit_in *in, const char *id, int64_t visit, struct hop_str *s)
{
    hop_str_add(s, "hop-visit --run");
    add_word(s, hop_str_quote_line, in->run);
    hop_str_add(s, " --id");
    add_word(s, hop_str_quote_line, id);
    hop_str_addf(s, " --visit %lld", (long long)visit);
}

void
hop_emit_visit(const struct hop_emit_in *in, const struct hop_sched_visit *v, struct hop_str *out)
{
    const struct hop_worker *w = &in->workers->v[v->worker];
    struct hop_str s = {0}, remote = {0};

    add_visit_words(in, in->in->tasks[v->task].id, v->visit, &s);
    hop_str_add(&s, " --shard");
    add_word(&s, hop_str_quote_line, in->in->shards[v->shard].name);
    if (v->is_eval)
        hop_str_add(&s, " --eval");
    hop_str_add(&s, " --worker");
    add_word(&s, hop_str_quote_line, w->name);
    hop_str_add(&s, " --");
    if (w->ssh) {
        add_filter(in, v, hop_str_quote, &remote);
        add_ssh(w, hop_str_c(&remote), &s);
    } else {
        if (w->srun)
            add_srun(w, &s);
        add_filter(in, v, hop_str_quote_line, &s);
    }
    hop_str_add(out, hop_str_c(&s));
    out->is_oom = out->is_oom || s.is_oom || remote.is_oom;
    hop_str_clear(&s);
    hop_str_clear(&remote);
}

void
hop_emit_birth(const struct hop_emit_in *in, const char *id, struct hop_str *out)
{
    struct hop_str s = {0};

    add_visit_words(in, id, 0, &s);
    hop_str_add(&s, " -- hop-train --init");
    if (in->nets_dir) {
        hop_str_add(&s, " --nets");
        add_word(&s, hop_str_quote_line, in->nets_dir);
    }
    hop_str_add(out, hop_str_c(&s));
    out->is_oom = out->is_oom || s.is_oom;
    hop_str_clear(&s);
}
