#include "net/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/class_weight.h"

/* Contents: 1 the config line, 2 fresh models, 3 from and to tensors, 4 data */

/* ---- 1 the config line ---- */

int
hop_train_conf_parse(const struct hop_json *config, const char *where, struct hop_train_conf *c,
                     struct hop_err *e)
{
    static const char *const norms[] = {"auto", "standard", "unit", "none"};
    const char *id = NULL, *optim = NULL, *norm = "auto";
    size_t i;
    int rc;

    *c = (struct hop_train_conf){.batch_size = 32, .seed = 1, .passes = 1, .until = 1};
    if ((rc = hop_json_get_str(config, "id", true, where, &id, e)) ||
        (rc = hop_id_check(id, where, e)) ||
        (rc = hop_json_get_str(config, "optimizer", true, where, &optim, e)) ||
        (rc = hop_json_get_str(config, "normalization", false, where, &norm, e)) ||
        (rc = hop_json_get_int(config, "batch_size", false, 1, 1 << 20, where, &c->batch_size,
                               e)) ||
        (rc = hop_json_get_int(config, "seed", false, 0, 9e15, where, &c->seed, e)) ||
        (rc = hop_json_get_int(config, "passes", false, 1, 1e6, where, &c->passes, e)) ||
        (rc = hop_json_get_int(config, "until", false, 1, 1e9, where, &c->until, e)) ||
        (rc = hop_loss_conf(config, where, &c->loss, e)) ||
        (rc = hop_optim_find(optim, where, &c->optim, e)) ||
        (rc = hop_optim_conf(c->optim, config, where, c->hyper, e)) ||
        (rc = hop_lr_parse(config, where, &c->lr, e)) ||
        (rc = hop_metrics_parse(&c->metrics, hop_json_get(config, "metrics"), where, e)) ||
        (rc = hop_class_weight_check(config, where, e)))
        return rc;
    snprintf(c->id, sizeof c->id, "%s", id);
    c->n_slots = c->optim->slots(c->hyper, c->slot_names);
    for (i = 0; i < HOP_LEN(norms) && strcmp(norm, norms[i]); i++)
        ;
    if (i == HOP_LEN(norms))
        return hop_fail(e, HOP_EFORMAT, where, "known: auto, standard, unit, none",
                        "unknown normalization \"%.60s\"", norm);
    c->normalization = i;
    return HOP_OK;
}

/* ---- 2 fresh models ---- */

/* Weights and slots lie in `floats`, as in a file of ours. */
static void
spread(struct hop_training *t, float *floats)
{
    t->weights = floats;
    for (int i = 0; i < t->conf.n_slots; i++)
        t->slots[i] = floats + t->net->n_params + (size_t)i * t->net->n_trainable;
}

static size_t
n_floats(const struct hop_training *t)
{
    return t->net->n_params + (size_t)t->conf.n_slots * t->net->n_trainable;
}

static int
alloc_own(struct hop_training *t, struct hop_err *e)
{
    if (!t->own && !(t->own = hop_alloc_floats(n_floats(t), e)))
        return HOP_ENOMEM;
    spread(t, t->own);
    return HOP_OK;
}

static int
open_net(const struct hop_json *config, const struct hop_json *architecture, const char *where,
         struct hop_training *t, struct hop_err *e)
{
    int rc;

    *t = (struct hop_training){0};
    if ((rc = hop_train_conf_parse(config, where, &t->conf, e)) ||
        (rc = hop_net_parse(architecture, where, &t->net, e)) ||
        (rc = hop_loss_check(&t->conf.loss, t->net, where, e)))
        hop_training_clear(t);
    return rc;
}

int
hop_training_init(struct hop_json *take_config, struct hop_json *take_architecture,
                  const char *where, struct hop_model *m, struct hop_training *t,
                  struct hop_err *e)
{
    size_t k;
    int i, rc;

