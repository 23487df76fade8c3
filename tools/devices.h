/* devices - what the environment says about devices, for the tools that open one. */
#ifndef HOP_DEVICES_H
#define HOP_DEVICES_H

#include <stddef.h>
#include <stdint.h>
#include "engine/engine.h"

/* tool_devices_init - tell the library where plugins lie (HOP_PLUGINS, else ../lib/hop beside this
 * program, else where `make` was told), where cuDNN may lie (HOP_CUDNN, else Python packages) and
 * which plans to use (HOP_GPU_PLANS, a file that new plans are added to). Dies on a folder that is
 * not absolute, exit 2. */
void tool_devices_init(void);

/* tool_device_slots - how many processes may use the device at a time, and the name of its locks. ref
 * and cpu share the processors: one slot per processor / n_threads. A GPU holds several processes, each
 * with a context of its own. */
int tool_device_slots(const struct hop_device_ops *ops, int index, int64_t n_threads, char *name,
                      size_t size);

/* tool_lock_dir - the folder of turns and slots (base/slot.h): XDG_RUNTIME_DIR/hop, else /tmp/hop-UID. */
const char *tool_lock_dir(void);

/* tool_turn_wait - wait for a turn, "NAME:N" or NULL (hop_turn_parse), and have it until the process
 * ends. Dies on errors, and when standard output has no reader any more. */
void tool_turn_wait(const char *turn);

/* tool_devices_share - this process will use a GPU from several threads: called before it does, and
 * while there is one thread. */
void tool_devices_share(void);

#endif
