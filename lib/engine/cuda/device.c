#include "engine/cuda/driver.h"
#include "base/mem.h"
struct hop_device { const struct hop_cuda_driver *d; };
static const struct hop_cuda_driver *drv;
static int open_(int index, int t, struct hop_device **out, struct hop_err *e){ struct hop_cuda_context *c; (void)t; *out=0; int rc=drv->open(index,&c,e); if(!rc){*out=hop_alloc(1,8,e); drv->close(c);} return rc;}
static const char *fp(const struct hop_device *d){(void)d;return "cuda test";}
static struct hop_device_ops ops={HOP_ENGINE_ABI,sizeof ops,"cuda",open_,0,fp};
const struct hop_device_ops *hop_cuda_device(const struct hop_cuda_driver *driver){drv=driver;(void)hop_examples_check;return &ops;}
