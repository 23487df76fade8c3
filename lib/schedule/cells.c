#include "schedule/cells.h"

#include <stdlib.h>

#include "base/mem.h"

/* What is known of a task or of a slot while cells are added. */
struct last {
    uint32_t *stage; /* [tasks] the last cell of the stage under way */
    uint32_t *needs; /* [tasks] the last cell of the stage before */
    uint32_t *slot;  /* [workers * HOP_MAX_WORKER_SLOTS] */
};

static void
add(struct hop_cells *cells, const struct last *last, struct hop_cell c)
{
    uint32_t here = (uint32_t)cells->n, *stage = &last->stage[c.task], *needs = &last->needs[c.task];
    uint32_t *slot = &last->slot[(size_t)c.worker * HOP_MAX_WORKER_SLOTS + c.slot];

    if (*stage != HOP_NO_CELL && cells->c[*stage].stage == c.stage) {
        c.peer = *stage;
    } else {
        c.peer = HOP_NO_CELL;
        *needs = *stage;
    }
    c.needs = *needs;
    c.follows = *slot;
    *stage = *slot = here;
    cells->c[cells->n++] = c;
}

/* Births, each where its config's first visit will be. */
static int
add_births(const struct hop_emit_in *in, struct hop_cells *cells, const struct last *last,
           struct hop_err *e)
{
    const struct hop_sched *plan = in->plan;
    const struct hop_sched_visit **first;
    size_t i;

    if (!(first = hop_alloc(in->tasks->n, sizeof *first, e)))
        return HOP_ENOMEM;
    for (i = plan->n; i-- > 0;)
        first[plan->v[i].task] = &plan->v[i];
    for (i = 0; i < in->tasks->n; i++)
        if (!in->tasks->v[i].is_born)
            add(cells, last,
                (struct hop_cell){.task = (uint32_t)i, .worker = first[i] ? first[i]->worker : 0,
                                  .slot = first[i] ? first[i]->slot : 0});
    free(first);
    return HOP_OK;
}

int
hop_cells_make(const struct hop_emit_in *in, struct hop_cells *out, struct hop_err *e)
{
    const struct hop_sched *plan = in->plan;
    size_t i, n_slots = in->workers->n * HOP_MAX_WORKER_SLOTS, n_tasks = in->tasks->n;
    struct last last;
    int rc = HOP_OK;

    *out = (struct hop_cells){0};
    if (plan->n + n_tasks >= HOP_NO_CELL)
        return hop_fail(e, HOP_EFORMAT, "the plan", "give each part of the configs its own run",
                        "%zu visits are too many for a script", plan->n);
    last = (struct last){hop_alloc(n_tasks, sizeof *last.stage, e),
                         hop_alloc(n_tasks, sizeof *last.needs, e),
                         hop_alloc(n_slots, sizeof *last.slot, e)};
    out->c = hop_alloc(plan->n + n_tasks, sizeof *out->c, e);
    if (!last.stage || !last.needs || !last.slot || !out->c)
        rc = HOP_ENOMEM;
    for (i = 0; i < n_tasks && !rc; i++)
        last.stage[i] = last.needs[i] = HOP_NO_CELL;
    for (i = 0; i < n_slots && !rc; i++)
        last.slot[i] = HOP_NO_CELL;
    if (!rc)
        rc = add_births(in, out, &last, e);
    for (i = 0; i < plan->n && !rc; i++)
        add(out, &last,
            (struct hop_cell){.v = &plan->v[i], .task = plan->v[i].task,
                              .worker = plan->v[i].worker, .slot = plan->v[i].slot,
                              .stage = 2 * plan->v[i].visit + plan->v[i].is_eval});
    free(last.stage);
    free(last.needs);
    free(last.slot);
    if (rc)
        hop_cells_clear(out);
    return rc;
}

void
hop_cells_clear(struct hop_cells *cells)
{
    free(cells->c);
    *cells = (struct hop_cells){0};
}

void
hop_cell_command(const struct hop_emit_in *in, const struct hop_cell *c, struct hop_str *out)
{
    if (c->v)
        hop_emit_visit(in, c->v, out);
    else
        hop_emit_birth(in, in->in->tasks[c->task].id, out);
}

size_t
hop_cell_n_holders(const struct hop_emit_in *in, const struct hop_cell *c)
{
    return c->v ? in->in->shards[c->v->shard].n_workers : in->workers->n;
}

struct hop_cell
hop_cell_at(const struct hop_emit_in *in, const struct hop_cell *c, size_t i_holder,
            struct hop_sched_visit *scratch)
{
    struct hop_cell at = *c;
    size_t i, n = hop_cell_n_holders(in, c), own = 0;

    if (!c->v) {
        at.worker = (uint32_t)((c->worker + i_holder) % n);
    } else {
        const uint32_t *workers = in->in->shards[c->v->shard].workers;

        for (i = 0; i < n; i++)
            if (workers[i] == c->worker)
                own = i;
        at.worker = workers[(own + i_holder) % n];
        *scratch = *c->v;
        scratch->worker = at.worker;
        at.v = scratch;
    }
    at.slot = (uint16_t)(c->slot % in->in->workers[at.worker].n_slots);
    return at;
}
