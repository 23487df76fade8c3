# hop - build, test, install. `make help` lists the targets.
#
# Overrides go on the command line or into config.mk (not tracked): CC CFLAGS LDFLAGS PREFIX
# DESTDIR B (build folder) SAN=address,undefined DEV=1 (warnings are errors) V=1 (show commands)
# DNNL= (build without oneDNN) CUDA= (without the device cuda), CUDA=/DIR (the toolkit there),
# CUDNN_DIR=/DIR (cuDNN there: include/cudnn.h).

VERSION = 0.1.0

-include config.mk

CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
DATADIR ?= $(PREFIX)/share
PLUGINDIR ?= $(PREFIX)/lib/hop
MANDIR ?= $(DATADIR)/man
comma := ,
B ?= build$(if $(SAN),-$(subst $(comma),-,$(SAN)))
PKG_CONFIG ?= pkg-config
Q = $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))

# ---- what is on this machine ----

need = $(shell $(PKG_CONFIG) --atleast-version=$(2) $(1) 2>/dev/null && echo yes)
LIBS_NEEDED = jansson:2.7 libpng:1.6 libjpeg:0 libarchive:3.3 libxxhash:0.8 zlib:1.2
MISSING := $(strip $(foreach l,$(LIBS_NEEDED),\
	$(if $(call need,$(word 1,$(subst :, ,$l)),$(word 2,$(subst :, ,$l))),,$(subst :, >= ,$l))))
PKGS = jansson libpng libjpeg libarchive libxxhash zlib
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null)
# oneDNN 2 or 3 with OpenMP threads, as "3.7.2"; without it there is no device "cpu".
hash := \#
DNNL := $(shell printf '%s\n' '$(hash)include <oneapi/dnnl/dnnl.h>' \
	'$(hash)if (DNNL_VERSION_MAJOR == 2 || DNNL_VERSION_MAJOR == 3) && DNNL_CPU_RUNTIME == DNNL_RUNTIME_OMP' \
	'hop_found DNNL_VERSION_MAJOR DNNL_VERSION_MINOR DNNL_VERSION_PATCH' '$(hash)endif' \
	| $(CC) $(CPPFLAGS) -E -P - 2>/dev/null | sed -n '/^hop_found/{s/^hop_found //;s/ /./g;p;}')
DNNL_MAJOR = $(firstword $(subst ., ,$(DNNL)))
# Loaded when a device cpu is opened, not linked (lib/engine/cpu/dn_load.h says why).
# Debian's is libdnnl.so.3.6 where the makers' is libdnnl.so.3, so the library is asked for its name.
DNNL_SO := $(if $(DNNL),$(shell LC_ALL=C readelf -d "`$(CC) $(LDFLAGS) -print-file-name=libdnnl.so`" 2>/dev/null \
	| sed -n 's/.*(SONAME).*\[\(libdnnl\.so[^]]*\)\].*/\1/p'))
DNNL_FILE ?= $(or $(DNNL_SO),libdnnl.$(if $(filter Darwin,$(shell uname -s)),$(DNNL_MAJOR).dylib,so.$(DNNL_MAJOR)))
# LeakSanitizer falls over threads that use what was loaded later, so there it comes with the program.
DNNL_LIBS = $(if $(DNNL),-lgomp -ldl $(if $(SAN),-Wl$(comma)--no-as-needed -ldnnl -Wl$(comma)--as-needed))
DNNL_TEXT = $(if $(DNNL),oneDNN $(DNNL) (device cpu),no oneDNN: no device cpu)
# The device's own loops share oneDNN's threads, which are libgomp's: clang's would be others, so
# there these loops run on one thread.
OMP_CFLAGS := $(if $(shell $(CC) --version 2>/dev/null | grep -i clang),-Wno-unknown-pragmas,-fopenmp)

# xxHash built with a choice by the processor at run time digests three times as fast with AVX2.
XXHASH := $(shell printf '%s\n' '$(hash)include <xxh_x86dispatch.h>' 'int main(void) { return (int)XXH3_128bits("", 0).low64; }' \
	| $(CC) $(PKG_CFLAGS) $(CPPFLAGS) $(CFLAGS) -x c -o /dev/null - $(LDFLAGS) $(PKG_LIBS) 2>/dev/null && echo xxh_x86dispatch.h || echo xxhash.h)

# ---- flags ----

HOP_WARN = -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wno-missing-field-initializers -Wpointer-arith -Wformat=2 \
	$(if $(DEV),-Werror)
