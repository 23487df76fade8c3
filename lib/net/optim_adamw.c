/* AdamW: Adam with decoupled weight decay, 0.004 by default as in Keras.
 * Source: Loshchilov and Hutter, arXiv:1711.05101, algorithm 2. */
#include "net/optim_adam.h"

const struct hop_optim hop_optim_adamw = {
    "adamw", {HOP_COMMON_HYPER(0.001, 0.004), HOP_ADAM_HYPER}, hop_adam_slots, hop_adam_rule, NULL,
};