    *m = (struct hop_model){.config = take_config, .architecture = take_architecture};
    if (!(rc = open_net(m->config, m->architecture, where, t, e)) && (rc = alloc_own(t, e)))
        hop_training_clear(t);
    if (rc) {
        hop_model_clear(m);
        return rc;
    }
    m->history = hop_json_array();
    snprintf(m->id, sizeof m->id, "%s", t->conf.id);
    hop_init_weights(t->net, (uint64_t)t->conf.seed, t->conf.id, t->weights);
    for (i = 0; t->conf.optim->slot_start && i < t->conf.n_slots; i++)
        for (k = 0; k < t->net->n_trainable; k++)
            t->slots[i][k] = t->conf.optim->slot_start(t->conf.hyper, i);
    return HOP_OK;
}

/* ---- 3 from and to tensors ---- */

/* The name of weight w's tensor in slot i_slot; -1 = the weight itself. */
static void
tensor_name(const struct hop_training *t, const struct hop_weight *w, int i_slot, char *out,
            size_t n)
{
    if (i_slot < 0)
        snprintf(out, n, "%s", w->name);
    else
        snprintf(out, n, "optimizer/%s/%s", t->conf.slot_names[i_slot], w->name);
}

static float *
tensor_place(const struct hop_training *t, const struct hop_weight *w, int i_slot)
{
    return i_slot < 0 ? t->weights + w->offset : t->slots[i_slot] + w->slot_offset;
}

static int
load_tensor(const struct hop_model *m, const char *where, const struct hop_training *t,
            const struct hop_weight *w, int i_slot, struct hop_err *e)
{
    char name[3 * HOP_NAME_LEN], want[80], got[80];
    const struct hop_tensor *x;
    struct hop_shape s = {0};
    int k;

    tensor_name(t, w, i_slot, name, sizeof name);
    if (!(x = hop_st_find(&m->st, name)))
        return hop_fail(e, HOP_EFORMAT, where, NULL, "tensor \"%s\" is missing", name);
    for (k = 0; k < x->n_dims && k < HOP_NET_DIMS; k++)
        s.d[k] = x->dims[k];
    s.n_dims = x->n_dims;
    if (x->dtype != HOP_F32 || s.n_dims != w->shape.n_dims ||
        memcmp(s.d, w->shape.d, (size_t)s.n_dims * sizeof s.d[0])) {
        hop_shape_text(&w->shape, want, sizeof want);
        s.n_dims = s.n_dims > HOP_NET_DIMS ? HOP_NET_DIMS : s.n_dims;
        hop_shape_text(&s, got, sizeof got);
        return hop_fail(e, HOP_EFORMAT, where, NULL, "tensor \"%s\" is %s %s, the net wants F32 %s",
                        name, x->dtype_name, got, want);
    }
    if (x->data != tensor_place(t, w, i_slot))
        memcpy(tensor_place(t, w, i_slot), x->data, x->n_bytes);
    return HOP_OK;
}

/* Do all tensors lie in the model's bytes as hop_training_write puts them? */
static bool
lies_as_written(const struct hop_model *m, const struct hop_training *t)
{
    char name[3 * HOP_NAME_LEN];
    const struct hop_tensor *x = m->st.tensors;
    const struct hop_weight *w;

    if ((uintptr_t)m->st.data % sizeof(float) ||
        m->st.n_data_bytes != n_floats(t) * sizeof(float))
        return false;
    for (int k = -1; k < t->conf.n_slots; k++)
        for (int i = 0; i < t->net->n_weights; i++) {
            w = &t->net->weights[i];
            if (k >= 0 && !w->is_trainable)
                continue;
            tensor_name(t, w, k, name, sizeof name);
            if (x == m->st.tensors + m->st.n_tensors || strcmp(x->name, name) ||
                x->n_bytes != (size_t)w->n * sizeof(float))
                return false;
            x++;
        }
    return true;
}

