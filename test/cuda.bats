# The device cuda where there is no GPU: the plugin as a file, messages, exit statuses. What needs a GPU:
# test/gpu.
load lib
load tiny

PLUGIN=$HOP_BUILD/lib/hop/hop-cuda.so
CONFIG='{"hop":"config/1","id":"a","model":"shapes-mlp","optimizer":"sgd"}'
TINY='{"hop":"config/1","id":"a","model":"net.json","optimizer":"sgd","until":1}'

needs_plugin() { [ -e "$PLUGIN" ] || skip "built without the CUDA Toolkit"; }
# Without a driver: what LD_LIBRARY_PATH or the system has.
needs_no_gpu() { [ ! -e /dev/nvidiactl ] || skip "there is a GPU here"; }
dry() { hop-train --init --dry-run "$@" <<<"$CONFIG"; }

# compile FILE.so < C: a shared object.
compile() { "${CC:-cc}" -std=c11 -shared -fPIC -I"$ROOT/lib" -o "$1" -x c -; }

@test "--version says what the build found" {
    if [ -e "$PLUGIN" ]; then
        hop-train --version | grep -E '^libraries: .*, CUDA [0-9]+\.[0-9]+ with(out)? cuDNN.* \(plugin of the device cuda\)$'
    else
        hop-train --version | grep '^libraries: .*, no CUDA Toolkit: no device cuda$'
    fi
}

@test "the plugin exports one symbol and is linked with no library of CUDA" {
    needs_plugin
    run -0 nm -D --defined-only "$PLUGIN"
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *" T hop_plugin" ]]
    run -0 ldd "$PLUGIN"
    [[ ! $output =~ lib(cuda|cudart|cudnn|cublas|nv|stdc) ]]
}

@test "kernels: no spills, no stack to speak of, at most 128 registers, on every architecture" {
    needs_plugin
    log=$HOP_BUILD/pic/lib/engine/cuda/kernels.cu.ptxas
    run -0 awk '
        /Compiling entry function/ { n++; name = $7; on[$9]++ }
        /bytes stack frame/ && ($5 > 0 || $9 > 0 || $1 > 256) { print name ": " $0; bad = 1 }
        /Used [0-9]+ registers/ { used++; for (i = 1; i < NF; i++) if ($i == "Used" && $(i + 1) > 128) { print name ": " $0; bad = 1 } }
        END { for (a in on) k++; print n " kernels on " k " architectures"; exit bad || n < 100 || used != n || k < 2 }' "$log"
    echo "$output"
}

@test "no driver: exit 75, one line with the reason, never another device instead" {
    needs_plugin
    needs_no_gpu
    run_err 75 '^hop-train: device cuda: no usable GPU: .*libcuda' dry --device cuda
    run_err 75 '^hop-train: device cuda: no usable GPU: ' dry --device cuda:1
    tiny_data 1
    tiny_net
    hop-train --init --device ref --shard data/train-000.safetensors >m <<<"$TINY"
    run_err 75 '^hop-eval: device cuda: no usable GPU: ' hop-eval --device cuda --shard data/val-000.safetensors <m
}

