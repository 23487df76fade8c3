#include "net/net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/graph.h"
#include "net/layer.h"

/* Keys that any layer's config may hold besides its own. */
static const char *const common_keys[] = {"name", "trainable", "dtype", "batch_input_shape",
                                          "batch_shape", "input_shape", "batch_size", "autocast",
                                          NULL};

int64_t
hop_shape_len(const struct hop_shape *s)
{
    int64_t n = 1;
    int i;

    for (i = 0; i < s->n_dims; i++)
        n *= s->d[i];
    return n;
}

void
hop_shape_text(const struct hop_shape *s, char *out, size_t n)
{
    size_t at = 0;
    int i;

    out[0] = '\0';
    for (i = 0; i < s->n_dims && at < n; i++)
        at += (size_t)snprintf(out + at, n - at, "%s%lld", i ? "x" : "", (long long)s->d[i]);
}

/* [null, 32, 32, 3] (has_batch) or [32, 32, 3] into s. */
static int
parse_input(const struct hop_json *v, bool has_batch, const char *where, struct hop_shape *s,
            struct hop_err *e)
{
    size_t i, skip = has_batch ? 1 : 0, n = hop_json_len(v);
    const struct hop_json *x;
    double total = 1;

    s->n_dims = 0;
    if (hop_json_kind(v) != HOP_JSON_ARRAY || (n != 1 + skip && n != 3 + skip))
        return hop_fail(e, HOP_EFORMAT, where, "[height, width, channels] or [features]",
                        "the input shape has %zu numbers", n > skip ? n - skip : 0);
    for (i = skip; i < n; i++) {
        x = hop_json_at(v, i);
        if (hop_json_kind(x) != HOP_JSON_INT || hop_json_int(x) < 1 || hop_json_int(x) > 1 << 24 ||
            (total *= (double)hop_json_int(x)) > 1e10)
            return hop_fail(e, HOP_EFORMAT, where, "every size of the input must be fixed",
                            "the input shape is not made of whole numbers from 1");
        s->d[s->n_dims++] = hop_json_int(x);
    }
    return HOP_OK;
}

/* The input shape in a layer's config, if it states one. */
static int
find_input(struct hop_net *net, const struct hop_json *config, const char *where, struct hop_err *e)
{
    static const char *const names[] = {"batch_input_shape", "batch_shape", "input_shape"};
    const struct hop_json *v;
    int i;

    for (i = 0; i < 3 && !net->input.n_dims; i++) {
        v = hop_json_get(config, names[i]);
        if (hop_json_kind(v) != HOP_JSON_NULL)
            return parse_input(v, i < 2, where, &net->input, e);
    }
    return HOP_OK;
}

static bool
is_in(const char *key, const char *const *keys)
{
    for (; *keys; keys++)
        if (!strcmp(key, *keys))
            return true;
    return false;
}

static int
check_keys(const struct hop_json *config, const struct hop_layer_kind *kind, const char *where,
           struct hop_err *e)
{
    char known[300];
    size_t i, at;
    void *it;

    for (it = hop_json_first(config); it; it = hop_json_next(config, it)) {
        if (is_in(hop_json_it_key(it), common_keys) || is_in(hop_json_it_key(it), kind->keys))
            continue;
        at = (size_t)snprintf(known, sizeof known, "known: name");
        for (i = 0; kind->keys[i] && at < sizeof known; i++)
            at += (size_t)snprintf(known + at, sizeof known - at, ", %s", kind->keys[i]);
        return hop_fail(e, HOP_EFORMAT, where, known, "unknown option \"%.60s\"",
                        hop_json_it_key(it));
    }
    return HOP_OK;
}

/* Options that every layer may carry and that hop knows in one form only. */
static int
check_common(const struct hop_json *config, const char *where, struct hop_err *e)
{
    const struct hop_json *dtype = hop_json_get(config, "dtype");
    const char *name;
    int rc;

    if ((rc = hop_layer_only(config, "data_format", "\"channels_last\"", where, e)))
        return rc;
    if (hop_json_kind(dtype) == HOP_JSON_OBJECT) /* Keras 3: a policy */
        dtype = hop_json_get(hop_json_get(dtype, "config"), "name");
    name = hop_json_str(dtype);
    if (dtype && (!name || strcmp(name, "float32")))
        return hop_fail(e, HOP_EFORMAT, where, "only float32", "dtype \"%.40s\" is not supported",
                        name ? name : hop_json_kind_name(dtype));
    return HOP_OK;
}

static bool
is_named(const struct hop_net *net, const char *name)
{
    int i;

    for (i = 0; i < net->n_layers; i++)
        if (!strcmp(net->layers[i].name, name))
            return true;
    return false;
}

