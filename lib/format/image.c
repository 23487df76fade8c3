#include "format/image.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <png.h>
#include <jpeglib.h>
#include <jerror.h>

#include "base/io.h"
#include "base/mem.h"

/* Contents: 1 what both share, 2 PNG, 3 JPEG, 4 size and channels */

/* ---- 1 what both share ---- */

enum { MAX_JPEG_SCANS = 500, MAX_PNG_CHUNK_BYTES = 8 << 20 };

static const char corrupt_hint[] = "a corrupt picture? --skip-bad leaves such files out";

static int
corrupt(struct hop_err *e, const char *where, const char *format, const char *what)
{
    return hop_fail(e, HOP_EFORMAT, where, corrupt_hint, "%s: %s", format, what);
}

static int
new_pixels(struct hop_image *img, int64_t h, int64_t w, int64_t c, const char *where,
           struct hop_err *e)
{
    if (h < 1 || w < 1 || h > HOP_IMAGE_MAX_SIDE || w > HOP_IMAGE_MAX_SIDE ||
        h * w > HOP_IMAGE_MAX_PIXELS)
        return hop_fail(e, HOP_EFORMAT, where, "at most 65536 a side and 67108864 pixels",
                        "a picture of %lldx%lld is too large", (long long)h, (long long)w);
    img->h = h;
    img->w = w;
    img->c = c;
    img->pixels = hop_alloc((size_t)(h * w), (size_t)c, e);
    return img->pixels ? HOP_OK : HOP_ENOMEM;
}

static bool
is_png(const uint8_t *p, size_t n)
{
    return n >= 8 && !memcmp(p, "\x89PNG\r\n\x1a\n", 8);
}

static bool
is_jpeg(const uint8_t *p, size_t n)
{
    return n >= 3 && p[0] == 0xFF && p[1] == 0xD8 && p[2] == 0xFF;
}

bool
hop_image_is_known(const void *bytes, size_t n)
{
    return is_png(bytes, n) || is_jpeg(bytes, n);
}

/* ---- 2 PNG ---- */

/* Lives outside the frame that calls setjmp, so that nothing in it is lost by longjmp. */
struct png_job {
    const uint8_t *bytes;
    size_t n, at;
    const char *where;
    struct hop_image *img;
    png_bytep *rows; /* [h] into pixels, or into `wide` */
    uint8_t *wide;   /* [h,w,c+1] with alpha, or NULL */
    struct hop_err *e;
    int rc;
};

static void
on_png_error(png_structp png, png_const_charp text)
{
    struct png_job *job = png_get_error_ptr(png);

    job->rc = corrupt(job->e, job->where, "PNG", text);
    png_longjmp(png, 1);
}

static void
on_png_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text; /* things libpng mended by itself, in chunks that are not the picture */
}

static void
on_png_read(png_structp png, png_bytep to, size_t n)
{
    struct png_job *job = png_get_io_ptr(png);

    if (n > job->n - job->at)
        png_error(png, "the file ends early");
    memcpy(to, job->bytes + job->at, n);
    job->at += n;
}

