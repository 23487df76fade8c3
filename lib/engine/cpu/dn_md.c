/* Layouts of oneDNN's arrays, in every version of it. */
#include <string.h>
#include "base/mem.h"
#include "engine/cpu/dn_own.h"

/* d becomes the set's, or is freed. */
static const struct hop_dn_md *
keep_md(struct hop_dn_set *s, void *d, struct hop_err *e)
{
    struct hop_dn_md *m = hop_alloc(1, sizeof *m, e);

    if (!m) {
        hop_dn_desc_free(d);
        return NULL;
    }
    m->d = d;
    hop_dn_desc_layout(d, &m->l);
    m->next = s->mds;
    s->mds = m;
    return m;
}

const struct hop_dn_md *
hop_dn_md_keep_copy(struct hop_dn_set *s, const void *d, struct hop_err *e)
{
    void *copy;

    return hop_dn_check(hop_dn_desc_copy(&copy, d), "array", e) ? NULL : keep_md(s, copy, e);
}

int
hop_dn_describe(void **d, int n_dims, const int64_t *dims, dnnl_data_type_t type,
                dnnl_format_tag_t tag, struct hop_err *e)
{
    dnnl_dims_t all = {0};

    memcpy(all, dims, (size_t)n_dims * sizeof *dims);
    return hop_dn_check(hop_dn_desc_new(d, n_dims, all, type, tag), "array", e);
}

static const struct hop_dn_md *
new_md(struct hop_dn_set *s, int n_dims, const int64_t *dims, dnnl_data_type_t type,
       dnnl_format_tag_t tag, struct hop_err *e)
{
    void *d;

    return hop_dn_describe(&d, n_dims, dims, type, tag, e) ? NULL : keep_md(s, d, e);
}

const struct hop_dn_md *
hop_dn_md_new(struct hop_dn_set *s, int n_dims, const int64_t *dims, enum hop_dn_tag tag,
              struct hop_err *e)
{
    static const dnnl_format_tag_t tags[] = {
        [HOP_DN_NCHW] = dnnl_nchw,
        [HOP_DN_NHWC] = dnnl_nhwc,
        [HOP_DN_NC] = dnnl_nc,
        [HOP_DN_X] = dnnl_x,
        [HOP_DN_NCHW16C] = dnnl_nChw16c,
        [HOP_DN_OIHW16I16O] = dnnl_OIhw16i16o,
    };

    return new_md(s, n_dims, dims, dnnl_f32, tags[tag], e);
}

const struct hop_dn_md *
hop_dn_md_copy(struct hop_dn_set *s, const struct hop_dn_md *md, struct hop_err *e)
{
    return hop_dn_md_keep_copy(s, md->d, e);
}

bool
hop_dn_md_is_bf16(const struct hop_dn_md *md)
{
    return md->l.type == dnnl_bf16;
}

bool
hop_dn_md_equal(const struct hop_dn_md *a, const struct hop_dn_md *b)
{
    return DN(memory_desc_equal)(a->d, b->d);
}

size_t
hop_dn_md_bytes(const struct hop_dn_md *md)
{
    return DN(memory_desc_get_size)(md->d);
}

static dnnl_format_tag_t
block_tag(int64_t b)
{
    return b == 16  ? dnnl_nChw16c
           : b == 8 ? dnnl_nChw8c
           : b == 4 ? dnnl_nChw4c
                    : dnnl_format_tag_undef;
}

int64_t
hop_dn_md_block(const struct hop_dn_md *md)
{
    const struct hop_dn_layout *l = &md->l;
    int64_t b, c = l->dims[1], padded = l->padded[1];
    int64_t h = l->n_dims == 4 ? l->dims[2] : 1, w = l->n_dims == 4 ? l->dims[3] : 1;
    int64_t try[2], stride_c;

    if (!l->is_blocked || (l->n_dims != 2 && l->n_dims != 4) || l->padded[0] != l->dims[0] ||
        l->n_blocks > 1 || (l->n_blocks == 0 && padded != c))
        return 0;
    if (l->n_blocks == 1 && (l->block_axes[0] != 1 || !block_tag(l->blocks[0])))
        return 0;
    try[0] = try[1] = l->n_blocks == 1 ? l->blocks[0] : c;
    if (l->n_blocks == 0)
        try[1] = 1;
    for (int i = 0; i < 2; i++) {
        b = try[i];
        stride_c = l->n_blocks == 0 && b == c ? 1 : h * w * b;
        if ((l->dims[0] == 1 || l->strides[0] == padded * h * w) &&
            (padded == b ? l->n_blocks == 1 || c == 1 || l->strides[1] == 1
                         : l->strides[1] == stride_c) &&
            (h == 1 || l->strides[2] == w * b) && (w == 1 || l->strides[3] == b))
            return b;
    }
    return 0;
}

static const struct hop_dn_md *
like_typed(struct hop_dn_set *s, const struct hop_dn_md *md, const int64_t dims[4],
           dnnl_data_type_t type, struct hop_err *e)
{
    int64_t b = hop_dn_md_block(md);
    dnnl_format_tag_t tag = md->l.n_blocks       ? block_tag(b)
                            : b == md->l.dims[1] ? dnnl_nhwc
                                                 : dnnl_nchw;

    return new_md(s, 4, dims, type, tag, e);
}

const struct hop_dn_md *
hop_dn_md_like(struct hop_dn_set *s, const struct hop_dn_md *md, const int64_t dims[4],
               struct hop_err *e)
{
    return like_typed(s, md, dims, md->l.type, e);
}

const struct hop_dn_md *
hop_dn_md_typed(struct hop_dn_set *s, const struct hop_dn_md *md, bool is_bf16, struct hop_err *e)
{
    static const dnnl_format_tag_t plain[] = {
        dnnl_format_tag_undef, dnnl_a, dnnl_ab, dnnl_abc, dnnl_abcd, dnnl_abcde};
    dnnl_data_type_t type = is_bf16 ? dnnl_bf16 : dnnl_f32;
    int n_dims = md->l.n_dims;

    if (type == md->l.type)
        return md;
    if (n_dims == 4 && hop_dn_md_block(md))
        return like_typed(s, md, md->l.dims, type, e);
    /* Version 3 has no call for any other layout with another type. */
    return new_md(s, n_dims, md->l.dims, type, plain[n_dims], e);
}

int
hop_dn_md_dims(const struct hop_dn_md *md, int64_t dims[6])
{
    for (int i = 0; i < md->l.n_dims && i < 6; i++)
        dims[i] = md->l.dims[i];
    return md->l.n_dims;
}

bool
hop_dn_md_axis_at(const struct hop_dn_md *md, int axis, int64_t i, int64_t *out)
{
    const struct hop_dn_layout *l = &md->l;
    int64_t rest = i, stride = 1, offset = 0;

    if (!l->is_blocked)
        return false;
    for (int b = l->n_blocks - 1; b >= 0; b--) { /* innermost block first */
        if (l->block_axes[b] == axis) {
            offset += rest % l->blocks[b] * stride;
            rest /= l->blocks[b];
        }
        stride *= l->blocks[b];
    }
    *out = offset + rest * l->strides[axis];
    return true;
}

bool
hop_dn_md_axis(const struct hop_dn_md *md, int axis, int64_t *out)
{
    bool is_known = true;

    for (int64_t i = 0; i < md->l.dims[axis] && is_known; i++)
        is_known = hop_dn_md_axis_at(md, axis, i, &out[i]);
    return is_known;
}
