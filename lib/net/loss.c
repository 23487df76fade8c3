#include "net/loss.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const struct hop_loss_kind losses[] = {
    {"categorical_crossentropy", NULL, HOP_LOSS_SOFTMAX,
     HOP_LOSS_FROM_LOGITS | HOP_LOSS_SMOOTHING, false},
    {"sparse_categorical_crossentropy", NULL, HOP_LOSS_SOFTMAX, HOP_LOSS_FROM_LOGITS, true},
    {"binary_crossentropy", "bce", HOP_LOSS_SIGMOID, HOP_LOSS_FROM_LOGITS | HOP_LOSS_SMOOTHING,
     false},
    {"mean_squared_error", "mse", HOP_LOSS_SQUARE, 0, false},
    {"mean_absolute_error", "mae", HOP_LOSS_ABSOLUTE, 0, false},
    {"huber", NULL, HOP_LOSS_HUBER, HOP_LOSS_DELTA, false},
};

static const struct {
    const char *key;
    enum hop_loss_option option;
} options[] = {{"from_logits", HOP_LOSS_FROM_LOGITS},
               {"label_smoothing", HOP_LOSS_SMOOTHING},
               {"delta", HOP_LOSS_DELTA}};

const struct hop_loss_kind *
hop_loss_list(size_t *n)
{
    *n = HOP_LEN(losses);
    return losses;
}

/* Are a and b one name: "huber", "Huber"; "mean_squared_error", "MeanSquaredError"? */
static bool
is_name(const char *a, const char *b)
{
    for (;; a++, b++) {
        a += strspn(a, "_");
        b += strspn(b, "_");
        if (!*a || tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return *a == *b;
    }
}

int
hop_loss_find(const char *name, const char *where, struct hop_loss *out, struct hop_err *e)
{
    struct hop_str known = {0};
    size_t i;

    for (i = 0; i < HOP_LEN(losses); i++) {
        if (is_name(name, losses[i].name) || (losses[i].name2 && is_name(name, losses[i].name2))) {
            *out = (struct hop_loss){.kind = &losses[i], .delta = 1};
            return HOP_OK;
        }
    }
    for (i = 0; i < HOP_LEN(losses); i++)
        hop_str_addf(&known, "%s%s", i ? ", " : "known: ", losses[i].name);
    hop_fail(e, HOP_EFORMAT, where, hop_str_c(&known), "unknown loss \"%.60s\"", name);
    hop_str_clear(&known);
    return HOP_EFORMAT;
}

/* Keys that Keras writes and that change nothing here. */
static bool
is_idle(const char *key, const struct hop_json *v)
{
    static const char *const names[] = {"name", "class_name", "config", "fn", "module",
                                        "registered_name", "dtype"};
    const char *s = hop_json_str(v);
    size_t i;

    for (i = 0; i < HOP_LEN(names); i++)
        if (!strcmp(key, names[i]))
            return true;
    if (!strcmp(key, "axis"))
        return hop_json_kind(v) == HOP_JSON_INT && hop_json_int(v) == -1;
    if (!strcmp(key, "reduction"))
        return s && (!strcmp(s, "auto") || !strcmp(s, "sum_over_batch_size"));
    return hop_json_kind(v) == HOP_JSON_NULL;
}

/* Refuse members of j that are no options of this loss. */
static int
check_keys(const struct hop_json *j, const struct hop_loss *l, const char *where,
           struct hop_err *e)
{
    char known[100] = "";
    const char *key;
    size_t i;
    void *it;

    for (i = 0; i < HOP_LEN(options); i++)
        if (l->kind->options & options[i].option) {
            strcat(known, *known ? ", " : "known: ");
            strcat(known, options[i].key);
        }
    for (it = hop_json_first(j); it; it = hop_json_next(j, it)) {
        key = hop_json_it_key(it);
        for (i = 0; i < HOP_LEN(options); i++)
            if (!strcmp(key, options[i].key) && l->kind->options & options[i].option)
                break;
        if (i == HOP_LEN(options) && !is_idle(key, hop_json_it_value(it)))
            return hop_fail(e, HOP_EFORMAT, where, *known ? known : "it has none",
                            "loss %s takes no such \"%.60s\"", l->kind->name, key);
    }
    return HOP_OK;
}

static int
read_values(const struct hop_json *j, const char *where, struct hop_loss *l, struct hop_err *e)
{
    int rc;

    if ((rc = hop_json_get_bool(j, "from_logits", false, where, &l->from_logits, e)) ||
        (rc = hop_json_get_real(j, "label_smoothing", false, 0, 1, where, &l->label_smoothing,
                                e)) ||
        (rc = hop_json_get_real(j, "delta", false, 1e-12, 1e12, where, &l->delta, e)))
        return rc;
    return HOP_OK;
}

static int
read_options(const struct hop_json *j, const char *where, struct hop_loss *l, struct hop_err *e)
{
    int rc = check_keys(j, l, where, e);

    return rc ? rc : read_values(j, where, l, e);
}

int
hop_loss_parse(const struct hop_json *j, const char *where, struct hop_loss *out,
               struct hop_err *e)
{
    const struct hop_json *config = hop_json_get(j, "config");
    const char *name = hop_json_str(j);
    int rc;

    if (hop_json_kind(j) == HOP_JSON_NULL)
        name = losses[0].name;
    if (hop_json_kind(j) == HOP_JSON_OBJECT &&
        ((rc = hop_json_get_str(j, "class_name", false, where, &name, e)) ||
         (!name && (rc = hop_json_get_str(j, "name", true, where, &name, e)))))
        return rc;
    if (!name)
        return hop_fail(e, HOP_EFORMAT, where, "a name, or an object with \"name\" and options",
                        "the loss is %s", hop_json_kind_name(j));
    if ((rc = hop_loss_find(name, where, out, e)) || hop_json_kind(j) != HOP_JSON_OBJECT)
        return rc;
    if (config && hop_json_kind(config) != HOP_JSON_OBJECT)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "the loss's \"config\" is %s",
                        hop_json_kind_name(config));
    rc = read_options(j, where, out, e);
    return rc || !config ? rc : read_options(config, where, out, e);
}

