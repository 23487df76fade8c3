#!/bin/sh
# bare-root.sh [demo] [check] - do the two commands of README.md work on a machine with nothing but
# a POSIX shell and apt? Makes a minimal Debian 12 in a temporary folder (debootstrap), copies the
# project into it, and runs `sh bootstrap.sh demo` and `sh bootstrap.sh check` there in a chroot.
#
# Needs root, debootstrap and a package mirror (HOP_MIRROR, default http://deb.debian.org/debian).
# HOP_KEEP=1 leaves the folder, HOP_SUITE names another release, HOP_NO_SYS=1 mounts no /sys (as in
# some sandboxes). ../shared/data is copied if there.
set -u
cd "$(dirname "$0")/.." || exit 1
: "${HOP_MIRROR:=http://deb.debian.org/debian}" "${HOP_SUITE:=bookworm}" "${HOP_KEEP:=}" \
    "${HOP_NO_SYS:=}"
[ $# -gt 0 ] || set -- demo check

die() { echo "bare-root.sh: $*" >&2; exit 1; }

[ "$(id -u)" -eq 0 ] || die "needs root (chroot, mount)"
command -v debootstrap >/dev/null || die "needs debootstrap (apt-get install debootstrap)"

root=$(mktemp -d /var/tmp/hop-bare-XXXXXX) || die "cannot make a folder in /var/tmp"
chmod 755 "$root" # it is everybody's / in there: packages' scripts run as users of their own
undo()
{
    for dir in sys proc dev/pts dev; do
        umount "$root/$dir" 2>/dev/null
    done
    if [ -n "$HOP_KEEP" ]; then
        echo "bare-root.sh: left: $root" >&2
    elif grep -q " $root" /proc/mounts; then
        echo "bare-root.sh: still mounted, so left: $root" >&2
    else
        rm -rf --one-file-system "$root"
    fi
}
trap undo EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

now() { date +%s; }

start=$(now)
debootstrap --variant=minbase "$HOP_SUITE" "$root" "$HOP_MIRROR" >"$root.log" 2>&1 || {
    tail -n 5 "$root.log" >&2
    die "debootstrap failed (log: $root.log)"
}
rm -f "$root.log"
echo "bare-root.sh: $HOP_SUITE, $(ls "$root"/var/lib/dpkg/info/*.list | wc -l) packages," \
    "in $(($(now) - start)) s"

# How this machine reaches the network, and what apt is told here, hold in there too.
cp /etc/resolv.conf "$root/etc/resolv.conf"
for f in /etc/apt/apt.conf.d/*; do
    grep -qi 'acquire' "$f" && ! grep -qi 'appstream' "$f" && cp "$f" "$root/etc/apt/apt.conf.d/"
done
mount -t proc proc "$root/proc" && mount --bind /dev "$root/dev" &&
    mount --bind /dev/pts "$root/dev/pts" || die "cannot mount proc and dev in $root"
[ -n "$HOP_NO_SYS" ] || mount -t sysfs -o ro sysfs "$root/sys" || die "cannot mount sys in $root"

mkdir -p "$root/src/main" "$root/src/shared"
tar -cf - --exclude='./build*' --exclude=./hop-demo --exclude=./.git --exclude=./config.mk . |
    tar -xf - -C "$root/src/main"
[ ! -d ../shared/data ] || cp -R ../shared/data "$root/src/shared/data"

failed=0
for command in "$@"; do
    echo "== sh bootstrap.sh $command"
    start=$(now)
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb \
        chroot "$root" sh -c "cd /src/main && exec sh bootstrap.sh $command" </dev/null
    status=$?
    echo "== sh bootstrap.sh $command: exit $status after $(($(now) - start)) s"
    [ $status -eq 0 ] || failed=$((failed + 1))
done
[ $failed -eq 0 ] || exit 1
echo "bare-root.sh: $* passed in a bare $HOP_SUITE"