/* The name in the config, or the node's, or the first of base, base_1, base_2 ... that no layer before
 * has: for all nets that Keras accepts, the name that it gives. */
static int
name_layer(struct hop_net *net, struct hop_layer *l, const char *name, const char *where,
           struct hop_err *e)
{
    int n = 0, rc = hop_json_get_str(l->config, "name", false, where, &name, e);

    if (rc)
        return rc;
    if (name && (!*name || strlen(name) >= HOP_NAME_LEN || strchr(name, '/')))
        return hop_fail(e, HOP_EFORMAT, where, "1 to 95 bytes, no slash", "bad layer name");
    if (name && is_named(net, name))
        return hop_fail(e, HOP_EFORMAT, where, NULL, "two layers are named \"%s\"", name);
    snprintf(l->name, sizeof l->name, "%s", name ? name : l->kind->base);
    while (!name && is_named(net, l->name))
        snprintf(l->name, sizeof l->name, "%s_%d", l->kind->base, ++n);
    snprintf(l->keras_name, sizeof l->keras_name, "%s", l->name);
    return HOP_OK;
}

/* Append a layer of `kind` that reads the layers in[0..n_in-1]; its shape follows from theirs. */
static int
add_layer(struct hop_net *net, const struct hop_layer_kind *kind, const struct hop_json *config,
          const char *name, bool is_inner, const int *in, int n_in, const char *where,
          struct hop_err *e)
{
    struct hop_layer *l;
    int i, rc;

    if (hop_grow(&net->layers, &net->cap_layers, (size_t)net->n_layers + 1, sizeof *l, e))
        return HOP_ENOMEM;
    l = &net->layers[net->n_layers];
    *l = (struct hop_layer){.kind = kind, .is_inner = is_inner, .n_in = n_in, .config = config};
    for (i = 0; i < n_in; i++) {
        l->in[i] = in[i];
        l->in_shapes[i] = in[i] < 0 ? net->input : net->layers[in[i]].out_shape;
    }
    l->in_shape = l->in_shapes[0];
    l->is_frozen = hop_json_kind(hop_json_get(config, "trainable")) == HOP_JSON_BOOL &&
                   !hop_json_bool(hop_json_get(config, "trainable"));
    l->i_weight = net->n_weights;
    if (!(l->params = hop_alloc(1, kind->params_size, e)))
        return HOP_ENOMEM;
    if (is_inner) {
        snprintf(l->keras_name, sizeof l->keras_name, "%s", l[-1].keras_name);
        snprintf(l->name, sizeof l->name, "%.70s/%.20s", l->keras_name, kind->base);
    } else if ((rc = name_layer(net, l, name, where, e))) {
        free(l->params);
        return rc;
    }
    net->n_layers++;
    if ((rc = kind->parse(config, where, l, e)) || (rc = kind->shape(net, l, where, e)))
        return rc;
    net->flops += l->flops;
    if (hop_shape_len(&l->out_shape) > (int64_t)1 << 33)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "its output is too large");
    return HOP_OK;
}

/* The layer of a node, and the inner one of its activation. *out: the index of the last. */
static int
parse_layer(struct hop_net *net, const struct hop_json *entry, const char *name, const int *in,
            int n_in, int *out, const char *where, struct hop_err *e)
{
    const struct hop_json *config = hop_json_get(entry, "config");
    const char *class_name = hop_json_str(hop_json_get(entry, "class_name"));
    const struct hop_layer_kind *kind, *k, *activation = hop_layer_find("Activation");
    struct hop_activation act;
    const char *act_name = NULL;
    char known[500];
    int rc;

    if (!(kind = hop_layer_find(class_name))) {
        hop_layer_known(known, sizeof known);
        return hop_fail(e, HOP_EFORMAT, where, known, "unknown layer \"%.60s\"", class_name);
    }
    if (!net->input.n_dims)
        return hop_fail(e, HOP_EFORMAT, where, "give the first layer \"batch_input_shape\"",
                        "the net does not state its input shape");
    if (n_in > 1 ? !kind->is_merging : kind->is_merging)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "%s takes %s, got %d", kind->name,
                        kind->is_merging ? "two inputs or more" : "one input", n_in);
    if ((rc = check_keys(config, kind, where, e)) || (rc = check_common(config, where, e)) ||
        (rc = add_layer(net, kind, config, name, false, in, n_in, where, e)))
        return rc;
    *out = net->n_layers - 1;
    for (k = kind; k->then; k = k->then, *out = net->n_layers - 1)
        if ((rc = add_layer(net, k->then, config, NULL, true, out, 1, where, e)))
            return rc;
    if (kind == activation || !hop_json_get(config, "activation"))
        return HOP_OK;
    if ((rc = hop_json_get_str(config, "activation", false, where, &act_name, e)) || !act_name ||
        (rc = hop_layer_act(act_name, where, &act, e)) || act.act == HOP_LINEAR)
        return rc;
    rc = add_layer(net, activation, config, NULL, true, out, 1, where, e);
    *out = net->n_layers - 1;
    return rc;
}