/* Ask libpng for 8-bit grey, grey + alpha, RGB or RGBA; returns the channels. */
static int
png_setup(png_structp png, png_infop info)
{
    png_read_info(png, info);
    png_set_expand(png); /* palette to RGB, 1-2-4 bit to 8, tRNS to alpha */
    png_set_scale_16(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    return png_get_channels(png, info);
}

/* Lay h * w pixels of c + 1 channels over white. */
static void
drop_alpha(const uint8_t *wide, struct hop_image *img)
{
    int64_t i, k, n = img->h * img->w, c = img->c;
    unsigned a;

    for (i = 0; i < n; i++) {
        a = wide[i * (c + 1) + c];
        for (k = 0; k < c; k++)
            img->pixels[i * c + k] =
                (uint8_t)((wide[i * (c + 1) + k] * a + 255 * (255 - a) + 127) / 255);
    }
}

/* What runs under setjmp: everything that can fail inside libpng. */
static int
png_run(png_structp png, png_infop info, struct png_job *job)
{
    int c = png_setup(png, info);
    int64_t i, h = png_get_image_height(png, info), w = png_get_image_width(png, info);
    bool has_alpha = c == 2 || c == 4;
    size_t stride = (size_t)w * (size_t)c;

    if (png_get_rowbytes(png, info) != stride || c < 1 || c > 4)
        return corrupt(job->e, job->where, "PNG", "unknown kind of pixels");
    job->rc = new_pixels(job->img, h, w, has_alpha ? c - 1 : c, job->where, job->e);
    if (job->rc)
        return job->rc;
    job->rows = hop_alloc((size_t)h, sizeof *job->rows, job->e);
    job->wide = has_alpha ? hop_alloc((size_t)h, stride, job->e) : NULL;
    if (!job->rows || (has_alpha && !job->wide))
        return HOP_ENOMEM;
    for (i = 0; i < h; i++)
        job->rows[i] = (job->wide ? job->wide : job->img->pixels) + (size_t)i * stride;
    png_read_image(png, job->rows);
    png_read_end(png, NULL);
    if (has_alpha)
        drop_alpha(job->wide, job->img);
    return HOP_OK;
}

static int
decode_png(struct png_job *job)
{
    png_infop info = NULL;
    png_structp png =
        png_create_read_struct(PNG_LIBPNG_VER_STRING, job, on_png_error, on_png_warning);

    if (png)
        info = png_create_info_struct(png);
    if (!info) {
        png_destroy_read_struct(&png, NULL, NULL);
        return hop_fail(job->e, HOP_ENOMEM, job->where, NULL, "out of memory (libpng)");
    }
    if (!setjmp(png_jmpbuf(png))) {
        png_set_read_fn(png, job, on_png_read);
        png_set_user_limits(png, HOP_IMAGE_MAX_SIDE, HOP_IMAGE_MAX_SIDE);
        png_set_chunk_malloc_max(png, MAX_PNG_CHUNK_BYTES);
        png_set_chunk_cache_max(png, 100);
        job->rc = png_run(png, info, job);
    }
    png_destroy_read_struct(&png, &info, NULL);
    free(job->rows);
    free(job->wide);
    return job->rc;
}

/* ---- 3 JPEG ---- */

struct jpeg_job {
    struct jpeg_error_mgr mgr; /* first: libjpeg knows only this */
    struct jpeg_progress_mgr progress;
    jmp_buf jump;
    const uint8_t *bytes;
    size_t n;
    const char *where;
    struct hop_image *img;
    uint8_t *row; /* one CMYK row, or NULL */
    struct hop_err *e;
    int rc;
};

static void
on_jpeg_error(j_common_ptr c)
{
    struct jpeg_job *job = (struct jpeg_job *)c->err;
    char text[JMSG_LENGTH_MAX];

    c->err->format_message(c, text);
    job->rc = corrupt(job->e, job->where, "JPEG", text);
    longjmp(job->jump, 1);
}

/* libjpeg goes on after damage and paints grey: damage is an error here. Odd headers and bytes
 * between markers, which many cameras write, are not damage. */
static void
on_jpeg_message(j_common_ptr c, int level)
{
    switch (level < 0 ? c->err->msg_code : 0) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_BOGUS_PROGRESSION:
        on_jpeg_error(c);
        break;
    default:
        break;
    }
}

static void
on_jpeg_output(j_common_ptr c)
{
    (void)c;
}

/* A few bytes can declare thousands of scans over a huge picture: hours of work. */
static void
on_jpeg_progress(j_common_ptr c)
{
    struct jpeg_job *job = (struct jpeg_job *)c->err;

    if (c->is_decompressor && ((j_decompress_ptr)c)->input_scan_number > MAX_JPEG_SCANS) {
        job->rc = corrupt(job->e, job->where, "JPEG", "too many scans");
        longjmp(job->jump, 1);
    }
}

/* One row of CMYK to RGB. Adobe writes inks inverted (255 = none). */
static void
cmyk_row(const uint8_t *in, bool is_inverted, int64_t w, uint8_t *out)
{
    int64_t i;
    int k;
    unsigned ink, key;

    for (i = 0; i < w; i++) {
        key = is_inverted ? in[4 * i + 3] : 255u - in[4 * i + 3];
        for (k = 0; k < 3; k++) {
            ink = is_inverted ? in[4 * i + k] : 255u - in[4 * i + k];
            out[3 * i + k] = (uint8_t)((ink * key + 127) / 255);
        }
    }
}

