/* lr - schedules against the formulae of Keras and PyTorch in double, at every step. */
#include <math.h>
#include <string.h>

#include "net/lr.h"
#include "tap.h"

static struct hop_lr
parse(const char *text)
{
    struct hop_json *j = NULL;
    struct hop_lr lr = {0};
    struct hop_err e = {0};

    if (hop_json_parse(text, strlen(text), "t", &j, &e) || hop_lr_parse(j, "t", &lr, &e))
        ok(false, "%s: %s", text, e.what);
    hop_json_free(j);
    return lr;
}

static double
exponential(double t)
{
    return pow(0.9, t / 7);
}

static double
step(double t)
{
    return pow(0.5, floor(t / 10));
}

static double
inverse_time(double t)
{
    return 1 / (1 + 0.5 * floor(t / 10));
}

static double
polynomial(double t)
{
    double s = fmin(t, 50);

    return 0.9 * pow(1 - s / 50, 2) + 0.1;
}

static double
cosine(double t)
{
    if (t < 5)
        return t / 5;
    return 0.99 * 0.5 * (1 + cos(M_PI * fmin((t - 5) / 40, 1))) + 0.01;
}

/* torch.optim.lr_scheduler.OneCycleLR(total_steps=60), as a factor of max_lr. */
static double
onecycle(double t)
{
    double peak = 0.3 * 60 - 1, last = 59, from, to, x;

    from = t <= peak ? 1 / 25.0 : 1;
    to = t <= peak ? 1 : 1 / 25.0 / 1e4;
    x = t <= peak ? t / peak : fmin((t - peak) / (last - peak), 1);
    return to + (from - to) / 2 * (1 + cos(M_PI * x));
}

static double
piecewise(double t)
{
    return t <= 10 ? 1 : t <= 20 ? 0.1 : 0.01;
}

static double
constant(double t)
{
    return t < 0 ? 0 : 1;
}

int
main(void)
{
    static const struct {
        const char *text;
        double (*want)(double t);
    } rows[] = {
        {"{}", constant},
        {"{\"schedule\":\"exponential\",\"decay_steps\":7,\"decay_rate\":0.9}", exponential},
        {"{\"schedule\":\"step\",\"decay_steps\":10,\"decay_rate\":0.5}", step},
        {"{\"schedule\":\"inverse_time\",\"decay_steps\":10,\"decay_rate\":0.5,\"staircase\":true}",
         inverse_time},
        {"{\"schedule\":\"polynomial\",\"decay_steps\":50,\"alpha\":0.1,\"power\":2}", polynomial},
        {"{\"schedule\":\"cosine\",\"decay_steps\":40,\"alpha\":0.01,\"warmup_steps\":5}", cosine},
        {"{\"schedule\":\"onecycle\",\"decay_steps\":60}", onecycle},
        {"{\"schedule\":\"piecewise\",\"boundaries\":[10,20],\"factors\":[1,0.1,0.01]}", piecewise},
    };
    struct hop_lr lr;
    double worst, got;
    size_t i;
    int t;

    for (i = 0; i < HOP_LEN(rows); i++) {
        lr = parse(rows[i].text);
        for (t = 0, worst = 0; t < 100; t++) {
            got = hop_lr_factor(&lr, t);
            worst = fmax(worst, fabs(got - rows[i].want(t)));
        }
        ok(worst < 1e-12, "%s: off by %.2g at most", rows[i].text, worst);
    }
    return tap_end();
}
