/* plan_set - chosen plans as JSON lines, so that hosts with equal GPUs compute with equal plans:
 *
 *   {"hop":"cudnn-plan/1","gpu":"sm_90","cudnn":"9.19.0","problem":"fprop+bias-bf16-n64-...","plan":{...}}
 *
 * with the keys in this order; "plan" is cuDNN's own text. Dense layers have "cudnn":"cublaslt 13.1.0" and
 * that library's algorithm. Of lines for one problem the first counts;
 * lines of other kinds, GPUs and versions are passed over.
 */
#ifndef HOP_ENGINE_CUDA_GPU_PLAN_SET_H
#define HOP_ENGINE_CUDA_GPU_PLAN_SET_H

#include <stdbool.h>
#include "base/str.h"

/* Which plan: none of them NULL; words without quotes or backslashes. */
struct hop_plan_key {
    const char *gpu, *cudnn, *problem;
};

/* hop_plan_set_find - is there a plan in the set `text`? Then it is added to *plan. */
bool hop_plan_set_find(const char *text, const struct hop_plan_key *key, struct hop_str *plan);

/* hop_plan_set_line - add the line for a plan, newline included, to *line. False, and nothing added, if
 * the plan's text holds a newline. */
bool hop_plan_set_line(const struct hop_plan_key *key, const char *plan, struct hop_str *line);

#endif
