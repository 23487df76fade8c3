/* scene - all that hop-schedule plans with, read from files: configs or visits, shards, workers,
 * model files. */
#ifndef HOP_SCENE_H
#define HOP_SCENE_H

#include "run/run.h"
#include "schedule/orders.h"
#include "schedule/plan.h"
#include "schedule/shards.h"
#include "schedule/tasks.h"
#include "schedule/workers.h"

struct tool_scene_options {
    const char *data, *workers, *run, *nets; /* as hop-schedule's options; data, run, nets may be NULL */
    const char *replay;  /* NULL, or a file with visits, */
    bool want_order;     /* which give shards too, not only ranks */
    int64_t iterations, ahead, eval_every, examples;
    bool want_eval_train, is_simulated;
};

struct tool_scene {
    struct hop_configs configs;
    struct hop_json *visits; /* from stdin, or NULL */
    bool has_barriers;       /* these visits */
    struct hop_workers workers;
    struct hop_shard_list data;
    struct hop_placement place;
    bool *is_eval;
    struct hop_sched_shard *shards;
    struct hop_sched_worker *places;
    struct hop_tasks tasks;
    struct hop_orders orders;
    struct hop_sched_in in; /* all of it; but is_free, seed and visit_s */
};

/* tool_scene_read - from stdin and the files named in o. On error *s is not to be used. */
int tool_scene_read(const struct tool_scene_options *o, struct tool_scene *s, struct hop_err *e)
    HOP_MUSTUSE;
void tool_scene_clear(struct tool_scene *s);

#endif
