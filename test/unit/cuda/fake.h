/* fake - what t_driver_cuda asks of its libcuda.so.1 (fake_libcuda.c), looked up with dlsym. */
#ifndef HOP_TEST_FAKE_H
#define HOP_TEST_FAKE_H

struct fake {
    int n_devices, capability, version;                              /* what it says */
    int n_contexts, n_buffers, n_streams, n_events, n_graphs;        /* open now */
    char log[1 << 16];
};

struct fake *fake_state(void);

/* fake_fail - the next call of this function returns `result`. */
void fake_fail(const char *function, int result);

#endif
