#include "net/graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Contents: 1 references, 2 order, 3 the two kinds of net */

/* ---- 1 references ---- */

static int
add_ref(struct hop_graph_node *node, const char *name, int64_t i_node, const char *where,
        struct hop_err *e)
{
    if (i_node != 0)
        return hop_fail(e, HOP_EFORMAT, where, "give every use a layer of its own",
                        "layer \"%.80s\" is shared", name);
    if (node->n_in == HOP_NET_INPUTS)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "layer \"%.80s\" has more than %d inputs",
                        node->name, HOP_NET_INPUTS);
    node->in_names[node->n_in++] = name;
    return HOP_OK;
}

/* All names of layers inside v, in order, whatever the form around them. */
static int
collect_refs(struct hop_graph_node *node, const struct hop_json *v, const char *where,
             struct hop_err *e)
{
    const struct hop_json *history = hop_json_get(hop_json_get(v, "config"), "keras_history");
    size_t i;
    void *it;
    int rc = HOP_OK;

    if (hop_json_str(v))
        return add_ref(node, hop_json_str(v), 0, where, e);
    if (history)
        v = history;
    if (hop_json_kind(v) == HOP_JSON_ARRAY && hop_json_str(hop_json_at(v, 0)) &&
        hop_json_kind(hop_json_at(v, 1)) == HOP_JSON_INT)
        return add_ref(node, hop_json_str(hop_json_at(v, 0)), hop_json_int(hop_json_at(v, 1)),
                       where, e);
    if (hop_json_kind(v) == HOP_JSON_OBJECT) { /* Keras 3: {"args": [...], "kwargs": {...}} */
        for (it = hop_json_first(v); it && !rc; it = hop_json_next(v, it))
            if (!strcmp(hop_json_it_key(it), "args"))
                rc = collect_refs(node, hop_json_it_value(it), where, e);
        return rc;
    }
    for (i = 0; i < hop_json_len(v) && !rc; i++)
        rc = collect_refs(node, hop_json_at(v, i), where, e);
    return rc;
}

/* ---- 2 order ---- */

static int
find(const struct hop_graph_node *nodes, int n, const char *name)
{
    int i;

    for (i = 0; i < n; i++)
        if (nodes[i].name && !strcmp(nodes[i].name, name))
            return i;
    return -1;
}

/* Can node run after the nodes done? Fills its indices. */
static bool
is_ready(struct hop_graph_node *node, const struct hop_graph_node *done, int n_done)
{
    int k;

    for (k = 0; k < node->n_in; k++)
        if ((node->in[k] = find(done, n_done, node->in_names[k])) < 0)
            return false;
    return true;
}

/* Move `from` into g in an order in which every node follows its inputs. */
static int
sort(struct hop_graph_node *from, int n, struct hop_graph *g, const char *where,
     struct hop_err *e)
{
    bool is_moving = true;
    int i, k;

    while (is_moving && g->n < n) {
        is_moving = false;
        for (i = 0; i < n; i++)
            if (from[i].entry && is_ready(&from[i], g->nodes, g->n)) {
                g->nodes[g->n++] = from[i];
                from[i].entry = NULL;
                is_moving = true;
            }
    }
    for (i = 0; i < n; i++)
        for (k = 0; from[i].entry && k < from[i].n_in; k++)
            if (find(g->nodes, g->n, from[i].in_names[k]) < 0)
                return hop_fail(e, HOP_EFORMAT, where, NULL, "layer \"%.80s\" reads \"%.80s\", %s",
                                from[i].name, from[i].in_names[k],
                                find(from, n, from[i].in_names[k]) < 0 ? "which is no layer"
                                                                       : "which follows it");
    return HOP_OK;
}

/* One input, one output at the end, nothing that leads nowhere. */
static int
check_ends(struct hop_graph *g, const char *output, const char *where, struct hop_err *e)
{
    bool *is_read = hop_alloc((size_t)g->n, sizeof *is_read, e);
    int i, k, n_inputs = 0, rc = is_read ? HOP_OK : HOP_ENOMEM;

    for (i = 0; i < g->n && !rc; i++) {
        n_inputs += g->nodes[i].is_input;
        if (!g->nodes[i].is_input && !g->nodes[i].n_in)
            rc = hop_fail(e, HOP_EFORMAT, where, "list its inputs in \"inbound_nodes\"",
                          "layer \"%.80s\" reads nothing", g->nodes[i].name);
        for (k = 0; k < g->nodes[i].n_in; k++)
            is_read[g->nodes[i].in[k]] = true;
    }
    if (!rc && n_inputs != 1)
        rc = hop_fail(e, HOP_EFORMAT, where, "one InputLayer", "the net has %d inputs", n_inputs);
    for (i = 0; i < g->n && !rc; i++)
        if (!is_read[i] && i != g->n - 1)
            rc = hop_fail(e, HOP_EFORMAT, where, "a net has one output",
                          "layer \"%.80s\" leads nowhere", g->nodes[i].name);
    if (!rc && output && strcmp(output, g->nodes[g->n - 1].name))
        rc = hop_fail(e, HOP_EFORMAT, where, NULL, "the output is \"%.80s\", the last layer \"%.80s\"",
                      output, g->nodes[g->n - 1].name);
    free(is_read);
    return rc;
}

