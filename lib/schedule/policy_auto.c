/* auto - the best of many: round-robin's visits without its barriers, lists by several rules, then
 * random variations of them, at last small changes of the best (improve.h), until the lower bound is
 * met or enough has been tried. In cyclic order the rules decide only who waits; in free order also
 * where each config goes next. Lists leave no slot idle that could work, which the best plan may
 * have to; changes find that, too, where there are few visits.
 *
 * How much is tried is counted in visits, not in seconds, so the same input gives the same plan.
 */
#include "schedule/policies.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "schedule/improve.h"
#include "schedule/list.h"

/* Visits to be planned in all lists together, about a tenth of a second; in small plans fewer: so
 * many random ones find all that there is to find. The same for small changes. */
static const size_t enough_visits = 1000000, enough_lists = 2000;
static const size_t enough_changed = 1000000, enough_changes = 40000;
/* A plan this near the lower bound is good enough: exactly, and once a million are planned. */
static const double is_same = 1e-9, is_near = 1e-3;
/* Round-robin sorts the configs in every sub-epoch, which takes too long for more than this. */
static const size_t many_visits = 4000000;

struct search {
    const struct hop_sched_in *in;
    struct hop_list *list;
    struct hop_sched best, next;
    size_t n_planned; /* visits */
    uint32_t *first;  /* [n_tasks] for rotations */
};

/* Keep what is in s->next if it is the best so far. */
static int
judge(struct search *s, struct hop_err *e)
{
    struct hop_sched keep;
    int rc;

    if ((rc = hop_sched_reckon(s->in, &s->next, e)))
        return rc;
    s->n_planned += s->next.n + 1;
    if (!s->best.v || s->next.makespan_s < s->best.makespan_s * (1 - is_same)) {
        keep = s->best;
        s->best = s->next;
        s->next = keep;
    }
    return HOP_OK;
}

static bool
is_done(const struct search *s)
{
    double gap = s->best.makespan_s - s->best.lower_bound_s;

    return gap <= s->best.lower_bound_s * (s->n_planned < enough_visits ? is_same : is_near);
}

static int
try(struct search *s, const struct hop_list_rule *rule, struct hop_err *e)
{
    int rc;

    if (s->best.v && is_done(s))
        return HOP_OK;
    if ((rc = hop_list_run(s->list, rule, &s->next, e)))
        return rc;
    return judge(s, e);
}

static int
try_round_robin(struct search *s, struct hop_err *e)
{
    size_t i, n = 0;
    int rc;

    for (i = 0; i < s->in->n_tasks && n <= many_visits; i++)
        n += (size_t)(s->in->tasks[i].until * (int64_t)s->in->n_train - s->in->tasks[i].visits);
    if (n > many_visits)
        return HOP_OK;
    s->next.n = 0;
    if ((rc = hop_policy_round_robin.fill(s->in, &s->next, e)))
        return rc;
    return judge(s, e);
}

/* Rotations that begin anywhere: configs in random order, one after another round the ring. */
static void
shuffle_first(struct search *s, uint32_t stream)
{
    size_t i, k, n = s->in->n_tasks;
    uint32_t u[4], keep;

    for (i = 0; i < n; i++)
        s->first[i] = (uint32_t)(i % s->in->n_train);
    for (i = n; i-- > 1;) {
        hop_philox(s->in->seed, (uint32_t)i, stream, 0, 0x524f54, u);
        k = u[0] % (i + 1);
        keep = s->first[i];
        s->first[i] = s->first[k];
        s->first[k] = keep;
    }
}

/* Variation number k of the rules. */
static int
try_random(struct search *s, uint32_t k, struct hop_err *e)
{
    static const double noises[] = {0.1, 0.3, 1};
    struct hop_list_rule rule = {.key = k % 4 == 3 ? HOP_LIST_RANDOM : HOP_LIST_LONGEST,
                                 .stream = k,
                                 .noise = noises[k / 2 % HOP_LEN(noises)]};

    if (s->in->is_free && k % 2) {
        rule.is_rotating = true;
        rule.first = s->first;
        shuffle_first(s, k);
    }
    return try(s, &rule, e);
}

static int
try_all(struct search *s, struct hop_err *e)
{
    static const struct hop_list_rule rules[] = {
        {.key = HOP_LIST_LONGEST},
        {.key = HOP_LIST_FEWEST},
        {.key = HOP_LIST_FEWEST, .is_rotating = true},
        {.key = HOP_LIST_LONGEST, .is_rotating = true},
        {.key = HOP_LIST_RANDOM}, /* as the policy: never longer than that */
    };
    uint32_t k;
    size_t i;
    int rc = try_round_robin(s, e);

    for (i = 0; i < HOP_LEN(rules) && !rc; i++)
        if (s->in->is_free || !rules[i].is_rotating)
            rc = try(s, &rules[i], e);
    for (k = 0; !rc && !is_done(s) && s->n_planned < enough_visits && k < enough_lists; k++)
        rc = try_random(s, k, e);
    return rc;
}

static int
improve(struct search *s, struct hop_err *e)
{
    size_t n = enough_changed / (s->best.n + 1);
    int rc;

    if (is_done(s) || !n)
        return HOP_OK;
    rc = hop_improve(s->in, &s->best, n < enough_changes ? n : enough_changes, e);
    return rc ? rc : hop_sched_reckon(s->in, &s->best, e);
}

static int
fill(const struct hop_sched_in *in, struct hop_sched *plan, struct hop_err *e)
{
    struct search s = {.in = in, .list = hop_list_new(in, e),
                       .first = hop_alloc(in->n_tasks, sizeof *s.first, e)};
    int rc = s.list && s.first ? try_all(&s, e) : HOP_ENOMEM;

    if (!rc)
        rc = improve(&s, e);
    free(s.first);
    hop_list_free(s.list);
    hop_sched_clear(&s.next);
    if (rc)
        hop_sched_clear(&s.best);
    else
        *plan = s.best;
    return rc;
}

const struct hop_policy hop_policy_auto = {"auto", "the best of many plans", fill, false};