static int
load_tensors(const struct hop_model *m, const char *where, struct hop_training *t,
             struct hop_err *e)
{
    const struct hop_weight *w;
    size_t n_used = 0;
    int i, k, rc = HOP_OK;

    for (i = 0; i < t->net->n_weights && !rc; i++) {
        w = &t->net->weights[i];
        for (k = -1; k < (w->is_trainable ? t->conf.n_slots : 0) && !rc; k++, n_used++)
            rc = load_tensor(m, where, t, w, k, e);
    }
    if (!rc && n_used != m->st.n_tensors)
        rc = hop_fail(e, HOP_EFORMAT, where, NULL, "holds %zu tensors, the net has %zu",
                      m->st.n_tensors, n_used);
    return rc;
}

int
hop_training_load(const struct hop_model *m, const char *where, struct hop_training *t,
                  struct hop_err *e)
{
    int rc = open_net(m->config, m->architecture, where, t, e);

    if (!rc && ((rc = alloc_own(t, e)) || (rc = load_tensors(m, where, t, e))))
        hop_training_clear(t);
    return rc;
}

/* t has its net: the tensors, in place or copied, and checked. */
static int
adopt(const struct hop_model *m, const char *where, struct hop_training *t, struct hop_err *e)
{
    int rc = HOP_OK;

    if (lies_as_written(m, t))
        spread(t, (float *)m->st.data);
    else
        rc = alloc_own(t, e);
    return rc ? rc : load_tensors(m, where, t, e);
}

int
hop_training_adopt(const struct hop_model *m, const char *where, struct hop_training *t,
                   struct hop_err *e)
{
    int rc = open_net(m->config, m->architecture, where, t, e);

    if (!rc && (rc = adopt(m, where, t, e)))
        hop_training_clear(t);
    return rc;
}

int
hop_training_reload(const struct hop_model *m, const char *where, struct hop_training *t,
                    struct hop_err *e)
{
    struct hop_train_conf conf;
    int rc = hop_train_conf_parse(m->config, where, &conf, e);

    if (rc || (rc = hop_loss_check(&conf.loss, t->net, where, e)))
        return rc;
    HOP_BUG_ON(conf.optim != t->conf.optim || conf.n_slots != t->conf.n_slots);
    t->conf = conf;
    return adopt(m, where, t, e);
}

/* All tensors of t, in file order. */
struct tensors {
    struct hop_tensor *v;
    char (*names)[3 * HOP_NAME_LEN];
    size_t n;
};

static void
tensors_clear(struct tensors *s)
{
    free(s->v);
    free(s->names);
}

static int
tensors_list(const struct hop_training *t, struct tensors *s, struct hop_err *e)
{
    size_t n_max = (size_t)t->net->n_weights * (size_t)(1 + t->conf.n_slots);
    const struct hop_weight *w;
    struct hop_tensor *x;
    int i, k;

    *s = (struct tensors){.v = hop_alloc(n_max, sizeof *s->v, e),
                          .names = hop_alloc(n_max, sizeof *s->names, e)};
    if (!s->v || !s->names)
        return HOP_ENOMEM;
    for (k = -1; k < t->conf.n_slots; k++)
        for (i = 0; i < t->net->n_weights; i++) {
            w = &t->net->weights[i];
            if (k >= 0 && !w->is_trainable)
                continue;
            tensor_name(t, w, k, s->names[s->n], sizeof s->names[s->n]);
            x = &s->v[s->n];
            *x = (struct hop_tensor){.name = s->names[s->n], .dtype = HOP_F32,
                                     .dtype_name = "F32", .n_dims = w->shape.n_dims,
                                     .data = tensor_place(t, w, k),
                                     .n_bytes = (size_t)w->n * sizeof(float)};
            memcpy(x->dims, w->shape.d, (size_t)w->shape.n_dims * sizeof x->dims[0]);
            s->n++;
        }
    return HOP_OK;
}

