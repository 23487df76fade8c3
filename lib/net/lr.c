#include "net/lr.h"

#include <string.h>

#include "base/num.h"

struct hop_lr_kind {
    const char *name;
    const char *needs[2]; /* keys that must be there */
    double (*at)(const struct hop_lr *lr, double t);
};

/* How far t is through the decay, 0 to 1. */
static double
share(const struct hop_lr *lr, double t)
{
    return t < lr->decay_steps ? t / lr->decay_steps : 1.0;
}

static double
periods(const struct hop_lr *lr, double t)
{
    double p = t / lr->decay_steps;

    return lr->is_staircase ? (double)(int64_t)p : p;
}

static double
cos_pi(double x)
{
    double sine, cosine;

    hop_sincos_turn(0.5 * x, &sine, &cosine);
    return cosine;
}

static double
pow_(double base, double exponent)
{
    return base > 0 ? hop_exp_f64(exponent * hop_log_f64(base)) : exponent == 0 ? 1.0 : 0.0;
}

static double
at_constant(const struct hop_lr *lr, double t)
{
    (void)lr;
    (void)t;
    return 1.0;
}

static double
at_exponential(const struct hop_lr *lr, double t)
{
    return pow_(lr->decay_rate, periods(lr, t));
}

static double
at_step(const struct hop_lr *lr, double t)
{
    return hop_powi(lr->decay_rate, (uint64_t)(t / lr->decay_steps));
}

static double
at_inverse_time(const struct hop_lr *lr, double t)
{
    return 1.0 / (1.0 + lr->decay_rate * periods(lr, t));
}

static double
at_polynomial(const struct hop_lr *lr, double t)
{
    return (1.0 - lr->alpha) * pow_(1.0 - share(lr, t), lr->power) + lr->alpha;
}

static double
at_cosine(const struct hop_lr *lr, double t)
{
    return (1.0 - lr->alpha) * 0.5 * (1.0 + cos_pi(share(lr, t))) + lr->alpha;
}

static double
between(double from, double to, double x)
{
    return to + (from - to) * 0.5 * (1.0 + cos_pi(x < 0 ? 0 : x > 1 ? 1 : x));
}

static double
at_onecycle(const struct hop_lr *lr, double t)
{
    double peak = lr->pct_start * lr->decay_steps - 1.0, last = lr->decay_steps - 1.0;

    if (t <= peak)
        return between(1.0 / lr->div_factor, 1.0, t / peak);
    return between(1.0, 1.0 / (lr->div_factor * lr->final_div_factor), (t - peak) / (last - peak));
}

static double
at_piecewise(const struct hop_lr *lr, double t)
{
    int i;

    for (i = 0; i < lr->n_boundaries && t > lr->boundaries[i]; i++)
        ;
    return lr->factors[i];
}

static const struct hop_lr_kind kinds[] = {
    {"constant", {NULL, NULL}, at_constant},
    {"exponential", {"decay_steps", "decay_rate"}, at_exponential},
    {"step", {"decay_steps", "decay_rate"}, at_step},
    {"inverse_time", {"decay_steps", "decay_rate"}, at_inverse_time},
    {"polynomial", {"decay_steps", NULL}, at_polynomial},
    {"cosine", {"decay_steps", NULL}, at_cosine},
    {"onecycle", {"decay_steps", NULL}, at_onecycle},
    {"piecewise", {"boundaries", "factors"}, at_piecewise},
};

static int
read_pieces(const struct hop_json *config, const char *where, struct hop_lr *lr, struct hop_err *e)
{
    const struct hop_json *b = hop_json_get(config, "boundaries"), *f = hop_json_get(config, "factors");
    size_t n = hop_json_len(b), i;

    if (hop_json_kind(b) != HOP_JSON_ARRAY || hop_json_kind(f) != HOP_JSON_ARRAY ||
        hop_json_len(f) != n + 1 || n > HOP_LR_BOUNDARIES)
        return hop_fail(e, HOP_EFORMAT, where, "at most 32 boundaries and one factor more",
                        "\"boundaries\" and \"factors\" do not fit each other");
    for (i = 0; i < n; i++) {
        lr->boundaries[i] = hop_json_real(hop_json_at(b, i));
        if (i && lr->boundaries[i] <= lr->boundaries[i - 1])
            return hop_fail(e, HOP_EFORMAT, where, NULL, "\"boundaries\" must rise");
    }
    for (i = 0; i <= n; i++)
        lr->factors[i] = hop_json_real(hop_json_at(f, i));
    lr->n_boundaries = (int)n;
    return HOP_OK;
}

int
hop_lr_parse(const struct hop_json *config, const char *where, struct hop_lr *lr,
             struct hop_err *e)
{
    const char *name = "constant";
    char known[160] = "known:";
    size_t i;
    int k, rc;

    *lr = (struct hop_lr){.decay_steps = 1, .decay_rate = 1, .power = 1, .pct_start = 0.3,
                          .div_factor = 25, .final_div_factor = 1e4};
    if ((rc = hop_json_get_str(config, "schedule", false, where, &name, e)) ||
        (rc = hop_json_get_real(config, "warmup_steps", false, 0, 1e15, where, &lr->warmup_steps,
                                e)) ||
        (rc = hop_json_get_real(config, "decay_steps", false, 1, 1e15, where, &lr->decay_steps,
                                e)) ||
        (rc = hop_json_get_real(config, "decay_rate", false, 0, 1e6, where, &lr->decay_rate, e)) ||
        (rc = hop_json_get_real(config, "alpha", false, 0, 1, where, &lr->alpha, e)) ||
        (rc = hop_json_get_real(config, "power", false, 0, 100, where, &lr->power, e)) ||
        (rc = hop_json_get_real(config, "pct_start", false, 1e-3, 0.999, where, &lr->pct_start,
                                e)) ||
        (rc = hop_json_get_real(config, "div_factor", false, 1, 1e9, where, &lr->div_factor, e)) ||
        (rc = hop_json_get_real(config, "final_div_factor", false, 1, 1e12, where,
                                &lr->final_div_factor, e)) ||
        (rc = hop_json_get_bool(config, "staircase", false, where, &lr->is_staircase, e)))
        return rc;
    for (i = 0; i < HOP_LEN(kinds) && strcmp(name, kinds[i].name); i++) {
        strcat(known, i ? ", " : " ");
        strcat(known, kinds[i].name);
    }
    if (i == HOP_LEN(kinds))
        return hop_fail(e, HOP_EFORMAT, where, known, "unknown schedule \"%.60s\"", name);
    lr->kind = &kinds[i];
    for (k = 0; k < 2; k++)
        if (kinds[i].needs[k] && !hop_json_get(config, kinds[i].needs[k]))
            return hop_fail(e, HOP_EFORMAT, where, NULL, "schedule \"%s\" needs \"%s\"", name,
                            kinds[i].needs[k]);
    return lr->kind->at == at_piecewise ? read_pieces(config, where, lr, e) : HOP_OK;
}

double
hop_lr_factor(const struct hop_lr *lr, int64_t n_done)
{
    double t = (double)n_done;

    if (!lr || !lr->kind)
        return 1.0;
    if (lr->kind->at != at_onecycle) {
        if (t < lr->warmup_steps)
            return t / lr->warmup_steps;
        t -= lr->warmup_steps;
    }
    return lr->kind->at(lr, t);
}
