# cuda.mk - what the device cuda needs of the Makefile: is the CUDA Toolkit here, the plugin, its tests.

# The CUDA Toolkit 12 or newer, as a folder; without it there is no plugin for the device "cuda". No
# tool is linked with it. cuDNN often lies in a Python package only.
CUDA := $(patsubst %/bin/nvcc,%,$(firstword $(wildcard /usr/local/cuda/bin/nvcc /opt/cuda/bin/nvcc) \
	$(shell command -v nvcc 2>/dev/null)))
CUDA_VERSION := $(if $(CUDA),$(shell $(CUDA)/bin/nvcc --version 2>/dev/null | \
	sed -n 's/.*release \([0-9]*\.[0-9]*\).*/\1/p'))
HAS_CUDA = $(filter-out 1.% 2.% 3.% 4.% 5.% 6.% 7.% 8.% 9.% 10.% 11.%,$(CUDA_VERSION))
CUDNN_DIR ?= $(firstword $(wildcard $(if $(VIRTUAL_ENV),$(VIRTUAL_ENV)/lib/python3*/site-packages/nvidia/cudnn) \
	/usr/local/lib/python3*/*-packages/nvidia/cudnn /usr/lib/python3*/*-packages/nvidia/cudnn))
CUDA_CFLAGS = -isystem $(CUDA)/include $(if $(CUDNN_DIR),-isystem $(CUDNN_DIR)/include)
CUDNN := $(if $(HAS_CUDA),$(shell printf '%s\n' '$(hash)include <cudnn_version.h>' \
	'hop_found CUDNN_MAJOR CUDNN_MINOR CUDNN_PATCHLEVEL' | $(CC) $(CPPFLAGS) $(CUDA_CFLAGS) -E -P - 2>/dev/null \
	| sed -n '/^hop_found 9/{s/^hop_found //;s/ /./g;p;}'))
# Machine code for these, and PTX of the oldest for whatever else there is and will be.
CUDA_ARCHS = 80 90a $(if $(filter-out 12.0 12.1 12.2 12.3 12.4 12.5 12.6,$(CUDA_VERSION)),100)
CUDA_TEXT = $(if $(HAS_CUDA),CUDA $(CUDA_VERSION) $(if $(CUDNN),with cuDNN $(CUDNN),without cuDNN: no bf16 there) (plugin \
	of the device cuda),no CUDA Toolkit: no device cuda)

# ---- files ----

