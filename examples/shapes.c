/* shapes - make a data set of drawn shapes: DIR/train/CLASS/NNNN.png and DIR/val/CLASS/NNNN.png.
 *
 *   shapes -o DIR [-n PER_CLASS] [--val PER_CLASS] [--seed N] [--size PIXELS] [--level 1..3]
 *
 * Ten classes; every picture has its own size, place, rotation, colours, contrast, background,
 * distracting lines and noise. Level 1 is learned in minutes from some thousands of pictures
 * (nearly upright, clear colours), level 3 (the default) is not. The same arguments give the same
 * pictures. It needs libpng and nothing of hop, so it can be copied as a start for other
 * generators.
 */
#include <errno.h>
#include <math.h>
#include <png.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_SIZE = 512, SAMPLES = 4, MAX_LINES = 4 };

#define PI 3.14159265358979323846

/* ---- random numbers: SplitMix64, started afresh for each picture ---- */

static uint64_t state;

static uint64_t
draw(void)
{
    uint64_t z = (state += 0x9E3779B97F4A7C15u);

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static double
uniform(double lo, double hi)
{
    return lo + (hi - lo) * ((double)(draw() >> 11) / 9007199254740992.0);
}

/* ---- shapes: is (x, y) inside? Coordinates from -1 to 1, unrotated ---- */

static int
circle(double x, double y)
{
    return x * x + y * y < 0.72;
}

static int
ring(double x, double y)
{
    double r = x * x + y * y;

    return r < 0.80 && r > 0.30;
}

static int
square(double x, double y)
{
    return fabs(x) < 0.72 && fabs(y) < 0.72;
}

static int
triangle(double x, double y)
{
    return y > -0.55 && y < 0.95 - 1.8 * fabs(x);
}

static int
diamond(double x, double y)
{
    return fabs(x) / 0.55 + fabs(y) / 0.98 < 1;
}

static int
cross(double x, double y)
{
    return (fabs(x) < 0.24 && fabs(y) < 0.88) || (fabs(y) < 0.24 && fabs(x) < 0.88);
}

/* Folded into one tenth of the star: inside the line from a tip to the notch beside it. */
static int
star(double x, double y)
{
    const double tip = 0.98, notch = 0.40;
    double r = sqrt(x * x + y * y), nx = notch * cos(PI / 5), ny = notch * sin(PI / 5), t;

    t = fabs(fmod(atan2(x, y) + 4 * PI + PI / 5, 2 * PI / 5) - PI / 5);
    return (nx - tip) * (r * sin(t)) - ny * (r * cos(t) - tip) > 0;
}

static int
crescent(double x, double y)
{
    double dx = x - 0.42;

    return x * x + y * y < 0.80 && dx * dx + y * y > 0.52;
}

static int
stripes(double x, double y)
{
    return fabs(x) < 0.78 && fabs(y) < 0.78 && fmod(fabs(y) + 0.13, 0.52) < 0.26;
}

static int
heart(double x, double y)
{
    double a = x * 1.25, b = y * 1.25 + 0.15, c = a * a + b * b - 0.75;

    return c * c * c - a * a * b * b * b < 0;
}

static const struct {
    const char *name;
    int (*is_inside)(double x, double y);
} shapes[] = {
    {"circle", circle},   {"crescent", crescent}, {"cross", cross},   {"diamond", diamond},
    {"heart", heart},     {"ring", ring},         {"square", square}, {"star", star},
    {"stripes", stripes}, {"triangle", triangle},
};

/* ---- one picture ---- */

struct line {
    double x, y, dx, dy, half_width, rgb[3];
};

struct scene {
    int i_shape;
    double cx, cy, scale, cos_a, sin_a;
    double ink[3], paper[3], slope[3][2]; /* paper's colour changes across the picture */
    double noise;
    int n_lines;
    struct line lines[MAX_LINES];
};

struct range {
    double lo, hi;
};

static const struct level {
    struct range angle, scale, noise, contrast;
    double faint_frac; /* of the pictures: contrast from 28 to 55 instead */
    double slope;      /* of the paper's colours */
    int n_lines;       /* at most */
} levels[] = {
    {{-0.35, 0.35}, {0.50, 0.85}, {3, 15}, {80, 200}, 0, 20, 1},
    {{0, 2 * PI}, {0.45, 0.85}, {3, 20}, {60, 200}, 0, 20, 2},
    {{0, 2 * PI}, {0.34, 0.78}, {6, 34}, {55, 200}, 0.25, 28, MAX_LINES},
};
static const struct level *level = &levels[2];

static double
within(struct range r)
{
    return uniform(r.lo, r.hi);
}

/* Ink that differs from the paper: sometimes a lot, sometimes hardly. */
static void
choose_colours(struct scene *s)
{
    double want = uniform(0, 1) < level->faint_frac ? uniform(28, 55) : within(level->contrast);
    double distance;
    int k, tries = 0;

    for (k = 0; k < 3; k++)
        s->paper[k] = uniform(20, 235);
    do {
        distance = 0;
        for (k = 0; k < 3; k++) {
            s->ink[k] = uniform(0, 255);
            distance += fabs(s->ink[k] - s->paper[k]) / 3;
        }
    } while (fabs(distance - want) > 15 && ++tries < 2000);
}

static void
make_scene(struct scene *s, int i_shape)
{
    double angle = within(level->angle), a;
    int i, k;

    s->i_shape = i_shape;
    s->scale = within(level->scale);
    s->cx = uniform(-1, 1) * (1 - s->scale) * 0.9;
    s->cy = uniform(-1, 1) * (1 - s->scale) * 0.9;
    s->cos_a = cos(angle);
    s->sin_a = sin(angle);
    s->noise = within(level->noise);
    choose_colours(s);
    for (k = 0; k < 3; k++) {
        s->slope[k][0] = uniform(-level->slope, level->slope);
        s->slope[k][1] = uniform(-level->slope, level->slope);
    }
    s->n_lines = (int)(draw() % ((uint64_t)level->n_lines + 1));
    for (i = 0; i < s->n_lines; i++) {
        a = uniform(0, 2 * PI);
        s->lines[i] = (struct line){.x = uniform(-1, 1),
                                    .y = uniform(-1, 1),
                                    .dx = cos(a),
                                    .dy = sin(a),
                                    .half_width = uniform(0.02, 0.07)};
        for (k = 0; k < 3; k++)
            s->lines[i].rgb[k] = uniform(0, 255);
    }
}

/* The colour at a point, without noise. */
static void
colour_at(const struct scene *s, double x, double y, double rgb[3])
{
    double u = (x - s->cx) / s->scale, v = (y - s->cy) / s->scale, across;
    const struct line *l;
    int i, k, is_ink;

    is_ink = shapes[s->i_shape].is_inside(u * s->cos_a + v * s->sin_a, v * s->cos_a - u * s->sin_a);
    for (k = 0; k < 3; k++)
        rgb[k] = is_ink ? s->ink[k] : s->paper[k] + s->slope[k][0] * x + s->slope[k][1] * y;
    for (i = 0; i < s->n_lines; i++) {
        l = &s->lines[i];
        across = (x - l->x) * l->dy - (y - l->y) * l->dx;
        if (fabs(across) < l->half_width && (i % 2 == 0 || !is_ink))
            memcpy(rgb, l->rgb, sizeof l->rgb);
    }
}

static void
draw_picture(const struct scene *s, int size, uint8_t *out)
{
    double rgb[3], sum[3], noise, v;
    int x, y, k, i;

    for (y = 0; y < size; y++)
        for (x = 0; x < size; x++, out += 3) {
            memset(sum, 0, sizeof sum);
            for (i = 0; i < SAMPLES * SAMPLES; i++) {
                colour_at(s, 2 * (x + (i % SAMPLES + 0.5) / SAMPLES) / size - 1,
                          2 * (y + (i / SAMPLES + 0.5) / SAMPLES) / size - 1, rgb);
                for (k = 0; k < 3; k++)
                    sum[k] += rgb[k] / (SAMPLES * SAMPLES);
            }
            noise = uniform(-1, 1); /* shared by the channels, plus each one's own */
            for (k = 0; k < 3; k++) {
                v = sum[k] + s->noise * (noise + uniform(-1, 1));
                out[k] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5);
            }
        }
}