@test "the stub of the toolkit is no driver: exit 75 and said" {
    needs_plugin
    needs_no_gpu
    for stub in /usr/local/cuda/lib64/stubs/libcuda.so /usr/lib/*/stubs/libcuda.so; do
        [ ! -e "$stub" ] || break
    done
    [ -e "$stub" ] || skip "no stub of libcuda here"
    mkdir stub
    ln -s "$stub" stub/libcuda.so.1
    LD_LIBRARY_PATH=$PWD/stub run_err 75 '^hop-train: device cuda: no usable GPU: .* stub, not a driver' dry --device cuda
    LD_LIBRARY_PATH=$PWD/stub dry --device auto | grep -E 'device (cpu|ref)'
}

@test "no plugin: exit 75, its place and what to do; auto takes what there is" {
    mkdir empty
    export HOP_PLUGINS=$PWD/empty
    run_err 75 '/empty/hop-cuda.so: device cuda is not here: .*\(build hop with the CUDA Toolkit, or use --device cpu\)' dry --device cuda
    dry | grep -E 'device (cpu|ref)'
}

@test "plugins: never from a folder that is not absolute, even if it has one" {
    : >hop-cuda.so
    for dir in . "" plugins ./plugins; do
        [ -n "$dir" ] || continue
        HOP_PLUGINS=$dir run_err 2 'is not absolute' dry --device cuda
    done
    HOP_CUDNN=here:/there run_err 2 'is not absolute' dry
    HOP_PLUGINS= dry >out # empty is unset
}

@test "what is no plugin, or one of another hop: exit 75 and said" {
    export HOP_PLUGINS=$PWD
    echo text >hop-cuda.so
    run_err 75 'hop-cuda.so: cannot load the plugin: ' dry --device cuda
    compile hop-cuda.so <<<'int nothing;'
    run_err 75 'hop-cuda.so: is no plugin of hop' dry --device cuda
    for wrong in '.abi = 1' '.size = 8' '.layout = 3' '.ops = 0'; do
        compile hop-cuda.so <<END
#include "engine/plugin.h"
static struct hop_device_ops ops = {.abi = HOP_ENGINE_ABI, .size = sizeof ops, .name = "cuda"};
static struct hop_plugin plugin = {.abi = HOP_PLUGIN_ABI, .size = sizeof plugin, .layout = HOP_PLUGIN_LAYOUT};
const struct hop_plugin *hop_plugin(const struct hop_plugin_host *host)
{
    (void)host;
    plugin.ops = &ops;
    plugin = (struct hop_plugin){.abi = plugin.abi, .size = plugin.size, .layout = plugin.layout, .ops = &ops, $wrong};
    return &plugin;
}
END
        run_err 75 'hop-cuda.so: the plugin is of another version of hop' dry --device cuda
    done
    run -0 --separate-stderr dry
    [ -z "$stderr" ]
}

# A plugin of the tests' own, with a device that says which number it is given: what the host does with
# one that works.
@test "auto takes the plugin's device where one can be used, and asks for the driver first" {
    compile hop-cuda.so <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/plugin.h"
static int open_(int index, int n, struct hop_device **d, struct hop_err *e)
{
    (void)n; (void)d;
    e->code = HOP_EDEV;
    snprintf(e->what, sizeof e->what, "number %d was opened", index);
    return HOP_EDEV;
}
static int count(int *n, struct hop_err *e) { (void)e; *n = 2; return 0; }
static int describe(int i, bool f, struct hop_device_info *d, struct hop_err *e)
{
    (void)f; (void)e;
    memset(d, 0, sizeof *d);
    if (i == 0 || getenv("ALL_OLD"))
        strcpy(d->why_not, "too old");
    return 0;
}
static struct hop_device_ops ops = {.abi = HOP_ENGINE_ABI, .size = sizeof ops, .name = "cuda", .open = open_};
static struct hop_plugin plugin = {HOP_PLUGIN_ABI, sizeof plugin, HOP_PLUGIN_LAYOUT, &ops, count, describe};
const struct hop_plugin *hop_plugin(const struct hop_plugin_host *host)
{
    host->log(1, "plugin loaded");
    return &plugin;
}
END
    export HOP_PLUGINS=$PWD
    run_err 75 'number 3 was opened' dry --device cuda:3
    mkdir driver
    compile driver/libcuda.so.1 <<<'int nothing;'
    LD_LIBRARY_PATH=$PWD/driver run_err 75 'number 0 was opened' dry
    ALL_OLD=1 LD_LIBRARY_PATH=$PWD/driver dry | grep -E 'device (cpu|ref)'
    needs_no_gpu
    run -0 --separate-stderr hop-train --init --dry-run -vv <<<"$CONFIG"
    [[ $stderr != *"plugin loaded"* ]] # no driver: nothing is loaded
    [[ $stderr == *"no device cuda: "*libcuda.so.1* ]]
}

@test "hop-schedule probe: lines that are a file of workers; on stderr why there is no GPU" {
    mkdir empty
    HOP_PLUGINS=$PWD/empty run --separate-stderr -0 hop-schedule probe
    [[ $stderr == "hop-train: "*"device cuda is not here"* ]]
    [ "${#lines[@]}" -eq 1 ]
    jq -e '.hop == "worker/1" and (.device == "cpu" or .device == "ref") and (.name | endswith(":cpu")) and
        .probe.processors >= 1 and .probe.memory_bytes > 1e6 and (.probe.fingerprint | length) > 2' <<<"$output"
    echo "$output" >workers
    tiny_data 1
    tiny_net
    hop-schedule --data data --workers workers <<<"$TINY" | jq -se 'map(select(.hop == "visit/1")) | length > 0'
    run_err 1 'more: cannot open' hop-schedule probe more
}

@test "make without CUDA: no nvcc, no plugin, --version says so" {
    run -0 make -n V=1 -C "$ROOT" B="$PWD/none" CUDA= all
    [[ $output != *nvcc* ]]
    [[ $output != *hop-cuda.so* ]]
    [[ $output == *"no CUDA Toolkit: no device cuda"* ]]
}

@test "slots: a search with three visits at a time in one process is the search with one, and the one without" {
    export HOP_PLUGINS=$HOP_BUILD/test/plugin XDG_RUNTIME_DIR=$PWD/rt
    mkdir rt
    tiny_data 2
    tiny_net
    echo '{"model":"net.json","optimizer":["sgd","adam"],"lr":[0.1,0.01],"batch_size":16}' >space.json
    line='"name":"gpu","device":"cuda","precision":"bf16"'
    echo "{$line,\"slots\":3,\"keep\":\"60s\"}" >three
    echo "{$line,\"keep\":\"60s\"}" >one
    echo "{$line}" >cold
    for w in three one cold; do
        hop-run -q -o "run.$w" --data data -w $w --same-fingerprint grid --iterations 2 space.json >board.$w
        jq -r 'select(.hop == "train/1") | [.id, .visit, .digest, .fingerprint] | @tsv' run.$w/log.jsonl | sort >log.$w
        hop-train --stop
    done
    [ "$(wc -l <log.cold)" -eq 16 ]
    # each run has its set of plans, which the first process began and all others found
    for w in three one cold; do
        [ "$(wc -l <run.$w/gpu-plans.jsonl)" -eq 1 ]
        jq -e '.hop == "cudnn-plan/1"' run.$w/gpu-plans.jsonl
    done
    cmp log.three log.cold
    cmp log.one log.cold
    grep -q 'cuda-host fast sm_90 1 loops 1 plans [0-9a-f]* bf16$' log.cold
    # from now on in other numbers: said
    echo '{"name":"gpu","device":"ref"}' >other
    run --separate-stderr -0 hop-schedule --data data --run run.cold --workers other --iterations 3 --as plan <run.cold/configs.jsonl
    [[ $stderr == *"hop between 2 kinds of numbers"*"cuda-host fast sm_90 1 loops 1 bf16 (gpu"*"exact (gpu)"* ]]
}

@test "the scripts of make check-gpu and bench-gpu, over the plugin of host memory" {
    export HOP_PLUGINS=$HOP_BUILD/test/plugin HOP_GPU_RESULTS=$PWD/results HOP_GPU_PATIENCE=3
    cd "$ROOT"
    long() { [ -n "${HOP_SLOW-}" ] && echo "$@"; }
    CHECK_NETS=shapes-mlp CHECK_PICTURES=12 HOP_GPU_PARTS="same_bits $(long same_search)" run -0 sh test/gpu/check.sh
    [[ $output == *"check.sh: 0 parts failed"* ]]
    [ "$(grep -c 'shapes-mlp [fbt][pf][0-9]*: want [0-9a-f]*, cuda *22 [0-9a-f]* $' <<<"$output")" -eq 3 ]
    BENCH_NETS=shapes-mlp BENCH_BATCHES=16 BENCH_PICTURES=12 BENCH_PASSES=1 HOP_GPU_PARTS="start_up throughput $(long search)" run -0 sh test/gpu/bench.sh
    [[ $output == *"bench.sh: 0 parts failed"* ]]
    # what was shown is what was kept, all of it JSON
    [ -z "${HOP_SLOW-}" ] || jq -es 'map(select(.bench == "search")) | .[0].visits == 256 and .[0].of_net_alone > 0' "$HOP_GPU_RESULTS/gpu-host.jsonl"
    jq -es 'map(select(.hop == "worker/1")) | length == 2 and all(.slots >= 1)' "$HOP_GPU_RESULTS/gpu-host.jsonl"
    jq -es 'map(select(.bench == "start")) | length == 4' "$HOP_GPU_RESULTS/gpu-host.jsonl"
}

@test "no GPU: check-gpu and bench-gpu say so and leave nothing" {
    needs_no_gpu
    export HOP_GPU_RESULTS=$PWD/results
    unset HOP_PLUGINS
    for script in check bench; do
        run -0 sh "$ROOT/test/gpu/$script.sh"
        [[ $output == "$script.sh: skipped: no usable GPU: "* ]]
        [ ! -e results ]
    done
}

@test "plans of GPU libraries: a visit's are its run's, or those that HOP_GPU_PLANS names; a worker process keeps one set" {
    export HOP_PLUGINS=$HOP_BUILD/test/plugin XDG_RUNTIME_DIR=$PWD/rt
    mkdir rt
    tiny_data 2
    tiny_net
    echo '{"hop":"config/1","id":"a","model":"net.json","optimizer":"sgd","lr":0.1,"batch_size":16,"until":2}' |
        tee config | hop-visit --run run --add-configs
    v() { # RUN VISIT
        hop-visit -q --run "$1" --id a --shard "$(printf 'train-%03d' $(($2 - 1)))" --visit "$2" -- hop-train -q -d cuda --keep 60s --shard "data/train-00$(($2 - 1)).safetensors"
    }
    hop-visit -q --run run --id a --visit 0 -- hop-train --init -q
    [ ! -e run/gpu-plans.jsonl ]
    v run 1
    [ "$(wc -l <run/gpu-plans.jsonl)" -eq 1 ]
    # in a worker process, too, a relative name is meant from here
    hop-train -q --init <config >model
    HOP_GPU_PLANS=own.jsonl hop-train -q -d cuda --keep 60s --shard data/train-000.safetensors <model >next
    cmp own.jsonl run/gpu-plans.jsonl
    # another set, another process; the same, the same
    [ "$(find rt/hop -type s | wc -l)" -eq 2 ]
    v run 2
    [ "$(find rt/hop -type s | wc -l)" -eq 2 ]
    # where plans do not matter the run does not either
    hop-visit --run other --add-configs <config
    hop-visit -q --run other --id a --visit 0 -- hop-train --init -q
    hop-visit -q --run other --id a --shard train-000 --visit 1 -- hop-train -q -d ref --keep 60s --shard data/train-000.safetensors
    hop-train -q -d ref --keep 60s --shard data/train-000.safetensors <model >next
    [ "$(find rt/hop -type s | wc -l)" -eq 3 ]
    [ ! -e other/gpu-plans.jsonl ]
    hop-train --stop
}
