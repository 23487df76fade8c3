# hop - build, test, install. `make help` lists the targets.
#
# Overrides go on the command line or into config.mk (not tracked): CC CFLAGS LDFLAGS PREFIX
# DESTDIR B SAN=address,undefined DEV=1.

VERSION = 0.1.0

-include config.mk

CC ?= cc
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
DATADIR ?= $(PREFIX)/share
MANDIR ?= $(DATADIR)/man
B ?= build$(if $(SAN),-$(subst $(comma),-,$(SAN)))
comma := ,
PKG_CONFIG ?= pkg-config

# ---- what is on this machine ----

need = $(shell $(PKG_CONFIG) --atleast-version=$(2) $(1) && echo yes)
LIBS_NEEDED = jansson:2.7 libpng:1.6 libjpeg:0 libarchive:3.3 libxxhash:0.8 zlib:1.2
MISSING := $(foreach l,$(LIBS_NEEDED),$(if $(call need,$(word 1,$(subst :, ,$l)),$(word 2,$(subst :, ,$l))),,$(subst :, >= ,$l)))
PKGS = jansson libpng libjpeg libarchive libxxhash zlib
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null)
# oneDNN 2.x (the C API with operation descriptors); without it there is no device "cpu".
DNNL := $(shell printf '\#include <oneapi/dnnl/dnnl.h>\n\#if DNNL_VERSION_MAJOR == 2\nhop_found\n\#endif\n' | $(CC) -E -P - 2>/dev/null | grep hop_found)
DNNL_LIBS = $(if $(DNNL),-ldnnl)

# ---- flags ----

HOP_WARN = -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith -Wformat=2 \
	$(if $(DEV),-Werror)
# -ffp-contract=off: fused multiply-add only where the source says fmaf, or bits would depend on
# the compiler and the machine.
HOP_CFLAGS = -std=c11 -D_XOPEN_SOURCE=700 -D_DEFAULT_SOURCE -ffp-contract=off -fno-fast-math \
	-Ilib -Itools $(HOP_WARN) $(PKG_CFLAGS) $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer)
HOP_LDFLAGS = $(if $(SAN),-fsanitize=$(SAN))
# Loops over channels are written so that vectorising them changes no order of operations.
FAST_CFLAGS = -O3

# ---- files ----

TOOLS = hop-shard hop-search hop-schedule hop-visit hop-train hop-eval
SCRIPTS = hop-run
LIB_SRC := $(wildcard lib/base/*.c lib/format/*.c lib/net/*.c lib/run/*.c lib/search/*.c lib/schedule/*.c)
ENGINE_SRC := $(wildcard lib/engine/*.c lib/engine/ref/*.c) \
	$(if $(DNNL),$(wildcard lib/engine/cpu/*.c),$(wildcard lib/engine/cpu/absent/*.c))
LIB_OBJ = $(LIB_SRC:%.c=$B/%.o)
ENGINE_OBJ = $(ENGINE_SRC:%.c=$B/%.o)
TOOL_OBJ = $B/tools/tool.o $B/tools/version.o
BINS = $(TOOLS:%=$B/bin/%) $(SCRIPTS:%=$B/bin/%)
UNIT := $(patsubst test/unit/%.c,$B/test/%,$(wildcard test/unit/t_*.c))

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all check check-slow check-unit check-bats check-includes check-tables check-man chaos fuzz \
	bench golden install uninstall clean distclean lint format help demo missing

## all: build every tool into $B/bin (default)
all: missing $(BINS)

missing:
	$(if $(MISSING),$(error libraries missing or too old: $(MISSING) (sh bootstrap.sh deps installs them)))

$B/libhop.a: $(LIB_OBJ)
$B/libhop-engine.a: $(ENGINE_OBJ)
$B/%.a:
	@rm -f $@
	$(AR) rcs $@ $^

$B/lib/engine/%.o: FLAGS_HERE = $(FAST_CFLAGS)
$B/lib/net/%.o: FLAGS_HERE = $(FAST_CFLAGS)
$B/tools/version.o: FLAGS_HERE = -DHOP_VERSION='"$(VERSION)"' -DHOP_DATADIR='"$(DATADIR)"' \
	-DHOP_COMPILER='"$(shell $(CC) --version | head -n 1)"' -DHOP_FLAGS='"$(CFLAGS) $(SAN)"' \
	-DHOP_LIBRARIES='"$(foreach p,$(PKGS),$p $(shell $(PKG_CONFIG) --modversion $p)$(comma)) $(if $(DNNL),oneDNN (device cpu),no oneDNN: no device cpu)"'

$B/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(HOP_CFLAGS) $(CFLAGS) $(FLAGS_HERE) $(CPPFLAGS) -MMD -MP -c -o $@ $<

ENGINE_TOOLS = hop-train hop-eval
$(ENGINE_TOOLS:%=$B/bin/%): $B/libhop-engine.a
$(TOOLS:%=$B/bin/%): $B/bin/%: $B/tools/%.o $(TOOL_OBJ) $B/libhop.a
	@mkdir -p $(@D)
	$(CC) $(HOP_LDFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) \
		$(filter %engine.a,$^) $B/libhop.a $(PKG_LIBS) $(if $(filter %engine.a,$^),$(DNNL_LIBS)) -lm

$(SCRIPTS:%=$B/bin/%): $B/bin/%: tools/%.sh
	@mkdir -p $(@D)
	sed 's|@VERSION@|$(VERSION)|' $< > $@
	@chmod +x $@

$B/test/%: $B/test/unit/%.o $B/libhop-engine.a $B/libhop.a
	@mkdir -p $(@D)
	$(CC) $(HOP_LDFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) $(DNNL_LIBS) -lm

## check: quick tests, no GPU, no network
check: check-includes check-unit check-bats

## check-unit: C unit tests
check-unit: $(UNIT)
	@sh test/run-unit.sh $(UNIT)

## check-bats: tests of the tools (T=PATTERN runs files test/*PATTERN*.bats)
check-bats: all
	HOP_BUILD=$(abspath $B) sh test/run-bats.sh $(T)

## check-includes: no file includes upward, jansson.h, png.h and dnnl.h have one includer each
check-includes:
	@sh test/check-includes.sh

## install: into DESTDIR and PREFIX
install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(DATADIR)/hop $(DESTDIR)$(MANDIR)/man1
	install -m 755 $(BINS) $(DESTDIR)$(BINDIR)
	cp -R share/nets share/spaces $(DESTDIR)$(DATADIR)/hop/
	install -m 644 $(wildcard man/*.1) $(DESTDIR)$(MANDIR)/man1

uninstall:
	rm -f $(BINS:$B/bin/%=$(DESTDIR)$(BINDIR)/%) $(patsubst man/%,$(DESTDIR)$(MANDIR)/man1/%,$(wildcard man/*.1))
	rm -rf $(DESTDIR)$(DATADIR)/hop

## clean: remove what was built
clean:
	rm -rf build build-*
distclean: clean

## help: this list
help:
	@sed -n 's/^## /  /p' $(MAKEFILE_LIST)

-include $(shell find $B -name '*.d' 2>/dev/null)
