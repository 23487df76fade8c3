#include "examples.h"

#include <stdlib.h>

#include "net/class_weight.h"

/* x->shard is open. Failed, x is to be closed. */
static int
describe(const char *path, struct hop_model *m, const struct hop_training *t,
         struct tool_examples *x, struct hop_err *e)
{
    const struct hop_shard *s = x->shard;
    int rc;

    if ((rc = hop_training_bind_data(m, t, &s->info, path, e)) ||
        (rc = hop_training_norm(t, &s->info, &x->mean, &x->inv_std, e)) ||
        (rc = hop_class_weight_read(m->config, &s->info, path, &x->class_weight, e)))
        return rc;
    x->x = (struct hop_examples){.x = s->x, .is_u8 = s->info.is_u8, .shape = t->net->input,
                                 .y = s->y, .n = s->n, .n_classes = s->info.n_classes,
                                 .key = hop_st_meta(&s->st, "hop.digest"),
                                 .mean = x->mean, .inv_std = x->inv_std, .t = s->t,
                                 .n_targets = s->info.n_targets,
                                 .class_weight = x->class_weight};
    return HOP_OK;
}

int
tool_examples_open(const char *path, struct hop_model *m, const struct hop_training *t,
                   struct tool_examples *x, struct hop_err *e)
{
    int rc;

    *x = (struct tool_examples){0};
    if ((rc = hop_shard_open(path, &x->own, e)))
        return rc;
    x->shard = &x->own;
    if ((rc = describe(path, m, t, x, e)))
        tool_examples_close(x);
    return rc;
}

int
tool_examples_of(const struct hop_shard *shard, const char *path, struct hop_model *m,
                 const struct hop_training *t, struct tool_examples *x, struct hop_err *e)
{
    int rc;

    *x = (struct tool_examples){.shard = shard};
    if ((rc = describe(path, m, t, x, e)))
        tool_examples_close(x);
    return rc;
}

void
tool_examples_close(struct tool_examples *x)
{
    free(x->mean);
    free(x->inv_std);
    free(x->class_weight);
    hop_shard_close(&x->own);
    *x = (struct tool_examples){0};
}
