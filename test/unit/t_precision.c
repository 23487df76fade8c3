/* precision - what "auto" means on the device cpu: for every net of the zoo and every kind of CPU, as
 * written down here; and that plans on this machine are made so. */
#include <dirent.h>

#include "engine/cpu/dn.h"
#include "engine/cpu/precision.h"
#include "engine/cpu/wino.h"
#include "engine_test.h"
#include "net/zoo.h"
#include "tap.h"

/* By hand: has it a convolution of 3x3, stride 1, 16 channels in and out or more, one group? */
static const struct {
    const char *name;
    bool has_wino, is_large; /* large: no plan is made */
} rows[] = {
    {"cifar10-cnn1", true, false}, {"cifar10-cnn2", true, false}, {"cifar10-cnn3", true, false},
    {"lenet5", false, false},      {"mlp", false, false},         {"mlp-any", false, false},
    {"mobilenet-small", false, false}, {"resnet20", true, false}, {"resnet50", true, true},
    {"resnet9", true, false},      {"shapes-cnn", true, false},  {"shapes-mlp", false, false},
    {"vgg16", true, true},
};

static struct hop_net *
parse(const char *name)
{
    struct hop_json *config = hop_json_object(), *architecture = NULL;
    struct hop_net *net = NULL;
    struct hop_err e = {0};

    hop_json_set_str(config, "model", name);
    if (hop_zoo_find(config, "share/nets", "test", &architecture, &e) ||
        hop_net_parse(architecture, name, &net, &e))
        die(name, &e);
    hop_json_free(architecture);
    hop_json_free(config);
    return net;
}

static bool
has_row(const char *file)
{
    for (size_t i = 0; i < HOP_LEN(rows); i++)
        if (!strncmp(rows[i].name, file, strlen(rows[i].name)) &&
            !strcmp(file + strlen(rows[i].name), ".json"))
            return true;
    return false;
}

static void
test_rows(void)
{
    DIR *dir = opendir("share/nets");
    struct dirent *d;
    size_t n = 0;

    while (dir && (d = readdir(dir)))
        if (d->d_name[0] != '.') {
            ok(has_row(d->d_name), "%s has its row here", d->d_name);
            n++;
        }
    ok(n == HOP_LEN(rows), "and every row its net");
    if (dir)
        closedir(dir);
}

/* What a CPU has is asked one by one, so kinds that nobody makes are held, too. */
static void
test_auto(const char *name, bool has_wino, const struct hop_net *net)
{
    for (int kind = 0; kind < 8; kind++) {
        struct hop_cpu_can can = {kind & 1, kind & 2, kind & 4};
        bool want = can.bf16 && (can.amx || !(can.wino && has_wino)), is;
        const char *why = "", *word;

        word = !can.bf16 ? "no bf16" : can.amx ? "AMX" : want ? "no Winograd" : "Winograd";
        is = hop_cpu_auto_is_bf16(net, &can, &why);
        ok(is == want && strstr(why, word),
           "%s,%s%s%s: %s (%s)", name, can.bf16 ? " bf16" : "", can.amx ? " AMX" : "",
           can.wino ? " Winograd" : "", want ? "bf16" : "fp32", why);
    }
}

static char said[300];

static void
on_log(int level, const char *line)
{
    if (level == HOP_LOG_INFO)
        snprintf(said, sizeof said, "%s", line);
}

/* The plan that this machine makes, and the line that says so. */
static void
test_plan(const char *name, const struct hop_net *net, const struct hop_device_ops *cpu,
          struct hop_device *d)
{
    struct hop_cpu_can can = {hop_dn_has_bf16(), hop_dn_has_amx(),
                              hop_dn_has_avx512() && hop_cpu_wino_can()};
    struct hop_plan_spec spec = make_spec(net, 2, "sgd", "{}");
    const char *why, *want;
    struct hop_err e = {0};
    struct hop_plan *p;
    char line[300];

    spec.precision = "auto";
    want = hop_cpu_auto_is_bf16(net, &can, &why) ? "bf16" : "fp32";
    snprintf(line, sizeof line, "device cpu: precision auto is %s: %s", want, why);
    said[0] = '\0';
    if (cpu->compile(d, &spec, &p, &e))
        die(name, &e);
    ok(!strcmp(cpu->precision(p), want) && !strcmp(said, line), "%s here: %s", name, said);
    cpu->plan_free(p);
}

int
main(void)
{
    const struct hop_device_ops *cpu;
    struct hop_err e = {0};
    struct hop_device *d;
    int index;

    hop_log_set(on_log);
    if (hop_device_find("cpu", &cpu, &index, &e) || cpu->open(0, 1, &d, &e))
        die("cpu", &e);
    test_rows();
    for (size_t i = 0; i < HOP_LEN(rows); i++) {
        struct hop_net *net = parse(rows[i].name);

        test_auto(rows[i].name, rows[i].has_wino, net);
        if (!rows[i].is_large)
            test_plan(rows[i].name, net, cpu, d);
        hop_net_free(net);
    }
    cpu->close(d);
    return tap_end();
}
