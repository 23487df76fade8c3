#include "schedule/far.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "run/many.h"
#include "run/runlog.h"

enum { SSH_FAILED = 255, MAX_CONNECT_S = 15 };

void
hop_far_tool(const struct hop_worker *w, const char *name, struct hop_str *out)
{
    hop_str_addf(out, "%s%s%s", w->path ? w->path : "", w->path ? "/" : "", name);
}

static void
add_tool(const struct hop_worker *w, const char *name, struct hop_str *out)
{
    struct hop_str path = {0};

    hop_far_tool(w, name, &path);
    hop_str_quote(out, hop_str_c(&path));
    out->is_oom = out->is_oom || path.is_oom;
    hop_str_clear(&path);
}

/* The script. What it prints is JSON lines: worker/1 and shard/1 as hop has them, disk/1 of its own.
 * It is the input of the shell that runs it, so nothing else may read that. */
static void
add_script(const struct hop_far *f, bool want_probe, struct hop_str *s)
{
    size_t i;

    hop_str_add(s, "exec 3<&0\n"
                   "no_hop() { echo '{\"hop\":\"none/1\"}'; exit 0; }\n"
                   "command -v ");
    add_tool(f->worker, "hop-shard", s);
    hop_str_add(s, " >/dev/null || no_hop\n");
    if (want_probe) {
        add_tool(f->worker, "hop-train", s);
        hop_str_add(s, " -q --probe </dev/null 2>/dev/null\n");
    }
    if (!f->dir)
        return;
    hop_str_add(s, "dir=");
    hop_str_quote(s, f->dir);
    if (f->want_dir)
        hop_str_add(s, "\nmkdir -p -- \"$dir\"");
    hop_str_add(s, "\nat=$dir\n"
                   "while [ ! -d \"$at\" ]; do at=$(dirname -- \"$at\"); done\n"
                   "df -Pk -- \"$at\" | awk 'NR > 1 { printf \"{\\\"hop\\\":\\\"disk/1\\\","
                   "\\\"free_kib\\\":%s}\\n\", $(NF - 2); exit }'\n"
                   "cd -- \"$dir\" 2>/dev/null || cd /\nset --");
    for (i = 0; f->names && i < f->names->n; i++) {
        hop_str_add(s, " ./");
        hop_str_quote(s, f->names->v[i]);
        hop_str_add(s, ".safetensors");
    }
    if (!f->names)
        hop_str_add(s, " ./*.safetensors\n[ -e \"$1\" ] || exit 0");
    hop_str_add(s, "\n[ $# -eq 0 ] || ");
    add_tool(f->worker, "hop-shard", s);
    hop_str_add(s, " -q --check \"$@\" </dev/null\nexit 0\n");
}

/* One line of the script's. */
static void
take_line(struct hop_far *f, struct hop_json *take)
{
    const char *name = hop_json_str(hop_json_get(take, "name"));
    const char *problem = hop_json_str(hop_json_get(take, "problem"));

    if (hop_record_is(take, "worker/1")) {
        hop_json_push(f->devices, take);
        return;
    }
    if (hop_record_is(take, "disk/1"))
        f->free_bytes = hop_json_int(hop_json_get(take, "free_kib")) * 1024;
    if (hop_record_is(take, "shard/1") && name && problem) {
        hop_json_set_str(f->bad, name, problem);
    } else if (hop_record_is(take, "shard/1") && name) {
        hop_json_set(f->shards, name, take);
        return;
    }
    if (hop_record_is(take, "none/1")) {
        hop_json_free(f->devices);
        f->devices = NULL;
        hop_str_add(&f->why, "hop-shard is not found there (\"path\" says where hop lies)");
    }
    hop_json_free(take);
}

static void
take_answer(struct hop_far *f, struct hop_many_job *job)
{
    struct hop_json *line;
    struct hop_err e = {0};
    const char *s = hop_str_c(&job->out), *end;

    f->is_reached = !job->is_late && (job->status == 0 || (!hop_worker_is_far(f->worker) && job->status < 128));
    if (job->is_late)
        hop_str_add(&f->why, "no answer in time");
    else if (job->status)
        hop_str_addf(&f->why, "%s (exit status %d)", hop_many_said(job), job->status);
    if (!f->is_reached)
        return;
    /* A login shell may print what it likes before the script begins: no JSON, no harm. */
    for (; (end = strchr(s, '\n')); s = end + 1) {
        hop_err_clear(&e);
        if (!hop_json_parse(s, (size_t)(end - s), f->worker->name, &line, &e))
            take_line(f, line);
    }
}

static int
make_job(const struct hop_far *f, double timeout_s, bool want_probe, struct hop_words *argv,
         struct hop_str *script, struct hop_many_job *job, struct hop_err *e)
{
    struct hop_words words = {0};
    int connect_s = timeout_s > 0 && timeout_s < MAX_CONNECT_S ? (int)timeout_s : MAX_CONNECT_S;
    int rc;

    hop_words_add(&words, "sh");
    hop_words_add(&words, "-s");
    add_script(f, want_probe, script);
    if (!(rc = hop_words_check(&words, e)) && !(rc = hop_str_check(script, e)))
        rc = hop_reach(f->worker, connect_s < 1 ? 1 : connect_s, &words, argv, e);
    hop_words_clear(&words);
    if (!rc)
        *job = (struct hop_many_job){.argv = argv->v, .in = script->s};
    return rc;
}

int
hop_far_ask(struct hop_far *v, size_t n, size_t n_at_once, double timeout_s, bool want_probe,
            struct hop_err *e)
{
    struct hop_many_job *jobs = hop_alloc(n, sizeof *jobs, e);
    struct hop_words *argv = hop_alloc(n, sizeof *argv, e);
    struct hop_str *scripts = hop_alloc(n, sizeof *scripts, e);
    size_t i;
    int rc = jobs && argv && scripts ? HOP_OK : HOP_ENOMEM;

    for (i = 0; i < n && !rc; i++) {
        v[i].is_reached = false;
        v[i].why = (struct hop_str){0};
        v[i].devices = hop_json_array();
        v[i].shards = hop_json_object();
        v[i].bad = hop_json_object();
        v[i].free_bytes = -1;
        rc = make_job(&v[i], timeout_s, want_probe, &argv[i], &scripts[i], &jobs[i], e);
    }
    if (!rc)
        rc = hop_many_run(jobs, n, n_at_once, timeout_s, NULL, NULL, e);
    for (i = 0; i < n && jobs && argv && scripts; i++) {
        if (!rc)
            take_answer(&v[i], &jobs[i]);
        hop_str_clear(&jobs[i].out);
        hop_str_clear(&jobs[i].err);
        hop_words_clear(&argv[i]);
        hop_str_clear(&scripts[i]);
    }
    free(jobs);
    free(argv);
    free(scripts);
    return rc;
}

void
hop_far_clear(struct hop_far *f)
{
    hop_str_clear(&f->why);
    hop_json_free(f->devices);
    hop_json_free(f->shards);
    hop_json_free(f->bad);
    f->devices = f->shards = f->bad = NULL;
}
