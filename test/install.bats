# make install, uninstall, builds without optional parts.
load lib

# In a copy: PREFIX is part of the tools, which other tests run meanwhile.
make_here()
{
    [ -d own ] || cp -a "$HOP_BUILD" own
    make -s -C "$ROOT" B="$PWD/own" "$@"
}

@test "make install puts everything under DESTDIR and PREFIX, and uninstall removes it" {
    make_here install DESTDIR="$PWD/root" PREFIX=/opt/hop >/dev/null
    for tool in hop-shard hop-search hop-schedule hop-visit hop-train hop-eval hop-verify hop-run; do
        [ -x "root/opt/hop/bin/$tool" ]
        [ -s "root/opt/hop/share/man/man1/$tool.1" ]
    done
    [ -s root/opt/hop/share/hop/nets/cifar10-cnn2.json ]
    [ -s root/opt/hop/share/hop/spaces/cifar10-grid4.json ]
    [ -z "$(find root -type f ! -path 'root/opt/hop/*')" ]
    make_here uninstall DESTDIR="$PWD/root" PREFIX=/opt/hop >/dev/null
    [ -z "$(find root -type f)" ] || { find root -type f; false; }
}

@test "nets are found without the environment: installed, moved, in the source tree" {
    unset HOP_SHARE
    echo '{"hop":"config/1","id":"a","model":"shapes-mlp","optimizer":"sgd"}' >config
    hop-train --init <config >a.safetensors
    make_here install DESTDIR="$PWD/root" PREFIX=/opt/hop >/dev/null
    mv root/opt/hop "moved here"
    "./moved here/bin/hop-train" --init <config >b.safetensors
    cmp a.safetensors b.safetensors
    rm -r "moved here/share/hop/nets"
    run_err 1 'stdin:1: unknown net "shapes-mlp".*/share/hop/nets' "./moved here/bin/hop-train" --init <config
}

@test "make rebuilds what depends on flags when they change, and not otherwise" {
    one="make -C $ROOT B=$PWD/b $PWD/b/lib/base/str.o"
    [[ $($one) == *"CC "* ]]
    [[ $($one) != *"CC "* ]]
    [[ $($one CFLAGS=-O1) == *"CC "* ]]
}

@test "a missing library is named" {
    run make -s -C "$ROOT" B="$PWD/build" PKG_CONFIG=false all
    [ "$status" -eq 2 ]
    [[ $output == *"libraries missing or too old: jansson >= 2.7 libpng"*"bootstrap.sh deps"* ]]
}

@test "without oneDNN: builds, and the device cpu is exit 75" {
    make -s -j2 -C "$ROOT" B="$PWD/build" DNNL= all
    build/bin/hop-train --version | grep 'no oneDNN'
    echo '{"hop":"config/1","id":"a","model":"shapes-mlp","optimizer":"sgd"}' >config
    build/bin/hop-train --init --device ref --dry-run <config
    run_err 75 'device cpu' build/bin/hop-train --init --device cpu --dry-run <config
    run -1 bash -c 'ldd build/bin/hop-train | grep dnnl'
}

# chosen VERSION RUNTIME: what make would take with that oneDNN: the file of the device, the words of
# --version.
chosen()
{
    local v
    IFS=. read -ra v <<<"$1"
    mkdir -p fake/oneapi/dnnl
    printf '#define %s\n' 'DNNL_RUNTIME_OMP 2u' 'DNNL_RUNTIME_TBB 4u' \
        "DNNL_CPU_RUNTIME DNNL_RUNTIME_$2" "DNNL_VERSION_MAJOR ${v[0]}" \
        "DNNL_VERSION_MINOR ${v[1]}" "DNNL_VERSION_PATCH ${v[2]}" >fake/oneapi/dnnl/dnnl.h
    make -n V=1 -C "$ROOT" B="$PWD/none" CPPFLAGS="-I$PWD/fake" CUDA= all >commands
    grep -oE 'lib/engine/cpu/(dn_v[0-9]|absent/device)\.c' commands | sort -u
    sed -n 's/.*-DHOP_LIBRARIES=.*zlib [^,]*, \([^"]*\), no CUDA[^"]*".*/\1/p' commands
}

@test "the version of oneDNN chooses the file" {
    [ "$(chosen 2.6.3 OMP)" = $'lib/engine/cpu/dn_v2.c\noneDNN 2.6.3 (device cpu)' ]
    for v in 3.1.0 3.7.2 3.10.1; do
        [ "$(chosen $v OMP)" = $'lib/engine/cpu/dn_v3.c\noneDNN '"$v (device cpu)" ]
    done
    for v in "4.0.0 OMP" "1.9.0 OMP" "3.7.2 TBB"; do
        # shellcheck disable=SC2086 # words
        [[ $(chosen $v) == $'lib/engine/cpu/absent/device.c\n'*'no oneDNN: no device cpu' ]]
    done
}

@test "no tool is linked with CUDA" {
    for f in "$HOP_BUILD"/bin/hop-*; do
        file_type=$(head -c 4 "$f" | tr -d "\177")
        [ "$file_type" = ELF ] || continue
        run -0 ldd "$f"
        [[ ! $output =~ lib(cuda|cudnn|cublas|nv) ]]
    done
}
