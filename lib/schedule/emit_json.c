/* json - plan/1, then a visit/1 line per visit. A model that is yet to be made is a visit 0 in
 * sub-epoch 0, with "task":"init". */
#include "schedule/emitters.h"

#include "format/json.h"

static int
add_record(struct hop_json *take, struct hop_str *out, struct hop_err *e)
{
    int rc = hop_json_dump(take, out, e);

    hop_str_add(out, "\n");
    hop_json_free(take);
    return rc;
}

static struct hop_json *
plan_record(const struct hop_emit_in *in)
{
    struct hop_json *j = hop_json_record("plan/1");

    hop_json_set_str(j, "policy", in->policy);
    hop_json_set_int(j, "workers", (int64_t)in->workers->n);
    hop_json_set_int(j, "configs", (int64_t)in->tasks->n);
    hop_json_set_int(j, "visits", (int64_t)in->plan->n_train_visits);
    hop_json_set_int(j, "evals", (int64_t)(in->plan->n - in->plan->n_train_visits));
    hop_json_set_int(j, "subepochs", in->plan->n_subepochs);
    hop_json_set_real(j, "makespan_s", in->plan->makespan_s);
    hop_json_set_real(j, "lower_bound_s", in->plan->lower_bound_s);
    hop_json_set_real(j, "idle_frac", in->plan->idle_frac);
    hop_json_set_real(j, "flops_per_s", in->tasks->flops_per_s);
    hop_json_set_str(j, "costs", in->tasks->is_measured ? "measured" : "nominal");
    return j;
}

static struct hop_json *
visit_record(const struct hop_emit_in *in, const struct hop_sched_visit *v)
{
    struct hop_json *j = hop_json_record("visit/1");

    hop_json_set_str(j, "id", in->in->tasks[v->task].id);
    if (v->is_eval)
        hop_json_set_str(j, "task", "eval");
    hop_json_set_int(j, "visit", v->visit);
    hop_json_set_int(j, "iteration", v->iteration);
    hop_json_set_int(j, "subepoch", v->subepoch);
    hop_json_set_str(j, "shard", in->in->shards[v->shard].name);
    hop_json_set_str(j, "worker", in->workers->v[v->worker].name);
    hop_json_set_real(j, "start_s", v->start_s);
    hop_json_set_real(j, "expect_s", v->expect_s);
    return j;
}

static int
emit(const struct hop_emit_in *in, struct hop_str *out, struct hop_err *e)
{
    struct hop_json *j;
    size_t i;
    int rc = add_record(plan_record(in), out, e);

    for (i = 0; i < in->tasks->n && !rc; i++) {
        if (in->tasks->v[i].is_born)
            continue;
        j = hop_json_record("visit/1");
        hop_json_set_str(j, "id", in->tasks->v[i].id);
        hop_json_set_str(j, "task", "init");
        hop_json_set_int(j, "visit", 0);
        hop_json_set_int(j, "iteration", 0);
        hop_json_set_int(j, "subepoch", 0);
        rc = add_record(j, out, e);
    }
    for (i = 0; i < in->plan->n && !rc; i++)
        rc = add_record(visit_record(in, &in->plan->v[i]), out, e);
    return rc;
}

const struct hop_emitter hop_emitter_json = {"json", "plan/1 and visit/1 lines", emit};