static int
jpeg_run(j_decompress_ptr d, struct jpeg_job *job)
{
    bool is_cmyk;
    uint8_t *to;

    jpeg_mem_src(d, (unsigned char *)job->bytes, job->n);
    jpeg_read_header(d, TRUE);
    if (d->num_components != 1 && d->num_components != 3 && d->num_components != 4)
        return corrupt(job->e, job->where, "JPEG", "unknown number of colours");
    is_cmyk = d->num_components == 4;
    d->out_color_space = is_cmyk ? JCS_CMYK : d->num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    d->dct_method = JDCT_ISLOW; /* exact integers: the same pixels on every machine */
    job->rc = new_pixels(job->img, d->image_height, d->image_width, is_cmyk ? 3 : d->num_components,
                         job->where, job->e);
    if (job->rc)
        return job->rc;
    if (is_cmyk && !(job->row = hop_alloc((size_t)job->img->w, 4, job->e)))
        return HOP_ENOMEM;
    jpeg_start_decompress(d);
    while (d->output_scanline < d->output_height) {
        to = job->img->pixels + (size_t)d->output_scanline * (size_t)(job->img->w * job->img->c);
        if (!is_cmyk) {
            jpeg_read_scanlines(d, &to, 1);
        } else {
            jpeg_read_scanlines(d, &job->row, 1);
            cmyk_row(job->row, d->saw_Adobe_marker, job->img->w, to);
        }
    }
    jpeg_finish_decompress(d);
    return HOP_OK;
}

static int
decode_jpeg(struct jpeg_job *job)
{
    struct jpeg_decompress_struct d;

    memset(&d, 0, sizeof d);
    d.err = jpeg_std_error(&job->mgr);
    job->mgr.error_exit = on_jpeg_error;
    job->mgr.emit_message = on_jpeg_message;
    job->mgr.output_message = on_jpeg_output;
    if (!setjmp(job->jump)) {
        jpeg_create_decompress(&d);
        job->progress.progress_monitor = on_jpeg_progress;
        d.progress = &job->progress;
        job->rc = jpeg_run(&d, job);
    }
    jpeg_destroy_decompress(&d);
    free(job->row);
    return job->rc;
}

int
hop_image_decode(const void *bytes, size_t n, const char *where, struct hop_image *img,
                 struct hop_err *e)
{
    struct png_job png = {.bytes = bytes, .n = n, .where = where, .img = img, .e = e};
    struct jpeg_job jpeg = {.bytes = bytes, .n = n, .where = where, .img = img, .e = e};
    int rc;

    *img = (struct hop_image){0};
    if (is_png(bytes, n))
        rc = decode_png(&png);
    else if (is_jpeg(bytes, n))
        rc = decode_jpeg(&jpeg);
    else
        rc = hop_fail(e, HOP_EFORMAT, where, "--skip-bad leaves such files out",
                      n ? "neither PNG nor JPEG" : "an empty file is no picture");
    if (rc)
        hop_image_clear(img);
    return rc;
}

int
hop_image_read(const char *path, struct hop_image *img, struct hop_err *e)
{
    char *bytes;
    size_t n;
    int rc;

    *img = (struct hop_image){0};
    if ((rc = hop_read_file(path, HOP_IMAGE_MAX_BYTES, &bytes, &n, e)))
        return rc;
    rc = hop_image_decode(bytes, n, path, img, e);
    free(bytes);
    return rc;
}

void
hop_image_clear(struct hop_image *img)
{
    free(img->pixels);
    *img = (struct hop_image){0};
}

/* ---- 4 size and channels ---- */

enum { WEIGHT_BITS = 22 };

/* For each of n_out places: the first of `taps` inputs and their integer weights. */
struct filter {
    int64_t taps;
    int64_t *first;
    int32_t *weights; /* [n_out, taps], unused ones 0 */
};

static void
filter_clear(struct filter *f)
{
    free(f->first);
    free(f->weights);
}

