#!/bin/sh
# bootstrap.sh - from a bare machine to a running hop. POSIX sh, asks no questions.
#
#   sh bootstrap.sh demo    install what is missing, build, run a small search over drawn shapes
#   sh bootstrap.sh check   install what is missing, build, run the tests
#   sh bootstrap.sh build   install what is missing, build
#   sh bootstrap.sh deps    install what is missing for all of the above
#
# Packages come from apt (Debian, Ubuntu), with sudo if you are not root, and only those whose job
# nothing on the machine does yet. Elsewhere it names what to install. HOP_NO_INSTALL=1 never
# installs, only names. B=FOLDER builds there (default: build).
set -u
cd "$(dirname "$0")" || exit 1
: "${B:=build}" "${HOP_NO_INSTALL:=}"

say() { printf '%s\n' "bootstrap.sh: $*" >&2; }
die() { say "$*"; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# ---- what is needed: for|what|how to see that it is here|Debian|Fedora|Arch|Alpine ----
# for: build; run (the demo and real work); check; maybe (used where packaged, missed by nothing).
needs()
{
    cat <<'END'
build|a C compiler|c_compiler|gcc libc6-dev|gcc|gcc|gcc musl-dev
build|GNU make|gnu_make|make|make|make|make
build|pkg-config|has pkg-config|pkg-config|pkgconf-pkg-config|pkgconf|pkgconf
build|zlib|lib zlib|zlib1g-dev|zlib-devel|zlib|zlib-dev
build|libpng|lib libpng|libpng-dev|libpng-devel|libpng|libpng-dev
build|libjpeg-turbo|lib libjpeg|libjpeg-dev|libjpeg-turbo-devel|libjpeg-turbo|libjpeg-turbo-dev
build|libarchive|lib libarchive|libarchive-dev|libarchive-devel|libarchive|libarchive-dev
build|Jansson|lib jansson|libjansson-dev|jansson-devel|jansson|jansson-dev
build|xxHash|lib libxxhash|libxxhash-dev|xxhash-devel|xxhash|xxhash-dev
maybe|oneDNN 2 or 3|onednn|libdnnl-dev|-|-|-
run|GNU parallel|gnu_parallel|parallel|parallel|parallel|parallel
run|ssh|has ssh|openssh-client|openssh-clients|openssh|openssh-client
run|rsync|has rsync|rsync|rsync|rsync|rsync
run|flock|has flock|util-linux|util-linux-core|util-linux|flock
run|xz|has xz|xz-utils|xz|xz|xz
check|bats 1.5 or newer|bats_new|bats|bats|bash-bats|bats
check|mandoc|has mandoc|mandoc|mandoc|mandoc|mandoc
check|jq|has jq|jq|jq|jq|jq
check|shellcheck|has shellcheck|shellcheck|ShellCheck|shellcheck|shellcheck
check|gnuplot|has gnuplot|gnuplot-nox|gnuplot|gnuplot|gnuplot
check|bzip2|has bzip2|bzip2|bzip2|bzip2|bzip2
check|ps|has ps|procps|procps-ng|procps-ng|procps
END
}

c_compiler()
{
    echo 'int main(void) { return 0; }' >"$tmp/c.c"
    "${CC:-cc}" -o "$tmp/c" "$tmp/c.c" >/dev/null 2>&1
}
gnu_make() { make --version 2>/dev/null | grep -q 'GNU Make'; }
lib() { pkg-config --exists "$1" 2>/dev/null; }
onednn() # one that the Makefile takes
{
    cat >"$tmp/d.c" <<'END'
#include <oneapi/dnnl/dnnl.h>
#if DNNL_VERSION_MAJOR < 2 || DNNL_VERSION_MAJOR > 3 || DNNL_CPU_RUNTIME != DNNL_RUNTIME_OMP
#error no
#endif
END
    "${CC:-cc}" -E "$tmp/d.c" >/dev/null 2>&1
}
gnu_parallel() { parallel --version 2>/dev/null | grep -q 'GNU parallel'; }
bats_new() { bats --version 2>/dev/null | grep -Eq '^Bats ([2-9]|1\.([5-9]|[1-9][0-9]))'; }
sshd_here() { has sshd || [ -x /usr/sbin/sshd ]; }
slurm_here()
{
    for program in munged slurmctld slurmd; do
        has $program || [ -x /usr/sbin/$program ] || return 1
    done
    has sbatch
}

# missing COLUMN FOR...: what FOR needs and is not here; COLUMN is what, deb, rpm, arch or apk.
missing()
{
    column=$1
    shift
    needs | while IFS='|' read -r for what seen deb rpm arch apk; do
        case " $* " in *" $for "*) ;; *) continue ;; esac
        $seen </dev/null && continue
        case $column in
        what) printf '%s, ' "$what" ;;
        deb) printf '%s ' "$deb" ;;
        rpm) printf '%s ' "$rpm" ;;
        arch) printf '%s ' "$arch" ;;
        apk) printf '%s ' "$apk" ;;
        esac
    done
}

