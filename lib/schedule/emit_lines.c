/* lines - the commands alone, one per line, in an order in which they can be run one by one. */
#include "schedule/emitters.h"

#include <string.h>

#include "schedule/cells.h"

static int
emit(const struct hop_emit_in *in, struct hop_str *out, struct hop_err *e)
{
    struct hop_cells cells;
    struct hop_str lines = {0};
    size_t i;
    int rc;

    if ((rc = hop_cells_make(in, &cells, e)))
        return rc;
    for (i = 0; i < cells.n; i++) {
        hop_cell_command(in, &cells.c[i], &lines);
        hop_str_add(&lines, "\n");
    }
    hop_cells_clear(&cells);
    if (strstr(hop_str_c(&lines), "\"$HOP_NL\""))
        hop_str_add(out, "HOP_NL='\n'; export HOP_NL\n");
    hop_str_add(out, hop_str_c(&lines));
    rc = hop_str_check(&lines, e);
    hop_str_clear(&lines);
    return rc;
}

const struct hop_emitter hop_emitter_lines = {"lines", "the commands, one per line", emit, true};