static int
filter_init(struct filter *f, int64_t n_in, int64_t n_out, struct hop_err *e)
{
    double scale = (double)n_in / (double)n_out, support = scale < 1 ? 1 : scale, centre, sum, x;
    double *w;
    int64_t i, k, lo, hi;

    f->taps = (int64_t)support * 2 + 3;
    f->first = hop_alloc((size_t)n_out, sizeof *f->first, e);
    f->weights = hop_alloc((size_t)n_out * (size_t)f->taps, sizeof *f->weights, e);
    w = hop_alloc((size_t)f->taps, sizeof *w, e);
    for (i = 0; i < n_out && f->first && f->weights && w; i++) {
        centre = ((double)i + 0.5) * scale;
        lo = (int64_t)(centre - support + 0.5);
        hi = (int64_t)(centre + support + 0.5);
        lo = lo < 0 ? 0 : lo;
        hi = hi > n_in ? n_in : hi;
        for (sum = 0, k = 0; k < hi - lo; k++) {
            x = ((double)(k + lo) - centre + 0.5) / support;
            x = x < 0 ? -x : x;
            w[k] = x < 1 ? 1 - x : 0;
            sum += w[k];
        }
        f->first[i] = lo;
        for (k = 0; k < hi - lo; k++)
            f->weights[i * f->taps + k] = (int32_t)(w[k] / sum * (1 << WEIGHT_BITS) + 0.5);
    }
    free(w);
    return f->first && f->weights && w ? HOP_OK : HOP_ENOMEM;
}

/* Resize one axis: in [n_lines, n_in, step] to out [n_lines, n_out, step]; a value is `step` bytes
 * apart from its neighbour on the axis. */
static void
filter_run(const struct filter *f, const uint8_t *in, int64_t n_lines, int64_t n_in, int64_t n_out,
           int64_t step, uint8_t *out)
{
    int64_t line, i, k, s, n, sum;
    const uint8_t *p;
    const int32_t *w;

    for (line = 0; line < n_lines; line++, in += n_in * step, out += n_out * step) {
        for (i = 0; i < n_out; i++) {
            w = f->weights + i * f->taps;
            p = in + f->first[i] * step;
            n = n_in - f->first[i] < f->taps ? n_in - f->first[i] : f->taps;
            for (s = 0; s < step; s++) {
                sum = 1 << (WEIGHT_BITS - 1);
                for (k = 0; k < n; k++)
                    sum += (int64_t)w[k] * p[k * step + s];
                sum >>= WEIGHT_BITS;
                out[i * step + s] = (uint8_t)(sum > 255 ? 255 : sum);
            }
        }
    }
}

int
hop_image_resize(struct hop_image *img, int64_t h, int64_t w, struct hop_err *e)
{
    struct filter across = {0}, down = {0};
    uint8_t *mid = NULL, *out = NULL;
    int rc = HOP_ENOMEM;

    if (img->h == h && img->w == w)
        return HOP_OK;
    if (filter_init(&across, img->w, w, e) || filter_init(&down, img->h, h, e))
        goto out;
    mid = hop_alloc((size_t)(img->h * w), (size_t)img->c, e);
    out = hop_alloc((size_t)(h * w), (size_t)img->c, e);
    if (!mid || !out)
        goto out;
    filter_run(&across, img->pixels, img->h, img->w, w, img->c, mid);
    filter_run(&down, mid, 1, img->h, h, w * img->c, out);
    free(img->pixels);
    img->pixels = out;
    img->h = h;
    img->w = w;
    out = NULL;
    rc = HOP_OK;
out:
    filter_clear(&across);
    filter_clear(&down);
    free(mid);
    free(out);
    return rc;
}

int
hop_image_set_channels(struct hop_image *img, int64_t c, struct hop_err *e)
{
    int64_t i, n = img->h * img->w;
    const uint8_t *p = img->pixels;
    uint8_t *out;

    if (img->c == c)
        return HOP_OK;
    if (!(out = hop_alloc((size_t)n, (size_t)c, e)))
        return HOP_ENOMEM;
    for (i = 0; i < n; i++) {
        if (c == 3)
            out[3 * i] = out[3 * i + 1] = out[3 * i + 2] = p[i];
        else
            out[i] =
                (uint8_t)((299 * p[3 * i] + 587 * p[3 * i + 1] + 114 * p[3 * i + 2] + 500) / 1000);
    }
    free(img->pixels);
    img->pixels = out;
    img->c = c;
    return HOP_OK;
}