/* ---- files ---- */

static void
die(const char *path, const char *what)
{
    fprintf(stderr, "shapes: %s: %s\n", path, what);
    exit(1);
}

static void
make_dir(const char *path)
{
    if (mkdir(path, 0777) && errno != EEXIST)
        die(path, strerror(errno));
}

static void
write_png(const char *path, int size, const uint8_t *pixels)
{
    png_image image;

    memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    image.width = image.height = (png_uint_32)size;
    image.format = PNG_FORMAT_RGB;
    if (!png_image_write_to_file(&image, path, 0, pixels, 0, NULL))
        die(path, image.message);
}

static void
make_split(const char *dir, const char *split, int per_class, int size, uint64_t seed)
{
    static uint8_t pixels[MAX_SIZE * MAX_SIZE * 3];
    char path[4096];
    struct scene s;
    size_t c;
    int i;

    snprintf(path, sizeof path, "%s/%s", dir, split);
    make_dir(path);
    for (c = 0; c < sizeof shapes / sizeof *shapes; c++) {
        snprintf(path, sizeof path, "%s/%s/%s", dir, split, shapes[c].name);
        make_dir(path);
        for (i = 0; i < per_class; i++) {
            state = seed ^ (uint64_t)split[0] << 56 ^ (uint64_t)c << 40 ^ (uint64_t)i;
            state = draw();
            make_scene(&s, (int)c);
            draw_picture(&s, size, pixels);
            snprintf(path, sizeof path, "%s/%s/%s/%04d.png", dir, split, shapes[c].name, i);
            write_png(path, size, pixels);
        }
    }
}

