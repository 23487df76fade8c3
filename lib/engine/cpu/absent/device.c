/* Compiled in place of the device "cpu" where oneDNN is missing. */
#include <stddef.h>
#include "engine/engine.h"

extern const struct hop_device_ops *const hop_device_cpu;
const struct hop_device_ops *const hop_device_cpu = NULL;
