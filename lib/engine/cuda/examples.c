/* Examples in device memory: the shard's arrays, of the slot alone or resident; beside them what a model
 * brings (normalisation, weights of classes). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/cuda/resident.h"

static struct k_f32
cut_f32(char *base, size_t *at, int64_t n)
{
    return (struct k_f32){hop_cuda_cut(base, at, (size_t)n * sizeof(float)), n};
}

/* The shard's arrays at base (NULL: only counted); returns their bytes. */
static size_t
lay_out_shard(struct hop_data *data, char *base)
{
    const struct hop_examples *x = &data->x;
    int64_t len = hop_shape_len(&x->shape);
    struct k_now *now = &data->now;
    size_t at = 0;

    if (x->is_u8)
        now->x8 = (struct k_u8){hop_cuda_cut(base, &at, (size_t)(x->n * len)), x->n * len};
    else
        now->x32 = cut_f32(base, &at, x->n * len);
    if (x->y)
        now->y = (struct k_i32){hop_cuda_cut(base, &at, (size_t)x->n * sizeof(int32_t)), x->n};
    if (x->t)
        now->t = cut_f32(base, &at, x->n * x->n_targets);
    return at;
}

/* The model's, likewise. */
static size_t
lay_out_model(struct hop_data *data, char *base)
{
    const struct hop_examples *x = &data->x;
    int64_t C = x->shape.d[x->shape.n_dims - 1];
    struct k_now *now = &data->now;
    size_t at = 0;

    now->mean = cut_f32(base, &at, C);
    now->inv_std = cut_f32(base, &at, C);
    if (x->class_weight)
        now->class_weight = cut_f32(base, &at, x->n_classes);
    return at;
}

static int
copy_in(struct hop_device *d, void *to, const void *from, size_t bytes, struct hop_err *e)
{
    return bytes ? d->driver->copy_in(d->context, d->stream, to, from, bytes, e) : HOP_OK;
}

/* The arrays into the memory that they are laid out in; waits. */
static int
upload_shard(void *arg, void *memory, struct hop_err *e)
{
    struct hop_data *data = arg;
    const struct hop_examples *x = &data->x;
    const struct k_now *now = &data->now;
    struct hop_device *d = data->device;
    int rc;

    lay_out_shard(data, memory);
    rc = copy_in(d, now->x8.p, x->x, (size_t)now->x8.n, e);
    if (!rc)
        rc = copy_in(d, now->x32.p, x->x, (size_t)now->x32.n * sizeof(float), e);
    if (!rc)
        rc = copy_in(d, now->y.p, x->y, (size_t)now->y.n * sizeof(int32_t), e);
    if (!rc)
        rc = copy_in(d, now->t.p, x->t, (size_t)now->t.n * sizeof(float), e);
    return rc ? rc : d->driver->stream_sync(d->context, d->stream, e);
}

static int
upload_model(struct hop_data *data, void *memory, struct hop_err *e)
{
    const struct hop_examples *x = &data->x;
    const struct k_now *now = &data->now;
    struct hop_device *d = data->device;
    int rc;

    lay_out_model(data, memory);
    rc = copy_in(d, now->mean.p, x->mean, (size_t)now->mean.n * sizeof(float), e);
    if (!rc)
        rc = copy_in(d, now->inv_std.p, x->inv_std, (size_t)now->inv_std.n * sizeof(float), e);
    if (!rc)
        rc = copy_in(d, now->class_weight.p, x->class_weight,
                     (size_t)now->class_weight.n * sizeof(float), e);
    return rc ? rc : d->driver->stream_sync(d->context, d->stream, e);
}

/* The spare piece, or a new one. */
static int
take_memory(struct hop_data *data, size_t bytes, struct hop_err *e)
{
    struct hop_device *d = data->device;

    data->bytes = bytes;
    if (d->spare_bytes < bytes)
        return d->driver->alloc(d->context, bytes, &data->memory, e);
    data->memory = d->spare;
    data->bytes = d->spare_bytes;
    d->spare = NULL;
    d->spare_bytes = 0;
    return HOP_OK;
}

static int
bind(struct hop_data *data, struct hop_err *e)
{
    size_t n_shard = lay_out_shard(data, NULL), n_model = lay_out_model(data, NULL);
    const struct hop_examples *x = &data->x;
    void *shard = NULL;
    int rc = HOP_EOF;
    char key[120];

    /* the same bytes may be of another shape */
    if (x->key && snprintf(key, sizeof key, "%.64s %d %d %d %lld", x->key, x->is_u8, x->y != NULL,
                           x->t != NULL, (long long)x->n) < (int)sizeof key)
        rc = hop_cuda_resident_take(data->device, key, n_shard, upload_shard, data,
                                    &data->resident, &shard, e);
    if (rc && rc != HOP_EOF)
        return rc;
    if (!rc)
        n_shard = 0;
    if ((rc = take_memory(data, n_shard + n_model, e)))
        return rc;
    if (data->resident)
        lay_out_shard(data, shard);
    else
        rc = upload_shard(data, data->memory, e);
    return rc ? rc : upload_model(data, (char *)data->memory + n_shard, e);
}

int
hop_cuda_bind(struct hop_device *d, const struct hop_examples *x, struct hop_data **out,
              struct hop_err *e)
{
    struct hop_data *data;
    int rc;

    *out = NULL;
    if (!(data = hop_alloc(1, sizeof *data, e)))
        return HOP_ENOMEM;
    data->device = d;
    data->x = *x;
    if ((rc = bind(data, e)))
        hop_cuda_unbind(data);
    else
        *out = data;
    return rc;
}

void
hop_cuda_unbind(struct hop_data *x)
{
    struct hop_device *d = x->device;
    void *gone = x->memory;

    if (x->memory && x->bytes > d->spare_bytes) {
        gone = d->spare;
        d->spare = x->memory;
        d->spare_bytes = x->bytes;
    }
    d->driver->free(d->context, gone);
    hop_cuda_resident_give(x->resident);
    free(x);
}