static long
number(const char *name, const char *text, long lo, long hi)
{
    char *end;
    long v;

    errno = 0;
    v = text ? strtol(text, &end, 10) : 0;
    if (!text || end == text || *end || errno || v < lo || v > hi) {
        fprintf(stderr, "shapes: %s needs a number from %ld to %ld\n", name, lo, hi);
        exit(2);
    }
    return v;
}

int
main(int argc, char **argv)
{
    const char *dir = NULL;
    long n = 500, n_val = -1, seed = 1, size = 32;
    int i;

    for (i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;

        if (!strcmp(argv[i], "-o"))
            dir = value;
        else if (!strcmp(argv[i], "-n"))
            n = number("-n", value, 1, 9999);
        else if (!strcmp(argv[i], "--val"))
            n_val = number("--val", value, 0, 9999);
        else if (!strcmp(argv[i], "--seed"))
            seed = number("--seed", value, 0, 1000000000);
        else if (!strcmp(argv[i], "--size"))
            size = number("--size", value, 8, MAX_SIZE);
        else if (!strcmp(argv[i], "--level"))
            level = &levels[number("--level", value, 1, 3) - 1];
        else
            dir = NULL, i = argc;
    }
    if (!dir) {
        fprintf(stderr, "usage: shapes -o DIR [-n PER_CLASS] [--val PER_CLASS] [--seed N] "
                        "[--size PIXELS] [--level 1..3]\n");
        return 2;
    }
    make_dir(dir);
    make_split(dir, "train", (int)n, (int)size, (uint64_t)seed);
    if (n_val != 0)
        make_split(dir, "val", (int)(n_val < 0 ? (n + 4) / 5 : n_val), (int)size, (uint64_t)seed);
    return 0;
}