/* One node: its layers, and in at[i] the index of the one that its readers read. */
static int
parse_node(struct hop_net *net, const struct hop_graph *g, int i, int *at, const char *where,
           struct hop_err *e)
{
    const struct hop_graph_node *node = &g->nodes[i];
    const struct hop_json *config = hop_json_get(node->entry, "config");
    const char *class_name = hop_json_str(hop_json_get(node->entry, "class_name"));
    int in[HOP_NET_INPUTS], k, rc;

    if (!class_name || (config && hop_json_kind(config) != HOP_JSON_OBJECT))
        return hop_fail(e, HOP_EFORMAT, where, NULL,
                        "a layer needs \"class_name\" and an object \"config\"");
    at[i] = -1;
    if ((rc = find_input(net, config, where, e)) || node->is_input)
        return rc;
    in[0] = -1; /* the first layer of a Sequential net without InputLayer */
    for (k = 0; k < node->n_in; k++)
        in[k] = at[node->in[k]];
    return parse_layer(net, node->entry, node->name, in, node->n_in ? node->n_in : 1, &at[i], where, e);
}

/* Does everything that reads the input, through augmentation and padding, scale it first? */
static bool
starts_normalizing(const struct hop_net *net, int from)
{
    const char *op;
    int i, k;

    for (i = 0; i < net->n_layers; i++)
        for (k = 0; k < net->layers[i].n_in; k++) {
            if (net->layers[i].in[k] != from)
                continue;
            op = net->layers[i].kind->op;
            if (!strcmp(op, "Augment") || !strcmp(op, "ZeroPadding2D")) {
                if (!starts_normalizing(net, i))
                    return false;
            } else if (strcmp(op, "Rescaling")) {
                return false;
            }
        }
    return true;
}

static int
parse_nodes(struct hop_net *net, const struct hop_graph *g, const char *where, struct hop_err *e)
{
    int *at = hop_alloc((size_t)g->n, sizeof *at, e), i, rc = at ? HOP_OK : HOP_ENOMEM;
    char place[700];
    const char *name;

    for (i = 0; i < g->n && !rc; i++) {
        name = hop_json_str(hop_json_get(hop_json_get(g->nodes[i].entry, "config"), "name"));
        if (!name)
            name = hop_json_str(hop_json_get(g->nodes[i].entry, "class_name"));
        snprintf(place, sizeof place, "%.500s: layer %d (%.80s)", where, i, name ? name : "?");
        rc = parse_node(net, g, i, at, place, e);
    }
    free(at);
    if (rc)
        return rc;
    if (!net->n_layers)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "the net has no layer");
    net->output = net->layers[net->n_layers - 1].out_shape;
    if (net->output.n_dims != 1)
        return hop_fail(e, HOP_EFORMAT, where, "end with Flatten and Dense",
                        "the net's output is not flat");
    net->is_normalizing = starts_normalizing(net, -1);
    return HOP_OK;
}

int
hop_net_parse(const struct hop_json *keras, const char *where, struct hop_net **out,
              struct hop_err *e)
{
    const struct hop_json *config = hop_json_get(keras, "config");
    const char *name = hop_json_str(hop_json_get(config, "name"));
    struct hop_graph g;
    struct hop_net *net;
    int i, rc;

    *out = NULL;
    if ((rc = hop_graph_read(keras, where, &g, e)))
        return rc;
    if (!(net = hop_alloc(1, sizeof *net, e))) {
        hop_graph_clear(&g);
        return HOP_ENOMEM;
    }
    snprintf(net->name, sizeof net->name, "%s", name ? name : "sequential");
    if (!(rc = find_input(net, config, where, e)))
        rc = parse_nodes(net, &g, where, e);
    hop_graph_clear(&g);
    if (rc) {
        hop_net_free(net);
        return rc;
    }
    for (i = 0; i < net->n_layers; i++)
        net->layers[i].config = NULL; /* the JSON is the caller's */
    *out = net;
    return HOP_OK;
}

void
hop_net_free(struct hop_net *net)
{
    int i;

    if (!net)
        return;
    for (i = 0; i < net->n_layers; i++) {
        if (net->layers[i].kind->free_params)
            net->layers[i].kind->free_params(net->layers[i].params);
        free(net->layers[i].params);
    }
    free(net->layers);
    free(net->weights);
    free(net);
}
