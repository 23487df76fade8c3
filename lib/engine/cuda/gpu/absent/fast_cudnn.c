/* Compiled in place of cuDNN's files where the build found no headers of it. */
#include "engine/cuda/gpu/context.h"

const struct hop_cuda_fast *const hop_cuda_fast_table = NULL;

void
hop_cuda_fast_close(struct hop_cuda_context *c)
{
    (void)c;
}

void
hop_cuda_fast_plans(const char *text, void (*on_plan)(const char *line))
{
    (void)text;
    (void)on_plan;
}

const char *
hop_cuda_fast_version(struct hop_err *e)
{
    hop_fail(e, HOP_EDEV, "device cuda", "build hop where cuDNN 9 is", "hop was built without cuDNN");
    return "";
}
