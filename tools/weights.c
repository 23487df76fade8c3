#include "weights.h"

#include <stdio.h>
#include <string.h>

#include "net/transfer.h"
#include "tool.h"

/* The report's lines to people who asked for them. */
static void
show_report(const struct hop_transfer *r)
{
    const char *p = hop_str_c(&r->report), *end;

    for (; tool_voice_now().verbosity > 0 && *p; p = end + 1) {
        end = strchr(p, '\n');
        tool_warn("%.*s", (int)(end - p), p);
    }
}

int
tool_weights(const char *path, const char *how, struct hop_training *t, struct hop_err *e)
{
    struct hop_transfer r = {0};
    struct hop_st st;
    int rc;

    if (strcmp(how, "name") && strcmp(how, "order"))
        return hop_fail(e, HOP_EARG, "--weights-by", "name or order", "unknown way \"%.40s\"", how);
    if ((rc = hop_st_open(path, true, &st, e)))
        return rc;
    rc = strcmp(how, "order") ? hop_transfer_by_name(&st, t->net, t->weights, &r, e)
                              : hop_transfer_by_order(&st, t->net, t->weights, path, &r, e);
    if (!rc && !r.n_loaded)
        rc = hop_fail(e, HOP_EFORMAT, path, "-v lists them; --weights-by order goes by place",
                      "no tensor has the name and shape of one of net \"%s\"", t->net->name);
    show_report(&r);
    if (!rc)
        tool_warn("%s: %d tensors loaded (%lld of %zu parameters), %d left in the file, %d of the "
                  "net missing, %d of another shape%s",
                  path, r.n_loaded, (long long)r.n_params, t->net->n_params, r.n_left, r.n_missing,
                  r.n_misfit, tool_voice_now().verbosity || r.n_left + r.n_missing + r.n_misfit == 0
                                  ? "" : " (-v lists them)");
    hop_transfer_clear(&r);
    hop_st_close(&st);
    return rc;
}
