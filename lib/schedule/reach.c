#include "schedule/reach.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"

void
hop_words_add(struct hop_words *w, const char *word)
{
    struct hop_err e = {0};
    char *copy = hop_dup(word, &e);

    if (!copy || hop_grow(&w->v, &w->cap, w->n + 2, sizeof *w->v, &e)) {
        w->is_oom = true;
        free(copy);
        return;
    }
    w->v[w->n++] = copy;
    w->v[w->n] = NULL;
}

void
hop_words_addf(struct hop_words *w, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || !(text = malloc((size_t)n + 1))) {
        w->is_oom = true;
        return;
    }
    va_start(ap, fmt);
    vsnprintf(text, (size_t)n + 1, fmt, ap);
    va_end(ap);
    hop_words_add(w, text);
    free(text);
}

int
hop_words_check(const struct hop_words *w, struct hop_err *e)
{
    return w->is_oom ? hop_fail(e, HOP_ENOMEM, NULL, NULL, "out of memory") : HOP_OK;
}

void
hop_words_clear(struct hop_words *w)
{
    size_t i;

    for (i = 0; i < w->n; i++)
        free(w->v[i]);
    free(w->v);
    *w = (struct hop_words){0};
}

const char *
hop_reach_host(const struct hop_worker *w)
{
    size_t n = hop_json_len(w->ssh);

    if (!w->ssh)
        return NULL;
    return n ? hop_json_str(hop_json_at(w->ssh, n - 1)) : hop_json_str(w->ssh);
}

void
hop_reach_ssh(const struct hop_worker *w, int timeout_s, struct hop_words *out)
{
    size_t i;

    hop_words_add(out, "ssh");
    hop_words_add(out, "-o");
    hop_words_add(out, "BatchMode=yes");
    hop_words_add(out, "-o");
    hop_words_add(out, "ServerAliveInterval=15");
    if (timeout_s > 0) {
        hop_words_add(out, "-o");
        hop_words_addf(out, "ConnectTimeout=%d", timeout_s);
    }
    for (i = 0; i + 1 < hop_json_len(w->ssh); i++)
        hop_words_add(out, hop_json_str(hop_json_at(w->ssh, i)));
}

void
hop_reach_srun(const struct hop_worker *w, struct hop_words *out)
{
    size_t i;

    hop_words_add(out, "env");
    hop_words_add(out, "SLURM_EXIT_ERROR=75");
    hop_words_add(out, "srun");
    hop_words_add(out, "--quiet");
    hop_words_add(out, "--nodes=1");
    hop_words_add(out, "--ntasks=1");
    /* Beside what a step that was killed has not yet given back: who trains is ours to know. */
    hop_words_add(out, "--overlap");
    /* The current folder may be none over there, and srun would say so each time. */
    if (w->folder && w->folder[0] == '/')
        hop_words_add(out, "--chdir=/");
    if (w->node)
        hop_words_addf(out, "--nodelist=%s", w->node);
    if (w->gres)
        hop_words_addf(out, "--gres=%s", w->gres);
    for (i = 0; i < hop_json_len(w->srun); i++)
        hop_words_add(out, hop_json_str(hop_json_at(w->srun, i)));
}

int
hop_reach(const struct hop_worker *w, int timeout_s, const struct hop_words *words,
          struct hop_words *out, struct hop_err *e)
{
    struct hop_str line = {0};
    size_t i;
    int rc;

    if (!w->ssh) {
        if (w->srun)
            hop_reach_srun(w, out);
        for (i = 0; i < words->n; i++)
            hop_words_add(out, words->v[i]);
        return hop_words_check(out, e);
    }
    hop_reach_ssh(w, timeout_s, out);
    hop_words_add(out, hop_reach_host(w));
    for (i = 0; i < words->n; i++) {
        hop_str_add(&line, i ? " " : "");
        hop_str_quote(&line, words->v[i]);
    }
    if (!(rc = hop_str_check(&line, e))) {
        hop_words_add(out, hop_str_c(&line));
        rc = hop_words_check(out, e);
    }
    hop_str_clear(&line);
    return rc;
}
