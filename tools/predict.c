#include "predict.h"

#include <stdlib.h>

#include "base/mem.h"
#include "format/image.h"
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
    if (info->n_dims != 3 || !info->is_u8)
        rc = hop_fail(e, HOP_EFORMAT, where, "evaluate it on shards",
                      "the model was not trained on pictures");
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

static struct hop_json *
prediction(const char *file, float *p, const struct hop_training *t,
           const struct hop_dataset_info *info, int64_t top, bool *is_taken)
{
    struct hop_json *o = hop_json_record("prediction/1");

    if (t->net->output.d[0] == 1 && info->n_classes == 2) { /* of the second one */
        p[1] = p[0];
        p[0] = 1 - p[1];
    }
    hop_json_set_str(o, "file", file);
    if (info->n_targets)
        hop_json_set(o, "values", values(p, info));
    else
        hop_json_set(o, "top", top_classes(p, info->n_classes, top, info->classes, is_taken));
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

int
tool_predict(const struct hop_training *t, const struct hop_dataset_info *info,
             struct hop_session *s, int64_t top, int n_files, char **files, struct hop_err *e)
{
    struct hop_examples x = {.is_u8 = true, .shape = t->net->input, .n = 1,
                             .n_classes = info->n_classes};
    float *mean = NULL, *inv_std = NULL;
    float *p = hop_alloc((size_t)(info->n_classes + info->n_targets), sizeof *p, e);
    bool *is_taken = hop_alloc((size_t)info->n_classes, sizeof *is_taken, e);
    struct hop_json *o;
    int i, rc = p && is_taken ? hop_training_norm(t, info, &mean, &inv_std, e) : HOP_ENOMEM;

    x.mean = mean;
    x.inv_std = inv_std;
    for (i = 0; i < n_files && !rc; i++) {
        if ((rc = run_image(files[i], info, &x, s, p, e)))
            break;
        o = prediction(files[i], p, t, info, top, is_taken);
        tool_record(o);
        hop_json_free(o);
    }
    free(mean);
    free(inv_std);
    free(p);
    free(is_taken);
    return rc;
}
