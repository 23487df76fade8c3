/* precision - float32 or bfloat16 for a plan of the device "cpu", and why. */
#ifndef HOP_ENGINE_CPU_PRECISION_H
#define HOP_ENGINE_CPU_PRECISION_H

#include <stdbool.h>
#include "base/err.h"
#include "net/net.h"

struct hop_cpu_can { /* what the CPU has, and oneDNN uses */
    bool bf16;       /* instructions for bfloat16; without them it is emulated, far slower */
    bool amx;        /* tiles that multiply it */
    bool wino;       /* what wino.h needs */
};

/* hop_cpu_suits_wino - is this a Conv2D that wino.h can do in float32, on a CPU that has what it needs?
 * (It is used where the pictures are of sizes that pay, too.) */
bool hop_cpu_suits_wino(const struct hop_layer *l);

/* hop_cpu_auto_is_bf16 - what "auto" means for this net: bfloat16 where the CPU multiplies it, but
 * without AMX not for nets with convolutions that wino.h does in float32: with these float32 is as fast
 * as bfloat16, or up to 1.3 times as fast. *why: the reason, for people. */
bool hop_cpu_auto_is_bf16(const struct hop_net *net, const struct hop_cpu_can *can, const char **why);

/* hop_cpu_precision_choose - name: "fp32", "bf16", "auto" or NULL (fp32). What auto chose is logged.
 * Err: HOP_EDEV bf16 where the CPU has none; HOP_EARG another name. */
int hop_cpu_precision_choose(const char *name, const struct hop_net *net, bool *is_bf16,
                             struct hop_err *e) HOP_MUSTUSE;

#endif
