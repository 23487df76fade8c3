/* The Random... layers. Nothing in front of them learns, so nothing goes back through them. */
#include "engine/augment.h"
#include "engine/cuda/plan.h"

static void
forward(struct hop_cuda_prog *g, int i)
{
    struct hop_augment_map map = hop_augment_map_of(hop_cuda_layer(g, i), i);
    struct k_decide_args decide = {.now = g->plan->now, .map = map,
                                   .is_training = g->is_training};
    struct k_contrast_mean_args mean = {.map = map};
    struct k_augment_args augment = {.map = map};

    if (!g->is_training && map.op != HOP_MAP_CROP) {
        hop_cuda_set_out(g, i, hop_cuda_in(g, i, 0));
        return;
    }
    augment.x = mean.x = hop_cuda_widen(g, hop_cuda_in(g, i, 0));
    decide.fate = augment.fate = (struct k_fates){
        hop_cuda_new_bytes(g, (size_t)g->n * sizeof *decide.fate.p), g->n};
    hop_cuda_launch(g, K_decide, g->n, &decide);
    if (map.op == HOP_MAP_CONTRAST) {
        mean.mean = augment.mean = hop_cuda_new(g, g->n * map.C);
        hop_cuda_launch(g, K_contrast_mean, mean.mean.n, &mean);
    }
    augment.y = hop_cuda_new_out(g, i);
    hop_cuda_launch_v(g, K_augment, augment.y.n, &augment);
}

static void
backward(struct hop_cuda_prog *g, int i, struct k_val dy)
{
    (void)g;
    (void)i;
    (void)dy;
    HOP_BUG_ON(true);
}

const struct hop_cuda_op hop_cuda_op_augment = {"Augment", forward, backward};
