# search.mk - what the examples share: from DATA and a space to a run, its tables and its pictures.
# Read by their Makefiles, which set NAME, GRIDS (with ITERATIONS_x), BANDS (with R_x) and the
# variables below that have no default here.

# VARIABLES
# SCALE=1      this fraction of the data, of the iterations and of Hyperband's R
# WORKERS=N    as for hop-run --workers: a number, or a file of workers
# OUT=DIR      where runs, tables and pictures go
# DATA=DIR     a data folder that hop-shard made; if missing it is made, at SCALE
# SHARDS=N     train shards to make (16 times SCALE, 2 at least)
# PASSES=N     passes over a shard in one visit (5, of MNIST 1)
# MAXGAP=0.05  accuracy on train over that on val from which a config overfits
# HOPFLAGS=    more options for hop-run, such as --device ref, --keep 10m
# BIN=DIR      hop's programs, if they are not in PATH (../../build/bin)

SCALE ?= 1
WORKERS ?= $(shell getconf _NPROCESSORS_ONLN)
PASSES ?= 5
OUT ?= out-$(SCALE)
DATA ?= $(OUT)/data
MAXGAP ?= 0.05
HOPFLAGS ?=
HERE := $(dir $(lastword $(MAKEFILE_LIST)))
BIN ?= $(abspath $(HERE)../build/bin)
export PATH := $(BIN):$(PATH)

# make takes a blank for the end of a name.
$(foreach v,OUT DATA CIFAR10 MNIST,$(if $(word 2,$($v)),$(error $v="$($v)": no blanks in it, please)))

# A number at SCALE, rounded; and Hyperband's R: the largest power of 3 that is no more.
scaled = $(shell awk 'BEGIN { x = int($(1) * $(SCALE) + 0.5); print x < $(2) ? $(2) : x }')
scaled_r = $(shell awk 'BEGIN { for (r = 3; 3 * r <= $(1) * $(SCALE); r *= 3); print r }')
SHARDS ?= $(call scaled,16,2)

SHARD = hop-shard -q -n $(SHARDS) --fraction $(SCALE) -o '$(DATA)'
RUN = hop-run $(HOPFLAGS) -o '$(OUT)/$@' --data '$(DATA)' --workers '$(WORKERS)' --eval-train
# The space as it is used: PASSES may differ.
SPACE = sed 's/"passes": [0-9]*/"passes": $(PASSES)/' $@.json >'$(OUT)/$@.json'
TABLES = sh $(HERE)tables.sh '$(OUT)/$@' '$(NAME) $@' $(MAXGAP)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help all data fetch clean $(GRIDS) $(BANDS)

# Each of these goes on where it was, whatever ended it.
$(GRIDS): $(DATA)/manifest.json
	@mkdir -p '$(OUT)'
	@$(SPACE)
	$(RUN) grid --iterations $(call scaled,$(ITERATIONS_$@),1) '$(OUT)/$@.json' >'$(OUT)/$@.txt'
	@$(TABLES)

$(BANDS): $(DATA)/manifest.json
	@mkdir -p '$(OUT)'
	@$(SPACE)
	hop-search hyperband --table -R $(call scaled_r,$(R_$@)) --eta 3 | tee '$(OUT)/$@-brackets.txt'
	$(RUN) hyperband -R $(call scaled_r,$(R_$@)) --eta 3 '$(OUT)/$@.json' >'$(OUT)/$@.txt'
	@$(TABLES)

## all: all of them
all: $(GRIDS) $(BANDS)

## data: only cut the data into shards
data: $(DATA)/manifest.json

## clean: remove OUT
clean:
	rm -rf '$(OUT)'

## help: this list
help:
	@awk -F': ' '/^## / { printf "  %-18s %s\n", substr($$1, 4), substr($$0, length($$1) + 3) }' Makefile $(HERE)search.mk
	@awk '/^# VARIABLES/ { on = 1; next } !/^# /{ on = 0 } on { print "  " substr($$0, 3) }' Makefile $(HERE)search.mk
