/* Where the system does not have what keep.c needs (descriptors over sockets, /proc): every call is
 * done by its own process. */
#include "keep.h"

int
keep_call(const struct train_options *o, int64_t idle_s, int64_t max_bytes, int *status,
          struct hop_err *e)
{
    (void)o;
    (void)idle_s;
    (void)max_bytes;
    (void)status;
    (void)e;
    return HOP_EOF;
}

int
keep_stop(const char *lock_dir, const char *device, struct hop_err *e)
{
    (void)lock_dir;
    (void)device;
    (void)e;
    return HOP_OK;
}
