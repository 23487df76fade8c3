/* graph - which layer reads which: the layers of a Keras JSON net in the order in which they run.
 *
 * Sequential: a chain. Functional ("Functional", "Model"): "inbound_nodes" in the forms of Keras 2
 * ([[["conv1",0,0,{}]]]), Keras 3 ({"args":[{... "keras_history":["conv1",0,0]}]}), or simply names
 * (["conv1"]).
 */
#ifndef HOP_NET_GRAPH_H
#define HOP_NET_GRAPH_H

#include "net/net.h"

struct hop_graph_node {
    const struct hop_json *entry; /* borrowed: {"class_name","config",...} */
    const char *name;             /* or NULL in a Sequential net */
    bool is_input;                /* an InputLayer */
    int n_in;
    int in[HOP_NET_INPUTS];       /* indices of nodes before this one */
    const char *in_names[HOP_NET_INPUTS];
};

struct hop_graph {
    struct hop_graph_node *nodes; /* inputs first reached, output last */
    int n;
};

/* hop_graph_read - err: HOP_EFORMAT naming the layer: unknown names, cycles, several inputs or
 * outputs, shared layers, layers that lead nowhere. g borrows from keras. */
int hop_graph_read(const struct hop_json *keras, const char *where, struct hop_graph *g,
                   struct hop_err *e) HOP_MUSTUSE;
void hop_graph_clear(struct hop_graph *g);

#endif