/* ---- 3 the two kinds of net ---- */

static int
read_functional(const struct hop_json *config, const struct hop_json *layers, const char *where,
                struct hop_graph *g, struct hop_err *e)
{
    size_t n = hop_json_len(layers), i;
    struct hop_graph_node *from = hop_alloc(n, sizeof *from, e), output = {0};
    const char *class_name;
    int rc = from ? HOP_OK : HOP_ENOMEM;

    for (i = 0; i < n && !rc; i++) {
        from[i].entry = hop_json_at(layers, i);
        from[i].name = hop_json_str(hop_json_get(from[i].entry, "name"));
        if (!from[i].name)
            from[i].name = hop_json_str(hop_json_get(hop_json_get(from[i].entry, "config"), "name"));
        class_name = hop_json_str(hop_json_get(from[i].entry, "class_name"));
        from[i].is_input = class_name && !strcmp(class_name, "InputLayer");
        if (!from[i].name)
            rc = hop_fail(e, HOP_EFORMAT, where, "layers of a functional net need names",
                          "layer %zu has no name", i);
        else if (find(from, (int)i, from[i].name) >= 0)
            rc = hop_fail(e, HOP_EFORMAT, where, NULL, "two layers are named \"%.80s\"",
                          from[i].name);
        else
            rc = collect_refs(&from[i], hop_json_get(from[i].entry, "inbound_nodes"), where, e);
    }
    if (!rc)
        rc = collect_refs(&output, hop_json_get(config, "output_layers"), where, e);
    if (!rc && output.n_in > 1)
        rc = hop_fail(e, HOP_EFORMAT, where, "one output", "the net has %d outputs", output.n_in);
    if (!rc && !(rc = sort(from, (int)n, g, where, e)) && g->n)
        rc = check_ends(g, output.n_in ? output.in_names[0] : NULL, where, e);
    free(from);
    return rc;
}

static void
read_sequential(const struct hop_json *layers, struct hop_graph *g)
{
    struct hop_graph_node *node;
    const char *class_name;
    size_t i;

    for (i = 0; i < hop_json_len(layers); i++) {
        node = &g->nodes[g->n];
        node->entry = hop_json_at(layers, i);
        class_name = hop_json_str(hop_json_get(node->entry, "class_name"));
        node->is_input = class_name && !strcmp(class_name, "InputLayer");
        node->n_in = g->n ? 1 : 0;
        node->in[0] = g->n - 1;
        g->n++;
    }
}

int
hop_graph_read(const struct hop_json *keras, const char *where, struct hop_graph *g,
               struct hop_err *e)
{
    const char *class_name = hop_json_str(hop_json_get(keras, "class_name"));
    const struct hop_json *config = hop_json_get(keras, "config"), *layers;
    bool is_functional;
    int rc = HOP_OK;

    *g = (struct hop_graph){0};
    if (!class_name)
        return hop_fail(e, HOP_EFORMAT, where, "known: Sequential, Functional",
                        "not a Keras JSON net");
    is_functional = !strcmp(class_name, "Functional") || !strcmp(class_name, "Model");
    if (!is_functional && strcmp(class_name, "Sequential"))
        return hop_fail(e, HOP_EFORMAT, where, "known: Sequential, Functional",
                        "unknown kind of net \"%.60s\"", class_name);
    layers = hop_json_kind(config) == HOP_JSON_ARRAY ? config : hop_json_get(config, "layers");
    if (hop_json_kind(layers) != HOP_JSON_ARRAY)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "\"config\" has no array \"layers\"");
    if (!(g->nodes = hop_alloc(hop_json_len(layers), sizeof *g->nodes, e)))
        return HOP_ENOMEM;
    if (is_functional)
        rc = read_functional(config, layers, where, g, e);
    else
        read_sequential(layers, g);
    if (rc)
        hop_graph_clear(g);
    return rc;
}

void
hop_graph_clear(struct hop_graph *g)
{
    free(g->nodes);
    *g = (struct hop_graph){0};
}
