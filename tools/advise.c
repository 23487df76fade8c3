#include "advise.h"

#include "schedule/policies.h"
#include "tool.h"

/* Free order that saves less than this is not worth a word. */
static const double worth_a_note = 1.1;

static void
tell(const struct hop_sched *plan, const struct hop_tasks *tasks)
{
    tool_warn("%zu configs to do, %zu done, %zu diverged; %zu visits, %zu evaluations in %lld "
              "sub-epochs", tasks->n, tasks->n_done, tasks->n_diverged, plan->n_train_visits,
              plan->n - plan->n_train_visits, (long long)plan->n_subepochs);
    tool_warn("%.1f s expected, %.1f s at least, %.1f of 100 parts idle; speed %.3g FLOP/s (%s)",
              plan->makespan_s, plan->lower_bound_s, 100 * plan->idle_frac, tasks->flops_per_s,
              tasks->is_measured ? "from past visits" : "a guess");
}

static void
note_few_configs(const struct hop_sched_in *in, const struct hop_sched *plan)
{
    size_t i, n_slots = 0;

    for (i = 0; i < in->n_workers; i++)
        n_slots += in->workers[i].n_slots;
    if (!plan->n_train_visits || in->n_tasks >= n_slots)
        return;
    tool_warn("%zu configs cannot keep %zu workers busy: %.3g of 100 parts idle; up to %zu more "
              "configs cost no time, or take %zu shards and workers", in->n_tasks, n_slots,
              100 * plan->idle_frac, n_slots - in->n_tasks, in->n_tasks);
}

static void
note_free_order(const struct hop_sched_in *in, const struct hop_sched *plan)
{
    struct hop_sched_in free_in = *in;
    struct hop_sched other;
    struct hop_err e = {0};
    double gain;

    /* No order beats the lower bound. */
    if (in->is_free || plan->makespan_s <= worth_a_note * plan->lower_bound_s)
        return;
    free_in.is_free = true;
    if (hop_sched_make(&hop_policy_auto, &free_in, &other, &e)) {
        hop_err_clear(&e);
        return;
    }
    gain = other.makespan_s > 0 ? plan->makespan_s / other.makespan_s : 1;
    if (gain > worth_a_note)
        tool_warn("--order free --policy auto would take %.1f s instead of %.1f s (%.2f times as "
                  "fast)", other.makespan_s, plan->makespan_s, gain);
    hop_sched_clear(&other);
}

void
tool_advise(const struct hop_sched_in *in, const struct hop_sched *plan,
            const struct hop_tasks *tasks)
{
    if (tool_is_quiet)
        return;
    if (tool_verbosity > 0)
        tell(plan, tasks);
    note_few_configs(in, plan);
    note_free_order(in, plan);
}

void
tool_advise_numerics(const struct hop_numerics_in *in, bool is_forbidden)
{
    struct hop_numerics n;
    struct hop_err e = {0};

    if (hop_numerics_of(in, &n, &e))
        tool_die(&e);
    if (is_forbidden && n.n_kinds > 1) {
        hop_fail(&e, HOP_EFORMAT, "--same-fingerprint", "choose workers of one kind",
                 "configs would hop between %zu kinds of numbers: %s", n.n_kinds,
                 hop_str_c(&n.kinds));
        tool_die(&e);
    }
    if (is_forbidden && n.unknown) {
        hop_fail(&e, HOP_EFORMAT, "--same-fingerprint", "hop-schedule probe WORKERS finds it out",
                 "worker \"%s\": which numbers it makes is not known", n.unknown);
        tool_die(&e);
    }
    if (n.n_kinds > 1 && !tool_is_quiet)
        tool_warn("configs hop between %zu kinds of numbers, so results depend on which worker trains "
                  "what: %s", n.n_kinds, hop_str_c(&n.kinds));
    hop_numerics_clear(&n);
}