# lib/engine/cuda: the device, of which tests run all but the GPU; gpu/ needs the toolkit's headers.
CUDA_SRC := $(filter-out %_host.c,$(wildcard lib/engine/cuda/*.c)) $(wildcard lib/engine/cuda/gpu/*.c)
CUDA_SRC := $(if $(CUDNN),$(CUDA_SRC),$(filter-out %/cudnn.c %/conv_plan.c %/plan_set.c %/blas.c %/fast_cudnn.c,$(CUDA_SRC)) \
	$(wildcard lib/engine/cuda/gpu/absent/*.c))
PLUGINS = $(if $(and $(HAS_CUDA),$(wildcard lib/engine/cuda/device.c)),$B/lib/hop/hop-cuda.so)
CUDA_UNIT := $(if $(HAS_CUDA),$(patsubst test/unit/cuda/%.c,$B/test/%,$(filter-out $(if $(CUDNN),,%/t_conv_plan.c %/t_conv_gpu.c %/t_blas.c),\
	$(wildcard test/unit/cuda/t_*.c))))

# ---- the plugin ----

# The library once more, to be loaded anywhere; of it the plugin takes what it calls. Without sanitizers,
# which would keep the rest, too, and what that wants.
PIC_CFLAGS = $(filter-out $(HOP_SAN),$(HOP_CFLAGS))
PIC_SRC = $(CUDA_SRC) $(wildcard lib/base/*.c lib/net/*.c) lib/engine/examples.c lib/engine/augment.c lib/engine/ref/ref_loss.c
PIC_OBJ = $(PIC_SRC:%.c=$B/pic/%.o)
CUDA_OBJ = $(CUDA_SRC:%.c=$B/pic/%.o) $(patsubst %,$B/pic/%.o,$(wildcard lib/engine/cuda/*.cu))
NVCCFLAGS = -std=c++17 -O3 -fmad=false -Ilib $(foreach a,$(CUDA_ARCHS),-gencode arch=compute_$a$(comma)code=sm_$a) \
	-gencode arch=compute_80$(comma)code=compute_80 $(if $(DEV),-Werror all-warnings) \
	-Xptxas -v -Xcompiler -fPIC$(comma)-fvisibility=hidden$(comma)-ffp-contract=off$(comma)-fno-exceptions$(comma)-fno-threadsafe-statics
$B/pic/%.o: %.c $B/flags
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$Q$(CC) $(PIC_CFLAGS) -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections $(CFLAGS) $(FAST_CFLAGS) \
		$(CUDA_CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<
# What ptxas says of each kernel stays beside the object, for test/cuda.bats.
$B/pic/%.cu.o: %.cu $B/flags
	@mkdir -p $(@D)
	$(call say,NVCC,$<)
	$Q$(CUDA)/bin/nvcc -ccbin $(CC) $(NVCCFLAGS) -MD -MP -MF $(@:.o=.d) -c -o $@ $< >$(@:.o=.ptxas) 2>&1 || \
		{ grep -v 'ptxas info' $(@:.o=.ptxas) >&2; exit 1; }
$B/pic/libhop.list: TEXT = $(PIC_OBJ)
$B/pic/libhop.a: $(PIC_OBJ)
$B/lib/hop/hop-cuda.so: $(CUDA_OBJ) $B/pic/libhop.a lib/engine/cuda/gpu/plugin.map
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$Q$(CC) -shared $(CFLAGS) $(LDFLAGS) -o $@.new $(CUDA_OBJ) $B/pic/libhop.a -Wl,--gc-sections \
		-Wl,--version-script=lib/engine/cuda/gpu/plugin.map -Wl,-z,defs \
		-L$(CUDA)/lib64 -lcudart_static -lrt -lpthread -ldl -lm && mv $@.new $@
# With the plugin's own parts: on a GPU.
$B/test/t_conv_gpu: $B/test/unit/cuda/t_conv_gpu.o $(CUDA_OBJ) $B/pic/libhop.a $B/libhop.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$Q$(CC) $(HOP_LDFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(CUDA_OBJ) $B/pic/libhop.a $B/libhop.a $(PKG_LIBS) \
		-L$(CUDA)/lib64 -lcudart_static -lrt -lpthread -ldl -lm
$(filter-out %/t_conv_gpu,$(CUDA_UNIT)): $B/test/%: $B/test/unit/cuda/%.o $B/pic/libhop.a $B/libhop-engine.a $B/libhop.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$Q$(CC) $(HOP_LDFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $B/pic/libhop.a $(filter %cuda-host.a,$^) $B/libhop-engine.a $B/libhop.a $(PKG_LIBS) $(DNNL_LIBS) -ldl -lm
$B/test/unit/cuda/%.o: FLAGS_HERE = $(CUDA_CFLAGS) -DSTUB='"$(CUDA)/lib64/stubs/libcuda.so"'
# A libcuda.so.1 that writes down what it is asked.
$B/test/t_driver_cuda: $B/test/fake/libcuda.so.1
$B/test/fake/libcuda.so.1: test/unit/cuda/fake_libcuda.c test/unit/cuda/fake.h $B/flags
	@mkdir -p $(@D)
	$Q$(CC) -std=c11 -D_DEFAULT_SOURCE $(HOP_WARN) -fPIC -shared $(CFLAGS) $(CUDA_CFLAGS) -o $@ $<
# A libcublasLt that multiplies in plain loops.
CUDA_MAJOR = $(firstword $(subst ., ,$(CUDA_VERSION)))
$B/test/t_blas: $B/libhop-cuda-host.a $B/test/fake/libcublasLt.so.$(CUDA_MAJOR)
$B/test/unit/cuda/t_blas.o: FLAGS_HERE += -DFAKE_DIR='"$(abspath $B)/test/fake"' -DFAKE_LT='"libcublasLt.so.$(CUDA_MAJOR)"'
$B/test/fake/libcublasLt.so.%: test/unit/cuda/fake_cublaslt.c $B/flags
	@mkdir -p $(@D)
	$Q$(CC) -std=c11 -D_DEFAULT_SOURCE $(filter-out -Wmissing-prototypes,$(HOP_WARN)) -fPIC -shared $(CFLAGS) $(CUDA_CFLAGS) -o $@ $<

# ---- the plugin of host memory, for tests; needs no toolkit ----

TEST_PLUGIN = $B/test/plugin/hop-cuda.so
TEST_PLUGIN_OBJ := $(patsubst %.c,$B/pic/%.o,$(shell grep -L 'include <cu' lib/engine/cuda/*.c) $(wildcard lib/base/*.c lib/net/*.c) \
	lib/engine/examples.c lib/engine/augment.c lib/engine/ref/ref_loss.c test/unit/cuda/host_plugin.c)
$(TEST_PLUGIN): $(TEST_PLUGIN_OBJ) lib/engine/cuda/gpu/plugin.map
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$Q$(CC) -shared $(CFLAGS) $(LDFLAGS) -o $@.new $(TEST_PLUGIN_OBJ) -Wl,--gc-sections \
		-Wl,--version-script=lib/engine/cuda/gpu/plugin.map -Wl,-z,defs -lpthread -ldl -lm && mv $@.new $@
