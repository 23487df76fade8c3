/* cells - a plan as what engines carry out: one command each, in an order in which they can be run.
 *
 * Births come first, then visits and evaluations by their place in the plan. A cell may begin when
 * all cells of the config's stage before have been done, and when a slot of its worker is free.
 * The order of cells keeps to both, so whoever carries them out in it never waits in a circle.
 */
#ifndef HOP_SCHEDULE_CELLS_H
#define HOP_SCHEDULE_CELLS_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "schedule/emitters.h"

enum { HOP_NO_CELL = UINT32_MAX };

struct hop_cell {
    const struct hop_sched_visit *v; /* of the plan; NULL = birth */
    uint32_t task, worker;           /* indices; a birth goes with its config's first visit */
    uint16_t slot;
    int64_t stage;     /* of the config: 0 its birth, 2 K visit K, 2 K + 1 evaluations after it */
    uint32_t peer;     /* the cell before of the same config and stage, or HOP_NO_CELL */
    uint32_t needs;    /* the last cell of the config's stage before (its peers are needed, too) */
    uint32_t follows;  /* the cell before in the same slot of the worker */
};

struct hop_cells {
    struct hop_cell *c;
    size_t n;
};

/* hop_cells_make - of in->plan. Err: HOP_ENOMEM; HOP_EFORMAT when there are 2^32 - 1 or more. */
int hop_cells_make(const struct hop_emit_in *in, struct hop_cells *out, struct hop_err *e)
    HOP_MUSTUSE;
void hop_cells_clear(struct hop_cells *cells);

/* hop_cell_command - append the cell's command, on one line, as run on its worker (of a birth: on
 * any). $HOP_NL must hold a newline where it runs. */
void hop_cell_command(const struct hop_emit_in *in, const struct hop_cell *c, struct hop_str *out);

/* hop_cell_n_holders - how many workers hold what the cell needs: its own is the first. */
size_t hop_cell_n_holders(const struct hop_emit_in *in, const struct hop_cell *c);

/* hop_cell_at - the same cell on its holder i_holder, from 0. */
struct hop_cell hop_cell_at(const struct hop_emit_in *in, const struct hop_cell *c,
                            size_t i_holder, struct hop_sched_visit *scratch);

#endif
