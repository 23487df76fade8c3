#include "examples.h"

#include <stdlib.h>

#include "net/class_weight.h"

int
tool_examples_open(const char *path, struct hop_model *m, const struct hop_training *t,
                   struct tool_examples *x, struct hop_err *e)
{
    struct hop_shard *s = &x->shard;
    int rc;

    *x = (struct tool_examples){0};
    if ((rc = hop_shard_open(path, s, e)))
        return rc;
    if ((rc = hop_training_bind_data(m, t, &s->info, path, e)) ||
        (rc = hop_training_norm(t, &s->info, &x->mean, &x->inv_std, e)) ||
        (rc = hop_class_weight_read(m->config, &s->info, path, &x->class_weight, e))) {
        tool_examples_close(x);
        return rc;
    }
    x->x = (struct hop_examples){.x = s->x, .is_u8 = s->info.is_u8, .shape = t->net->input,
                                 .y = s->y, .n = s->n, .n_classes = s->info.n_classes,
                                 .mean = x->mean, .inv_std = x->inv_std, .t = s->t,
                                 .n_targets = s->info.n_targets,
                                 .class_weight = x->class_weight};
    return HOP_OK;
}

void
tool_examples_close(struct tool_examples *x)
{
    free(x->mean);
    free(x->inv_std);
    free(x->class_weight);
    hop_shard_close(&x->shard);
    *x = (struct tool_examples){0};
}