int
hop_training_digest(const struct hop_training *t, char hex[HOP_DIGEST_LEN + 1], struct hop_err *e)
{
    struct hop_digest *d;
    struct tensors s;
    size_t i;
    int rc = tensors_list(t, &s, e);

    if (!rc && !(d = hop_digest_new(e)))
        rc = HOP_ENOMEM;
    if (!rc) {
        for (i = 0; i < s.n; i++)
            hop_digest_add(d, s.v[i].data, s.v[i].n_bytes);
        hop_digest_end(d, hex);
    }
    tensors_clear(&s);
    return rc;
}

int
hop_training_write(int fd, const char *where, const struct hop_model *m,
                   const struct hop_training *t, const char *digest, struct hop_err *e)
{
    struct tensors s;
    int rc = tensors_list(t, &s, e);

    if (!rc)
        rc = hop_model_write(fd, where, m, s.v, s.n, digest, e);
    tensors_clear(&s);
    return rc;
}

void
hop_training_clear(struct hop_training *t)
{
    hop_net_free(t->net);
    free(t->own);
    *t = (struct hop_training){0};
}

/* ---- 4 data ---- */

/* Does the net take examples of this shape, and has it an output for each class or target? */
static int
check_fit(const struct hop_training *t, const struct hop_dataset_info *d, const char *where,
          struct hop_err *e)
{
    struct hop_shape s = {.n_dims = d->n_dims};
    char want[80], got[80];

    memcpy(s.d, d->dims, (size_t)d->n_dims * sizeof s.d[0]);
    if (s.n_dims != t->net->input.n_dims ||
        memcmp(s.d, t->net->input.d, (size_t)s.n_dims * sizeof s.d[0])) {
        hop_shape_text(&t->net->input, want, sizeof want);
        hop_shape_text(&s, got, sizeof got);
        return hop_fail(e, HOP_EFORMAT, where, "make shards of that size, or change the net",
                        "examples are %s, net \"%s\" wants %s", got, t->net->name, want);
    }
    return hop_loss_check_data(&t->conf.loss, t->net, d, where, e);
}

int
hop_training_bind_data(struct hop_model *m, const struct hop_training *t,
                       const struct hop_dataset_info *d, const char *where, struct hop_err *e)
{
    const char *dataset;
    int rc = check_fit(t, d, where, e);

    if (rc)
        return rc;
    if (!m->data) {
        m->data = hop_dataset_info_json(d);
        return HOP_OK;
    }
    dataset = hop_json_str(hop_json_get(m->data, "dataset"));
    if (!dataset || strcmp(dataset, d->dataset))
        return hop_fail(e, HOP_EFORMAT, where, "train and evaluate on shards made in one go",
                        "belongs to another dataset than the model's");
    return HOP_OK;
}

int
hop_training_norm(const struct hop_training *t, const struct hop_dataset_info *d, float **mean,
                  float **inv_std, struct hop_err *e)
{
    int norm = t->conf.normalization;
    int64_t c;

    *inv_std = NULL;
    if (!(*mean = hop_alloc((size_t)d->n_channels, sizeof(float), e)) ||
        !(*inv_std = hop_alloc((size_t)d->n_channels, sizeof(float), e))) {
        free(*mean);
        *mean = NULL;
        return HOP_ENOMEM;
    }
    if (norm == HOP_NORM_AUTO)
        norm = t->net->is_normalizing ? HOP_NORM_NONE : HOP_NORM_STANDARD;
    for (c = 0; c < d->n_channels; c++) {
        (*mean)[c] = norm == HOP_NORM_STANDARD ? d->mean[c] : 0.0f;
        (*inv_std)[c] = 1.0f;
        if (norm == HOP_NORM_STANDARD)
            (*inv_std)[c] = d->std[c] > 1e-7f ? 1.0f / d->std[c] : 1.0f;
        else if (norm == HOP_NORM_UNIT && d->is_u8)
            (*inv_std)[c] = 1.0f / 255.0f;
    }
    return HOP_OK;
}
