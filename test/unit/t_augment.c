/* augment - each Random... layer does what its name says: exact cases, ranges of draws, inference. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/augment.h"
#include "net/net.h"
#include "tap.h"

enum { H = 5, W = 6, C = 2, N = H * W * C };

static float x[N], y[N];

static struct hop_net *
make_net(const char *class_name, const char *config)
{
    char text[700];
    struct hop_json *j = NULL;
    struct hop_net *net = NULL;
    struct hop_err e = {0};

    snprintf(text, sizeof text,
             "{\"class_name\":\"Sequential\",\"config\":{\"layers\":[{\"class_name\":\"InputLayer\","
             "\"config\":{\"batch_input_shape\":[null,5,6,2]}},{\"class_name\":\"%s\",\"config\":{%s}},"
             "{\"class_name\":\"Flatten\",\"config\":{}}]}}",
             class_name, config);
    if (hop_json_parse(text, strlen(text), "t", &j, &e) || hop_net_parse(j, "t", &net, &e)) {
        printf("Bail out! %s: %s\n", text, e.what);
        exit(1);
    }
    hop_json_free(j);
    return net;
}

static float
at(const float *v, int r, int c, int k)
{
    return v[(r * W + c) * C + k];
}

/* How many of n draws give y = x, y = x mirrored, and neither. */
static void
test_flip(void)
{
    struct hop_net *net = make_net("RandomFlip", "\"mode\":\"horizontal\"");
    int n_same = 0, n_flipped = 0, i, r, c, k;
    bool is_same, is_flipped;

    for (i = 0; i < 400; i++) {
        hop_augment_image(&net->layers[0], 0, true, 77, i, 3, x, y);
        is_same = is_flipped = true;
        for (r = 0; r < H; r++)
            for (c = 0; c < W; c++)
                for (k = 0; k < C; k++) {
                    is_same = is_same && at(y, r, c, k) == at(x, r, c, k);
                    is_flipped = is_flipped && at(y, r, c, k) == at(x, r, W - 1 - c, k);
                }
        n_same += is_same;
        n_flipped += is_flipped;
    }
    ok(n_same + n_flipped == 400 && n_same > 150 && n_flipped > 150,
       "flip: %d as they were, %d mirrored", n_same, n_flipped);
    hop_augment_image(&net->layers[0], 0, false, 77, 0, 3, x, y);
    ok(!memcmp(x, y, sizeof x), "nothing happens outside training");
    hop_net_free(net);
}

/* A shift by exactly one row down and two columns right, with each way of filling. */
static void
test_translation(void)
{
    static const struct {
        const char *fill;
        int r, c; /* where y(0,0) comes from; -1 = the constant 9 */
    } rows[] = {{"reflect", 0, 1}, {"wrap", 4, 4}, {"nearest", 0, 0}, {"constant", -1, -1}};
    char config[300];
    struct hop_net *net;
    bool is_right;
    size_t i;
    int r, c;

    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(config, sizeof config,
                 "\"height_factor\":[0.2,0.2],\"width_factor\":[0.33333333333333333,"
                 "0.33333333333333333],\"fill_mode\":\"%s\",\"fill_value\":9,"
                 "\"interpolation\":\"nearest\"", rows[i].fill);
        net = make_net("RandomTranslation", config);
        hop_augment_image(&net->layers[0], 0, true, 1, 0, 0, x, y);
        for (r = 1, is_right = true; r < H; r++)
            for (c = 2; c < W; c++)
                is_right = is_right && at(y, r, c, 1) == at(x, r - 1, c - 2, 1);
        ok(is_right && at(y, 0, 0, 1) == (rows[i].r < 0 ? 9 : at(x, rows[i].r, rows[i].c, 1)),
           "shift one down, two right, fill %s", rows[i].fill);
        hop_net_free(net);
    }
}

/* Half a turn is an exact reversal; a quarter of a square image too. */
static void
test_rotation(void)
{
    struct hop_net *net = make_net("RandomRotation", "\"factor\":[0.5,0.5]");
    double worst = 0;
    int r, c;

    hop_augment_image(&net->layers[0], 0, true, 1, 0, 0, x, y);
    for (r = 0; r < H; r++)
        for (c = 0; c < W; c++)
            worst = fmax(worst, fabs((double)at(y, r, c, 0) - (double)at(x, H - 1 - r, W - 1 - c, 0)));
    ok(worst < 1e-5, "half a turn: off by %.2g", worst);
    hop_net_free(net);
}

static void
test_zoom(void)
{
    /* zoom +1: y(r, c) = x(2 r - (H-1)/2, 2 c - (W-1)/2): the middle row stays */
    struct hop_net *net = make_net("RandomZoom", "\"height_factor\":[1,1],\"width_factor\":[0,0],"
                                                 "\"fill_mode\":\"constant\"");
    bool is_right = true;
    int c;

    hop_augment_image(&net->layers[0], 0, true, 1, 0, 0, x, y);
    for (c = 0; c < W; c++)
        is_right = is_right && at(y, 2, c, 0) == at(x, 2, c, 0) && at(y, 1, c, 0) == at(x, 0, c, 0) &&
                   at(y, 0, c, 0) == 0;
    ok(is_right, "zoom by two shrinks towards the middle");
    hop_net_free(net);
}

/* One factor for all pixels of an image, within its range, around the channel's mean. */
static void
test_contrast(void)
{
    struct hop_net *net = make_net("RandomContrast", "\"factor\":[0.5,0.2]");
    double mean = 0, worst = 0, f, lowest = 9, highest = 0;
    int i, k;

    for (i = 0; i < N; i += C)
        mean += x[i] / (N / C);
    for (k = 0; k < 200; k++) {
        hop_augment_image(&net->layers[0], 0, true, 1, k, 0, x, y);
        f = (y[0] - mean) / (x[0] - mean);
        lowest = fmin(lowest, f);
        highest = fmax(highest, f);
        for (i = 0; i < N; i += C)
            worst = fmax(worst, fabs(y[i] - (mean + (x[i] - mean) * f)));
    }
    ok(worst < 1e-4 && lowest > 0.4999 && lowest < 0.52 && highest < 1.2001 && highest > 1.18,
       "contrast: factors %.3f to %.3f, off by %.2g", lowest, highest, worst);
    hop_net_free(net);
}

static void
test_crop(void)
{
    struct hop_net *net = make_net("RandomCrop", "\"height\":3,\"width\":4");
    int seen[3][3] = {{0}}, i, r, c, n_seen = 0;

    for (i = 0; i < 300; i++) {
        hop_augment_image(&net->layers[0], 0, true, 5, i, 0, x, y);
        for (r = 0; r < 3; r++)
            for (c = 0; c < 3; c++)
                seen[r][c] += y[0] == at(x, r, c, 0) && y[(2 * 4 + 3) * C] == at(x, r + 2, c + 3, 0);
    }
    for (r = 0; r < 3; r++)
        for (c = 0; c < 3; c++)
            n_seen += seen[r][c] > 10;
    ok(n_seen == 9, "crop: all nine places are taken");
    hop_augment_image(&net->layers[0], 0, false, 5, 0, 0, x, y);
    ok(y[0] == at(x, 1, 1, 0), "the middle outside training");
    hop_net_free(net);
}

int
main(void)
{
    int i;

    for (i = 0; i < N; i++)
        x[i] = (float)((i * 37) % 101);
    test_flip();
    test_translation();
    test_rotation();
    test_zoom();
    test_contrast();
    test_crop();
    return tap_end();
}