int
hop_loss_conf(const struct hop_json *config, const char *where, struct hop_loss *out,
              struct hop_err *e)
{
    size_t i;
    int rc = hop_loss_parse(hop_json_get(config, "loss"), where, out, e);

    for (i = 0; i < HOP_LEN(options) && !rc; i++)
        if (hop_json_get(config, options[i].key) && !(out->kind->options & options[i].option))
            rc = hop_fail(e, HOP_EFORMAT, where, NULL, "loss %s has no \"%s\"", out->kind->name,
                          options[i].key);
    return rc ? rc : read_values(config, where, out, e);
}

enum hop_act
hop_loss_link(const struct hop_loss *l)
{
    return l->kind->rule == HOP_LOSS_SOFTMAX   ? HOP_SOFTMAX
           : l->kind->rule == HOP_LOSS_SIGMOID ? HOP_SIGMOID
                                               : HOP_LINEAR;
}

static bool
ends_in(const struct hop_net *net, enum hop_act act)
{
    const struct hop_layer *last = &net->layers[net->n_layers - 1];

    return !strcmp(last->kind->op, "Activation") &&
           ((const struct hop_activation *)last->params)->act == act;
}

bool
hop_loss_is_fused(const struct hop_loss *l, const struct hop_net *net)
{
    enum hop_act link = hop_loss_link(l);

    return link != HOP_LINEAR && net->output.n_dims == 1 && ends_in(net, link);
}

int
hop_loss_check(const struct hop_loss *l, const struct hop_net *net, const char *where,
               struct hop_err *e)
{
    const struct hop_layer *last = &net->layers[net->n_layers - 1];
    const char *link = hop_loss_link(l) == HOP_SOFTMAX ? "softmax" : "sigmoid";
    char hint[120];

    if (net->output.n_dims != 1)
        return hop_fail(e, HOP_EFORMAT, where, "put a Flatten layer before the last",
                        "loss %s needs a flat output", l->kind->name);
    if (hop_loss_link(l) == HOP_LINEAR)
        return HOP_OK;
    if (l->from_logits && hop_loss_is_fused(l, net))
        return hop_fail(e, HOP_EFORMAT, where, "leave out \"from_logits\", or that activation",
                        "loss %s is to read logits, but the net ends with %s", l->kind->name, link);
    if (l->from_logits || hop_loss_is_fused(l, net))
        return HOP_OK;
    snprintf(hint, sizeof hint,
             "end the net with activation \"%s\", or give the loss \"from_logits\": true", link);
    return hop_fail(e, HOP_EFORMAT, where, hint, "loss %s needs a %s output, the net ends with %s",
                    l->kind->name, link,
                    last->is_inner ? "another activation" : last->kind->name);
}

int
hop_loss_check_data(const struct hop_loss *l, const struct hop_net *net,
                    const struct hop_dataset_info *d, const char *where, struct hop_err *e)
{
    int64_t K = net->output.d[0], n_want = d->n_classes ? d->n_classes : d->n_targets;

    if (l->kind->wants_classes && !d->n_classes)
        return hop_fail(e, HOP_EFORMAT, where, "\"loss\": \"mean_squared_error\", for example",
                        "loss %s needs classes, the data have targets", l->kind->name);
    if (K == n_want && (K > 1 || l->kind->rule != HOP_LOSS_SOFTMAX))
        return HOP_OK;
    if (K == 1 && d->n_classes == 2 && l->kind->rule != HOP_LOSS_SOFTMAX)
        return HOP_OK;
    if (K == n_want)
        return hop_fail(e, HOP_EFORMAT, where, "\"loss\": \"mean_squared_error\", for example",
                        "loss %s needs two outputs at least", l->kind->name);
    return hop_fail(e, HOP_EFORMAT, where, "change the units of the net's last layer",
                    "the data have %lld %s, net \"%s\" has %lld outputs", (long long)n_want,
                    d->n_classes ? "classes" : "targets", net->name, (long long)K);
}
