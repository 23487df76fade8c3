/* library - shared libraries of others, opened at run time. */
#ifndef HOP_ENGINE_CUDA_GPU_LIBRARY_H
#define HOP_ENGINE_CUDA_GPU_LIBRARY_H

#include <stddef.h>

/* A function of a library and where its pointer goes in a table. */
struct hop_cuda_symbol {
    const char *name;
    size_t offset;
};

/* hop_cuda_library_dirs - absolute folders, ':' between them, that come before the system's places
 * (kept, not copied). */
void hop_cuda_library_dirs(const char *dirs);

/* hop_cuda_library_open - dlopen `name` from those folders, else from where the system looks. NULL:
 * *why says why not (the loader's text, until the next call). Never closed. */
void *hop_cuda_library_open(const char *name, const char **why);

/* hop_cuda_library_symbols - fill `table`. NULL, or the first name that the library lacks. */
const char *hop_cuda_library_symbols(void *so, const struct hop_cuda_symbol *rows, size_t n,
                                     void *table);

#endif