HOP_SAN = $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
# -ffp-contract=off: fused multiply-add only where the source says fmaf, or bits would depend on
# the compiler and the machine.
HOP_CFLAGS = -std=c11 -D_XOPEN_SOURCE=700 -D_DEFAULT_SOURCE -ffp-contract=off -fno-fast-math \
	-Ilib -Itools $(HOP_WARN) $(PKG_CFLAGS) $(HOP_SAN)
HOP_LDFLAGS = $(HOP_SAN)
# Loops over channels are written so that vectorising them changes no order of operations.
FAST_CFLAGS = -O3 -fno-math-errno -fno-trapping-math

include lib/engine/cuda/gpu/cuda.mk

# ---- files ----

TOOLS = hop-shard hop-search hop-schedule hop-visit hop-train hop-eval hop-verify
SCRIPTS = hop-run
LIB_SRC := $(wildcard lib/base/*.c lib/format/*.c lib/net/*.c lib/run/*.c lib/search/*.c lib/schedule/*.c)
ENGINE_SRC := $(wildcard lib/engine/*.c lib/engine/ref/*.c) \
	$(if $(DNNL),$(filter-out lib/engine/cpu/dn_v%,$(wildcard lib/engine/cpu/*.c)) lib/engine/cpu/dn_v$(DNNL_MAJOR).c,\
		$(wildcard lib/engine/cpu/absent/*.c))
LIB_OBJ = $(LIB_SRC:%.c=$B/%.o)
ENGINE_OBJ = $(ENGINE_SRC:%.c=$B/%.o)
# The device cuda but for what needs CUDA's headers, with the driver that is checked host memory: for
# tests alone, on every machine.
CUDA_HOST_OBJ := $(patsubst %.c,$B/%.o,$(shell grep -L 'include <cu' lib/engine/cuda/*.c))
TOOL_OBJ = $B/tools/tool.o $B/tools/version.o
BINS = $(TOOLS:%=$B/bin/%) $(SCRIPTS:%=$B/bin/%)
# t_precision asks the device cpu's own functions.
UNIT := $(patsubst test/unit/%.c,$B/test/%,$(filter-out $(if $(DNNL),,%/t_precision.c),$(wildcard test/unit/t_*.c)))
UNIT += $(CUDA_UNIT)
EXAMPLES := $(patsubst examples/%.c,$B/examples/%,$(wildcard examples/*.c))
# bench_peak is written for oneDNN 2, bench_wino for the device cpu.
BENCHES := $(patsubst test/bench/%.c,$B/bench/%,$(filter-out $(if $(filter 2,$(DNNL_MAJOR)),,%/bench_peak.c) $(if $(DNNL),,%/bench_wino.c),$(wildcard test/bench/*.c)))
SHELL_SRC = $(wildcard bootstrap.sh tools/*.sh examples/*.sh test/*.sh test/bench/*.sh test/gpu/*.sh)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:
.PHONY: all unit examples check check-slow check-unit check-bats check-includes check-bare check-gpu chaos bench bench-gpu install \
	uninstall clean distclean lint format help demo missing FORCE

## all: build every tool into $B/bin (default)
all: $(BINS) $(PLUGINS)

## unit: build the unit tests
unit: $(UNIT) $(TEST_PLUGIN)

## examples: build the programs of examples/ into $B/examples
examples: $(EXAMPLES)

missing:
	$(if $(MISSING),$(error libraries missing or too old: $(MISSING) (sh bootstrap.sh deps)))

# Files that change only when their text does: everything is rebuilt when compiler or flags change,
# an archive when a source file comes or goes.
$B/flags: TEXT = $(CC) $(HOP_CFLAGS) $(CFLAGS) $(CPPFLAGS) $(LDFLAGS) $(PKG_LIBS) $(XXHASH) $(DNNL) $(DNNL_FILE) $(CUDA) $(CUDA_TEXT) $(if $(HAS_CUDA),$(NVCCFLAGS))
$B/version.list: TEXT = $(VERSION) $(DATADIR) $(PLUGINDIR)
$B/libhop.list: TEXT = $(LIB_OBJ)
$B/libhop-engine.list: TEXT = $(ENGINE_OBJ)
$B/libhop-cuda-host.list: TEXT = $(CUDA_HOST_OBJ)
$B/flags $B/version.list $B/libhop.list $B/libhop-engine.list $B/libhop-cuda-host.list $B/pic/libhop.list: FORCE | missing
	@mkdir -p $(@D)
	@printf '%s\n' '$(TEXT)' >$@.new; cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$B/libhop.a: $(LIB_OBJ)
$B/libhop-engine.a: $(ENGINE_OBJ)
$B/libhop-cuda-host.a: $(CUDA_HOST_OBJ)
$B/%.a: $B/%.list
	$(call say,AR,$@)
	$Qrm -f $@
	$Q$(AR) rcs $@ $(filter %.o,$^)

$B/lib/engine/%.o: FLAGS_HERE = $(FAST_CFLAGS)
$B/lib/engine/cpu/%.o: FLAGS_HERE = $(FAST_CFLAGS) $(OMP_CFLAGS)
$B/lib/engine/cpu/dn_load.o: FLAGS_HERE = -DHOP_DNNL_FILE='"$(DNNL_FILE)"'
$B/lib/net/%.o: FLAGS_HERE = $(FAST_CFLAGS)
$B/lib/format/safetensors.o: FLAGS_HERE = -DHOP_XXHASH='<$(XXHASH)>'
$B/lib/search/parzen.o: FLAGS_HERE = $(FAST_CFLAGS)
$B/tools/version.o: $B/version.list
$B/tools/version.o: FLAGS_HERE = -DHOP_VERSION='"$(VERSION)"' -DHOP_DATADIR='"$(DATADIR)"' -DHOP_PLUGINDIR='"$(PLUGINDIR)"' \
	-DHOP_COMPILER='"$(shell $(CC) --version | head -n 1)"' -DHOP_FLAGS='"$(CFLAGS) $(SAN)"' \
	-DHOP_LIBRARIES='"$(foreach p,$(PKGS),$p $(shell $(PKG_CONFIG) --modversion $p)$(comma)) $(DNNL_TEXT)$(comma) $(CUDA_TEXT)"'

$B/%.o: %.c $B/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$Q$(CC) $(HOP_CFLAGS) $(CFLAGS) $(FLAGS_HERE) $(CPPFLAGS) -MMD -MP -c -o $@ $<

LINK = $(CC) $(HOP_LDFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) \
	$(filter %cuda-host.a,$^) $(filter %engine.a,$^) $B/libhop.a $(PKG_LIBS) $(if $(filter %engine.a,$^),$(DNNL_LIBS)) -lm

# A worker process (hop-train --keep) takes descriptors over sockets and /proc.
KEEP_OBJ = $(if $(filter Linux,$(shell uname -s)),$(patsubst %,$B/tools/%.o,keep keep_worker turn warm),$B/tools/keep_absent.o)
ENGINE_TOOLS = hop-train hop-eval
$(ENGINE_TOOLS:%=$B/bin/%): $B/libhop-engine.a
$B/bin/hop-eval: $B/tools/devices.o $B/tools/examples.o $B/tools/predict.o
$B/bin/hop-train: $B/tools/devices.o $B/tools/probe.o $B/tools/dry_run.o $B/tools/examples.o $B/tools/measure.o $B/tools/train_job.o $B/tools/weights.o $(KEEP_OBJ)
$B/bin/hop-verify: $B/tools/weights.o
$B/bin/hop-shard: $B/tools/check_data.o $B/tools/push.o
$B/bin/hop-schedule: $B/tools/advise.o $B/tools/probe_workers.o $B/tools/scene.o
$B/bin/hop-search: $B/tools/search_options.o $B/tools/search_select.o
$(TOOLS:%=$B/bin/%): $B/bin/%: $B/tools/%.o $(TOOL_OBJ) $B/libhop.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$Q$(LINK)

$(SCRIPTS:%=$B/bin/%): $B/bin/%: tools/%.sh $B/version.list
	@mkdir -p $(@D)
	$(call say,SH,$@)
	$Qsed 's|@VERSION@|$(VERSION)|' $< > $@
	@chmod +x $@

# The ref device a second time, in double, as hop_device_ref64: for t_gradient alone.
REF64_OBJ = $(patsubst lib/engine/ref/%.c,$B/ref64/%.o,$(wildcard lib/engine/ref/*.c))
$B/ref64/%.o: lib/engine/ref/%.c $B/flags
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$Q$(CC) $(HOP_CFLAGS) $(CFLAGS) $(FAST_CFLAGS) -DHOP_REAL_DOUBLE $(CPPFLAGS) -MMD -MP -c -o $@ $<
$B/test/t_gradient: $(REF64_OBJ)
$B/test/t_conformance $B/test/t_cuda $B/test/t_device $B/test/t_slots: $B/libhop-cuda-host.a

$B/test/%: $B/test/unit/%.o $B/libhop-engine.a $B/libhop.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$Q$(LINK)

$B/examples/%: $B/examples/%.o $B/libhop.a
	$(call say,LINK,$@)
	$Q$(LINK)

$B/bench/bench_peak: DNNL_LIBS += -ldnnl
$B/bench/%: $B/test/bench/%.o $B/libhop-engine.a $B/libhop.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$Q$(LINK)

# ---- tests (test/README.md says what each tier holds) ----

## check: quick tests: layering, units, tools; no GPU, no network
check: all examples $(UNIT) $(TEST_PLUGIN)
	@HOP_BUILD=$(abspath $B) sh test/check.sh $(UNIT)

## check-slow: the same with sanitizers, then the long tests (HOP_SLOW=1)
check-slow:
	$(MAKE) check SAN=address,undefined B=$B-san HOP_SLOW=
	$(MAKE) check HOP_SLOW=1
export HOP_SLOW

## check-unit: C unit tests only
check-unit: $(UNIT) $(TEST_PLUGIN)
	@sh test/run-unit.sh $(UNIT)

## check-bats: tests of the tools only (T=PATTERN runs the files test/*PATTERN*.bats)
check-bats: all examples $(TEST_PLUGIN)
	@HOP_BUILD=$(abspath $B) sh test/run-bats.sh $(T)

## check-includes: no file includes upward; each outside library has one includer
check-includes:
	@sh test/check-includes.sh

## chaos: kills and cuts at random over real runs, Slurm included where it is (SEED=, EVENTS=200, MAX_S=, ENGINES=)
chaos: all examples
	@HOP_BUILD=$(abspath $B) bash test/chaos.bash

## check-bare: demo and check in a bare Debian root (debootstrap; as root; needs a package mirror)
check-bare:
	sh test/bare-root.sh

## bench: timings (test/bench/*.sh)
bench: all examples $(BENCHES)
	@for b in test/bench/*.sh; do HOP_BUILD=$(abspath $B) sh $$b || exit 1; done

## check-gpu: what only a GPU can tell (skipped where there is none)
check-gpu: all examples unit
	@HOP_BUILD=$(abspath $B) sh test/gpu/check.sh

## bench-gpu: timings on a GPU, beside PyTorch (skipped where there is none)
bench-gpu: all examples $(BENCHES)
	@HOP_BUILD=$(abspath $B) sh test/gpu/bench.sh

## lint: tabs, blanks, long functions of C, shellcheck, mandoc; what clang-format would say
lint:
	@sh test/lint.sh $(SHELL_SRC)

## format: rewrite C sources with clang-format
format:
	clang-format -i $$(find lib tools examples test -name '*.[ch]')

## demo: a small grid over drawn shapes, in ./hop-demo (or HOP_DEMO_DIR)
demo: all examples
	@HOP_BUILD=$(abspath $B) sh examples/demo.sh

# ---- install ----

## install: into DESTDIR and PREFIX
install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(DATADIR)/hop $(DESTDIR)$(MANDIR)/man1 \
		$(DESTDIR)$(MANDIR)/man7
	install -m 755 $(BINS) $(DESTDIR)$(BINDIR)
	$(if $(PLUGINS),install -d $(DESTDIR)$(PLUGINDIR) && install -m 755 $(PLUGINS) $(DESTDIR)$(PLUGINDIR))
	cp -R share/nets share/spaces $(DESTDIR)$(DATADIR)/hop/
	install -m 644 $(wildcard man/*.1) $(DESTDIR)$(MANDIR)/man1
	install -m 644 $(wildcard man/*.7) $(DESTDIR)$(MANDIR)/man7

## uninstall: remove what install put there
uninstall:
	rm -f $(BINS:$B/bin/%=$(DESTDIR)$(BINDIR)/%) \
		$(patsubst man/%,$(DESTDIR)$(MANDIR)/man1/%,$(wildcard man/*.1)) \
		$(patsubst man/%,$(DESTDIR)$(MANDIR)/man7/%,$(wildcard man/*.7))
	rm -rf $(DESTDIR)$(DATADIR)/hop $(DESTDIR)$(PLUGINDIR)

## clean: remove the build folder
clean:
	rm -rf $B $B-san

## distclean: remove every build folder and the demo
distclean:
	rm -rf build build-* hop-demo

## help: this list
help:
	@awk -F': ' '/^## / { printf "  %-16s %s\n", substr($$1, 4), substr($$0, length($$1) + 3) }' Makefile

-include $(shell find $B -name '*.d' 2>/dev/null)
