/* RandomFlip: left-right, up-down or both, each with an even chance. */
#include <string.h>

#include "net/augment.h"

static const char *const keys[] = {"mode", "data_format", "seed", "rng_type", NULL};

static int
parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    struct hop_augment *p = l->params;
    const char *mode = "horizontal_and_vertical";
    int rc = hop_json_get_str(c, "mode", false, where, &mode, e);

    p->kind = HOP_FLIP;
    p->flips_columns = !strncmp(mode, "horizontal", 10);
    p->flips_rows = strstr(mode, "vertical") != NULL;
    if (!rc && strcmp(mode, "horizontal") && strcmp(mode, "vertical") &&
        strcmp(mode, "horizontal_and_vertical"))
        rc = hop_fail(e, HOP_EFORMAT, where, "horizontal, vertical, horizontal_and_vertical",
                      "unknown mode \"%.40s\"", mode);
    return rc;
}

const struct hop_layer_kind hop_layer_random_flip = {
    "RandomFlip", NULL, "Augment", "random_flip", keys, sizeof(struct hop_augment), parse, hop_augment_shape,
    NULL,
};