# ---- installing ----

# as_root COMMAND...: through sudo if need be.
as_root()
{
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

apt()
{
    as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -qq -y -o Dpkg::Use-Pty=0 \
        -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" >"$tmp/apt" 2>&1 </dev/null
}

# With no init system running (a container, a chroot), the tests may have an sshd and a Slurm; where
# services run, installing them would open ports on somebody's machine, so there it is left to them.
want_services()
{
    [ ! -d /run/systemd/system ] && [ "$(id -u)" -eq 0 ]
}

# apt_services WHAT PACKAGE...: installed and not started.
apt_services()
{
    what=$1
    shift
    guard=/usr/sbin/policy-rc.d # "start nothing", as package scripts ask it
    if [ -e $guard ]; then
        guard=
    else
        printf '#!/bin/sh\nexit 101\n' >$guard && chmod 755 $guard
    fi
    apt install --no-install-recommends "$@" || {
        grep -E '^(E:|su:|dpkg: error)' "$tmp/apt" | head -n 2 >&2
        say "no $* here: the tests $what will be skipped"
    }
    [ -z "$guard" ] || rm -f $guard
}

# install FOR...
install()
{
    packages=$(missing deb "$@")
    say "installing with apt: ${packages% }"
    apt update || {
        tail -n 2 "$tmp/apt" >&2
        say "apt-get update failed; going on with the package lists that are here"
    }
    # shellcheck disable=SC2086 # words
    apt install --no-install-recommends $packages || {
        tail -n 4 "$tmp/apt" >&2
        die "apt-get could not install: ${packages% }"
    }
    left=$(missing what "$@")
    [ -z "$left" ] || die "still missing after apt-get install: ${left%, } (too old here?)"
}

# The build uses oneDNN 2 or 3; a package of another version would only take room.
apt_maybe()
{
    onednn && return
    case $(apt-cache policy libdnnl-dev 2>/dev/null) in
    *'Candidate: '[23].*) apt install --no-install-recommends libdnnl-dev && return ;;
    esac
    say "no oneDNN 2 or 3 package here: building without the device \"cpu\" (\"ref\" does the work)"
}

# name FOR...: say what to install where we do not install.
name()
{
    left=$(missing what "$@")
    say "missing: ${left%, }"
    if has apt-get; then
        say "install: apt-get install $(missing deb "$@")"
    elif has dnf; then
        say "install: dnf install $(missing rpm "$@")"
    elif has pacman; then
        say "install: pacman -S $(missing arch "$@")"
    elif has apk; then
        say "install: apk add $(missing apk "$@")"
    else
        say "no package manager that this script knows (apt, dnf, pacman, apk); the names on" \
            "Debian are: $(missing deb "$@")"
    fi
    exit 1
}

# deps FOR...
deps()
{
    if [ -n "$(missing what "$@")" ]; then
        if [ -n "$HOP_NO_INSTALL" ] || ! has apt-get; then
            name "$@"
        elif [ "$(id -u)" -ne 0 ] && ! has sudo; then
            say "not root, and there is no sudo; as root do:"
            name "$@"
        fi
        install "$@"
        apt_maybe
    elif [ -z "$HOP_NO_INSTALL" ] && has apt-get && [ "$(id -u)" -eq 0 ]; then
        apt_maybe
    fi
    case " $* " in
    *" check "*)
        if want_services && [ -z "$HOP_NO_INSTALL" ] && has apt-get; then
            sshd_here || apt_services "over ssh" openssh-server
            slurm_here || apt_services "with Slurm" slurmctld slurmd slurm-client munge
        fi
        ;;
    esac
}

# ---- building and running ----

now() { date +%s; }

n_jobs()
{
    n=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null) || n=
    echo "${n:-2}"
}

# build TARGET...: quietly; the log has the rest.
build()
{
    mkdir -p "$B" || die "cannot make the folder $B"
    say "building (log: $B/build.log)"
    start=$(now)
    make -j"$(n_jobs)" B="$B" "$@" >"$B/build.log" 2>&1 || {
        grep -E 'error|Error|\*\*\*' "$B/build.log" | head -n 10 >&2
        die "the build failed; all of it: $B/build.log"
    }
    say "built in $(($(now) - start)) s"
}

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' bootstrap.sh; }

tmp=$(mktemp -d 2>/dev/null) || die "cannot make a temporary folder"
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

case ${1-} in
demo)
    deps build run
    build all examples
    HOP_BUILD=$PWD/$B
    case $B in /*) HOP_BUILD=$B ;; esac
    export HOP_BUILD
    sh examples/demo.sh
    ;;
check)
    deps build run check
    build all examples unit
    make -s B="$B" check
    ;;
build)
    deps build
    build all
    say "the tools are in $B/bin; see README.md, or: make install"
    ;;
deps) deps build run check ;;
-h | --help | help) usage ;;
*)
    usage >&2
    exit 2
    ;;
esac
