#include "predict.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "format/image.h"
#include "format/source.h"
#include "tool.h"

int
tool_predict_info(struct hop_model *m, const struct hop_training *t, const char *where,
                  struct hop_dataset_info *info, struct hop_err *e)
{
    int rc;

    if (!m->data)
        return hop_fail(e, HOP_EFORMAT, where, "train it first", "the model has seen no data yet");
    if ((rc = hop_dataset_info_parse(m->data, where, info, e)))
        return rc;
    if (info->n_dims == 1 && !info->n_columns)
        rc = hop_fail(e, HOP_EFORMAT, where, "make the shards again with hop-shard, and train",
                      "the model does not know the columns of its table");
    else
        rc = hop_training_bind_data(m, t, info, where, e);
    if (rc)
        hop_dataset_info_clear(info);
    return rc;
}

static struct hop_json *
top_classes(const float *p, int64_t K, int64_t top, char *const *classes, bool *is_taken)
{
    struct hop_json *list = hop_json_array(), *o;
    int64_t i, j, best;

    for (j = 0; j < K; j++)
        is_taken[j] = false;
    for (i = 0; i < K && i < top; i++) {
        for (best = -1, j = 0; j < K; j++)
            if (!is_taken[j] && (best < 0 || p[j] > p[best]))
                best = j;
        is_taken[best] = true;
        o = hop_json_object();
        hop_json_set_str(o, "class", classes[best]);
        hop_json_set_real(o, "p", (double)p[best]);
        hop_json_push(list, o);
    }
    return list;
}

/* A picture's targets by name. */
static struct hop_json *
values(const float *p, const struct hop_dataset_info *info)
{
    struct hop_json *o = hop_json_object();
    int64_t i;

    for (i = 0; i < info->n_targets; i++)
        hop_json_set_real(o, info->targets[i], (double)p[i]);
    return o;
}

struct prediction_of {
    const struct hop_training *t;
    const struct hop_dataset_info *info;
    int64_t top;
    bool *is_taken; /* [n_classes] room */
};

static struct hop_json *
prediction(const char *file, int64_t row, const float *p, const struct prediction_of *of)
{
    struct hop_json *o = hop_json_record("prediction/1");
    const struct hop_dataset_info *info = of->info;
    float two[2] = {1 - p[0], p[0]};

    if (of->t->net->output.d[0] == 1 && info->n_classes == 2) /* it is of the second one */
        p = two;
    hop_json_set_str(o, "file", file);
    if (row)
        hop_json_set_int(o, "row", row);
    if (info->n_targets)
        hop_json_set(o, "values", values(p, info));
    else
        hop_json_set(o, "top", top_classes(p, info->n_classes, of->top, info->classes, of->is_taken));
    return o;
}

/* Predictions [K] of one picture into p. */
static int
run_image(const char *path, const struct hop_dataset_info *info, struct hop_examples *x,
          struct hop_session *s, float *p, struct hop_err *e)
{
    struct hop_image img;
    int rc = hop_image_read(path, &img, e);

    if (rc)
        return rc;
    if (!(rc = hop_image_set_channels(&img, info->dims[2], e)) &&
        !(rc = hop_image_resize(&img, info->dims[0], info->dims[1], e))) {
        x->x = img.pixels;
        if (!(rc = hop_session_bind(s, x, e)))
            rc = s->ops->predict(s->plan, s->data, p, e);
    }
    if (s->data)
        s->ops->unbind(s->data); /* before the picture's memory goes */
    s->data = NULL;
    hop_image_clear(&img);
    return rc;
}

static int
predict_image(const char *path, const struct prediction_of *of, struct hop_examples *x,
              struct hop_session *s, float *p, struct hop_err *e)
{
    struct hop_json *o;
    int rc = run_image(path, of->info, x, s, p, e);

    if (rc)
        return rc;
    o = prediction(path, 0, p, of);
    tool_record(o);
    hop_json_free(o);
    return HOP_OK;
}

enum { ROWS_AT_ONCE = 128 };

/* Up to ROWS_AT_ONCE rows into `rows`; *n of them, 0 at the end. */
static int
read_rows(struct hop_source *table, float *rows, int64_t *n, struct hop_err *e)
{
    struct hop_sample row;
    bool is_bad;
    int rc = HOP_OK;

    for (*n = 0; *n < ROWS_AT_ONCE && !(rc = hop_source_next(table, &row, &is_bad, e)); ++*n)
        memcpy(rows + *n * row.n_values, row.values, (size_t)row.n_values * sizeof *rows);
    return rc == HOP_EOF ? HOP_OK : rc;
}

/* Room: p for ROWS_AT_ONCE predictions, rows for as many examples. */
static int
predict_table(const char *path, const struct prediction_of *of, struct hop_examples *x,
              struct hop_session *s, float *rows, float *p, struct hop_err *e)
{
    int64_t K = of->t->net->output.d[0], n_before = 0, i;
    struct hop_source table;
    struct hop_json *o;
    int rc = hop_source_open_table(path, of->info->columns, (size_t)of->info->n_columns, &table, e);

    if (rc)
        return rc;
    x->x = rows;
    while (!(rc = read_rows(&table, rows, &x->n, e)) && x->n) {
        if ((rc = hop_session_bind(s, x, e)) || (rc = s->ops->predict(s->plan, s->data, p, e)))
            break;
        for (i = 0; i < x->n; i++) {
            o = prediction(path, ++n_before, p + i * K, of);
            tool_record(o);
            hop_json_free(o);
        }
    }
    hop_source_close(&table);
    return rc;
}

int
tool_predict(const struct hop_training *t, const struct hop_dataset_info *info,
             struct hop_session *s, int64_t top, int n_files, char **files, struct hop_err *e)
{
    struct hop_examples x = {.is_u8 = info->is_u8, .shape = t->net->input, .n = 1,
                             .n_classes = info->n_classes, .n_targets = info->n_targets};
    struct prediction_of of = {.t = t, .info = info, .top = top};
    bool is_table = info->n_dims == 1;
    float *mean = NULL, *inv_std = NULL, *rows;
    float *p = hop_alloc_floats(ROWS_AT_ONCE * (size_t)t->net->output.d[0], e);
    int i, rc;

    of.is_taken = hop_alloc((size_t)info->n_classes, sizeof *of.is_taken, e);
    rows = hop_alloc_floats(is_table ? ROWS_AT_ONCE * (size_t)info->n_columns : 1, e);
    rc = p && rows && of.is_taken ? hop_training_norm(t, info, &mean, &inv_std, e) : HOP_ENOMEM;
    x.mean = mean;
    x.inv_std = inv_std;
    for (i = 0; i < n_files && !rc; i++)
        rc = is_table ? predict_table(files[i], &of, &x, s, rows, p, e)
                      : predict_image(files[i], &of, &x, s, p, e);
    if (s->data)
        s->ops->unbind(s->data);
    s->data = NULL;
    free(mean);
    free(inv_std);
    free(p);
    free(rows);
    free(of.is_taken);
    return rc;
}
