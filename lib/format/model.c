#include "format/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/str.h"

int
hop_id_check(const char *id, const char *where, struct hop_err *e)
{
    size_t n = strlen(id);

    if (n < 1 || n > 100 || id[0] == '.' || id[0] == '-' ||
        id[strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")])
        return hop_fail(e, HOP_EFORMAT, where,
                        "1 to 100 of A-Z a-z 0-9 . _ -, not starting with . or -",
                        "id \"%.100s\" cannot be used as a file name", id);
    return HOP_OK;
}

/* The JSON of a metadata value; *out stays NULL when it is missing and not needed. */
static int
meta_json(const struct hop_st *st, const char *key, bool is_needed, const char *where,
          struct hop_json **out, struct hop_err *e)
{
    const char *text = hop_st_meta(st, key);
    char place[640];

    if (!text)
        return is_needed ? hop_fail(e, HOP_EFORMAT, where, "is this a hop model file?",
                                    "metadata \"%s\" is missing", key)
                         : HOP_OK;
    snprintf(place, sizeof place, "%s:%s", where, key);
    return hop_json_parse(text, strlen(text), place, out, e);
}

static int
read_meta(struct hop_model *m, const char *where, struct hop_err *e)
{
    const char *kind = hop_st_meta(&m->st, "hop.kind"), *id = NULL, *status = NULL;
    struct hop_json *progress = NULL;
    int rc;

    if (!kind || strcmp(kind, "model/1"))
        return hop_fail(e, HOP_EFORMAT, where, "is this a hop model file?",
                        "hop.kind is \"%.40s\", should be \"model/1\"", kind ? kind : "");
    if (!hop_st_meta(&m->st, "hop.header") || !hop_st_meta(&m->st, "hop.digest"))
        return hop_fail(e, HOP_EFORMAT, where, "the file was altered", "the digests are missing");
    if ((rc = meta_json(&m->st, "hop.config", true, where, &m->config, e)) ||
        (rc = meta_json(&m->st, "hop.architecture", true, where, &m->architecture, e)) ||
        (rc = meta_json(&m->st, "hop.data", false, where, &m->data, e)) ||
        (rc = meta_json(&m->st, "hop.history", true, where, &m->history, e)) ||
        (rc = meta_json(&m->st, "hop.progress", true, where, &progress, e)))
        return rc;
    if (!(rc = hop_json_get_str(m->config, "id", true, where, &id, e)) &&
        !(rc = hop_id_check(id, where, e)) &&
        !(rc = hop_json_get_int(progress, "iteration", true, 0, 1e15, where, &m->iteration, e)) &&
        !(rc = hop_json_get_int(progress, "visits", true, 0, 1e15, where, &m->visits, e)) &&
        !(rc = hop_json_get_int(progress, "step", true, 0, 1e15, where, &m->step, e)) &&
        !(rc = hop_json_get_str(progress, "status", true, where, &status, e))) {
        snprintf(m->id, sizeof m->id, "%s", id);
        m->is_diverged = !strcmp(status, "diverged");
        if (hop_json_kind(m->history) != HOP_JSON_ARRAY)
            rc = hop_fail(e, HOP_EFORMAT, where, NULL, "hop.history is %s, should be an array",
                          hop_json_kind_name(m->history));
    }
    hop_json_free(progress);
    return rc;
}

int
hop_model_parse(const struct hop_st_input *in, const char *where, struct hop_model *m,
                struct hop_err *e)
{
    int rc;

    *m = (struct hop_model){0};
    if (!(rc = hop_st_parse_input(in, where, &m->st, e)) && (rc = read_meta(m, where, e)))
        hop_model_clear(m);
    return rc;
}

int
hop_model_read(int fd, const char *where, struct hop_model *m, struct hop_err *e)
{
    struct hop_st_input in = {0};
    int rc;

    *m = (struct hop_model){0};
    if ((rc = hop_st_input_read(&in, fd, where, HOP_MAX_MODEL_BYTES, NULL, NULL, e)) ||
        (rc = hop_model_parse(&in, where, m, e)))
        free(in.bytes);
    else
        m->bytes = in.bytes;
    return rc;
}

int
hop_model_open(const char *path, bool want_data_digest, struct hop_model *m, struct hop_err *e)
{
    int rc;

    *m = (struct hop_model){0};
    if (!(rc = hop_st_open(path, want_data_digest, &m->st, e)) && (rc = read_meta(m, path, e)))
        hop_model_clear(m);
    return rc;
}

void
hop_model_clear(struct hop_model *m)
{
    hop_st_close(&m->st);
    hop_json_free(m->config);
    hop_json_free(m->architecture);
    hop_json_free(m->data);
    hop_json_free(m->history);
    free(m->bytes);
    *m = (struct hop_model){0};
}

int
hop_model_write(int fd, const char *where, const struct hop_model *m,
                const struct hop_tensor *tensors, size_t n_tensors, const char *digest,
                struct hop_err *e)
{
    enum { CONFIG, ARCHITECTURE, PROGRESS, HISTORY, DATA, N_TEXTS };
    static const char *const keys[N_TEXTS] = {"hop.config", "hop.architecture", "hop.progress",
                                              "hop.history", "hop.data"};
    struct hop_json *progress = hop_json_object();
    const struct hop_json *parts[N_TEXTS] = {m->config, m->architecture, progress, m->history,
                                             m->data};
    struct hop_str texts[N_TEXTS] = {{0}};
    struct hop_meta meta[N_TEXTS + 1] = {{"hop.kind", "model/1"}};
    size_t n_meta = 1;
    int i, rc = HOP_OK;

    hop_json_set_int(progress, "iteration", m->iteration);
    hop_json_set_int(progress, "visits", m->visits);
    hop_json_set_int(progress, "step", m->step);
    hop_json_set_str(progress, "status", m->is_diverged ? "diverged" : "ok");
    for (i = 0; i < N_TEXTS && !rc; i++) {
        if (i == DATA && !m->data)
            continue;
        rc = hop_json_dump(parts[i], &texts[i], e);
        meta[n_meta++] = (struct hop_meta){keys[i], hop_str_c(&texts[i])};
    }
    if (!tensors) {
        tensors = m->st.tensors;
        n_tensors = m->st.n_tensors;
    }
    if (!rc)
        rc = digest ? hop_st_write_known(fd, where, tensors, n_tensors, meta, n_meta, digest, e)
                    : hop_st_write(fd, where, tensors, n_tensors, meta, n_meta, e);
    for (i = 0; i < N_TEXTS; i++)
        hop_str_clear(&texts[i]);
    hop_json_free(progress);
    return rc;
}

const struct hop_json *
hop_model_last_train(const struct hop_model *m)
{
    size_t i;
    const struct hop_json *line;
    const char *kind;

    for (i = hop_json_len(m->history); i-- > 0;) {
        line = hop_json_at(m->history, i);
        kind = hop_json_str(hop_json_get(line, "hop"));
        if (kind && !strcmp(kind, "train/1"))
            return line;
    }
    return NULL;
}
