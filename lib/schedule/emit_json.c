/* json - plan/1, then a visit/1 line per visit. A model that is yet to be made is a visit 0 in
 * sub-epoch 0, with "task":"init". */
#include "schedule/emitters.h"

#include <stdlib.h>

#include "base/mem.h"
#include "format/json.h"

static int
add_record(struct hop_json *take, struct hop_str *out, struct hop_err *e)
{
    int rc = hop_json_dump(take, out, e);

    hop_str_add(out, "\n");
    hop_json_free(take);
    return rc;
}

int
hop_emit_plan(const struct hop_emit_in *in, struct hop_str *out, struct hop_err *e)
{
    struct hop_json *j = hop_json_record("plan/1");
    size_t i, n_slots = 0;

    for (i = 0; i < in->workers->n; i++)
        n_slots += (size_t)in->workers->v[i].n_slots;

    hop_json_set_str(j, "policy", in->policy);
    hop_json_set_str(j, "order", in->in->is_free ? "free" : "cyclic");
    hop_json_set_int(j, "workers", (int64_t)in->workers->n);
    hop_json_set_int(j, "slots", (int64_t)n_slots);
    hop_json_set_int(j, "configs", (int64_t)in->tasks->n);
    hop_json_set_int(j, "visits", (int64_t)in->plan->n_train_visits);
    hop_json_set_int(j, "evals", (int64_t)(in->plan->n - in->plan->n_train_visits));
    hop_json_set_int(j, "subepochs", in->plan->n_subepochs);
    if (in->plan->has_barriers)
        hop_json_set_bool(j, "barriers", true);
    hop_json_set_real(j, "makespan_s", in->plan->makespan_s);
    hop_json_set_real(j, "lower_bound_s", in->plan->lower_bound_s);
    hop_json_set_real(j, "idle_frac", in->plan->idle_frac);
    hop_json_set_real(j, "flops_per_s", in->tasks->flops_per_s);
    hop_json_set_str(j, "costs", in->tasks->is_measured ? "measured" : "nominal");
    return add_record(j, out, e);
}

/* A string as JSON writes it, with its quotes. */
static int
quote(const char *text, struct hop_str *out, struct hop_err *e)
{
    struct hop_json *j = hop_json_new_str(text);
    int rc = hop_json_dump(j, out, e);

    hop_json_free(j);
    return rc;
}

/* The names of tasks, shards and workers, quoted once: plans may have millions of visits. */
struct names {
    struct hop_str text;
    size_t *at; /* [n] where each begins in text; each ends with a NUL */
    size_t n;
};

static int
add_name(struct names *names, const char *name, struct hop_err *e)
{
    int rc;

    names->at[names->n++] = names->text.n;
    if ((rc = quote(name, &names->text, e)))
        return rc;
    hop_str_add_n(&names->text, "", 1);
    return HOP_OK;
}

static int
read_names(const struct hop_emit_in *in, struct names *names, struct hop_err *e)
{
    size_t i;
    int rc = HOP_OK;

    names->at = hop_alloc(in->tasks->n + in->in->n_shards + in->workers->n, sizeof *names->at, e);
    if (!names->at)
        return HOP_ENOMEM;
    for (i = 0; i < in->tasks->n && !rc; i++)
        rc = add_name(names, in->in->tasks[i].id, e);
    for (i = 0; i < in->in->n_shards && !rc; i++)
        rc = add_name(names, in->in->shards[i].name, e);
    for (i = 0; i < in->workers->n && !rc; i++)
        rc = add_name(names, in->workers->v[i].name, e);
    return rc ? rc : hop_str_check(&names->text, e);
}

static void
add_visit(const struct hop_emit_in *in, const struct hop_sched_visit *v, const struct names *names,
          struct hop_str *out)
{
    const size_t *tasks = names->at, *shards = tasks + in->tasks->n;
    const size_t *workers = shards + in->in->n_shards;
    const char *text = names->text.s;

    hop_str_addf(out,
                 "{\"hop\":\"visit/1\",\"id\":%s,%s\"visit\":%lld,\"iteration\":%lld,"
                 "\"subepoch\":%lld,\"shard\":%s,\"worker\":%s,",
                 text + tasks[v->task], v->is_eval ? "\"task\":\"eval\"," : "",
                 (long long)v->visit, (long long)v->iteration, (long long)v->subepoch,
                 text + shards[v->shard], text + workers[v->worker]);
    if (in->in->workers[v->worker].n_slots > 1)
        hop_str_addf(out, "\"slot\":%u,", v->slot);
    hop_str_addf(out, "\"start_s\":%.9g,\"expect_s\":%.9g}\n", v->start_s, v->expect_s);
}

static int
add_visits(const struct hop_emit_in *in, struct hop_str *out, struct hop_err *e)
{
    struct names names = {0};
    size_t i;
    int rc = read_names(in, &names, e);

    for (i = 0; i < in->plan->n && !rc; i++) {
        add_visit(in, &in->plan->v[i], &names, out);
        if (in->spill && out->n >= HOP_EMIT_BYTES && !(rc = hop_str_check(out, e)))
            in->spill(out);
    }
    free(names.at);
    hop_str_clear(&names.text);
    return rc;
}

static int
emit(const struct hop_emit_in *in, struct hop_str *out, struct hop_err *e)
{
    struct hop_json *j;
    size_t i;
    int rc = hop_emit_plan(in, out, e);

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
    return rc ? rc : add_visits(in, out, e);
}

const struct hop_emitter hop_emitter_json = {"json", "plan/1 and visit/1 lines", emit, false};
