/* The table of methods: one row per method_NAME.c; and what all methods share. */
#include "search/methods.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "net/state.h"
#include "run/run.h"

const struct hop_method *const hop_methods[] = {&hop_method_grid, NULL};

int
hop_method_find(const char *name, const struct hop_method **out, struct hop_err *e)
{
    struct hop_str known = {0};
    size_t i;
    int rc;

    for (i = 0; hop_methods[i]; i++) {
        if (!strcmp(hop_methods[i]->name, name)) {
            *out = hop_methods[i];
            hop_str_clear(&known);
            return HOP_OK;
        }
        hop_str_addf(&known, "%s, ", hop_methods[i]->name);
    }
    rc = hop_fail(e, HOP_EARG, NULL, NULL, "unknown method \"%s\" (known: %sselect)", name,
                  hop_str_c(&known));
    hop_str_clear(&known);
    return rc;
}

struct hop_json *
hop_search_config(const struct hop_search_in *in, size_t number, hop_pick_fn *pick, void *ctx)
{
    struct hop_json *config = hop_json_record("config/1");
    char id[32];

    snprintf(id, sizeof id, "c%04zu", number);
    hop_json_set_str(config, "id", id);
    hop_space_fill(in->space, pick, ctx, config);
    if (!hop_json_get(config, "seed"))
        hop_json_set_int(config, "seed", (int64_t)in->seed);
    hop_json_set_int(config, "until", in->iterations);
    return config;
}

/* What hop-train would refuse is refused here, before anything runs. */
static int
check_config(const struct hop_search_in *in, const struct hop_json *config, struct hop_err *e)
{
    struct hop_train_conf conf;
    const char *id = hop_json_str(hop_json_get(config, "id"));
    char where[700];

    snprintf(where, sizeof where, "%s: %s", in->where, id);
    if (!hop_json_get(config, "model"))
        return hop_fail(e, HOP_EFORMAT, where, "\"model\":\"cifar10-cnn2\"",
                        "\"model\" is missing");
    return hop_train_conf_parse(config, where, &conf, e);
}

int
hop_search_offer(const struct hop_search_in *in, struct hop_json *take,
                 struct hop_search_out *out, struct hop_err *e)
{
    const char *id = hop_json_str(hop_json_get(take, "id"));
    const struct hop_trial *trial = hop_trials_find(in->trials, id);
    const char *key = trial && trial->config ? hop_config_differs(trial->config, take) : NULL;
    int64_t until = in->iterations;
    bool is_stopped;
    int rc = HOP_OK;

    out->n_all++;
    if (key)
        rc = hop_fail(e, HOP_EFORMAT, in->where, "the log is that of another search",
                      "config %s of the log has another \"%s\"", id, key);
    else
        rc = check_config(in, take, e);
    if (!rc)
        rc = hop_patience_apply(&in->patience, trial, &until, &is_stopped, e);
    if (!rc && trial && (is_stopped || hop_trial_is_done(in->trials, trial, in->iterations))) {
        out->n_done++;
        out->n_diverged += trial->is_diverged;
        out->n_stopped += is_stopped && !trial->is_diverged;
    } else if (!rc) {
        hop_json_set_int(take, "until", until);
        hop_json_push(out->configs, take);
        return HOP_OK;
    }
    hop_json_free(take);
    return rc;
}

int
hop_search_run(const struct hop_method *m, const struct hop_search_in *in,
               struct hop_search_out *out, struct hop_err *e)
{
    int rc;

    *out = (struct hop_search_out){.configs = hop_json_array()};
    if ((rc = m->next(in, out, e))) {
        hop_json_free(out->configs);
        out->configs = NULL;
    }
    return rc;
}
