#!/bin/sh
# Run the bats files (test/*PATTERN*.bats), as many side by side as there are processors (HOP_JOBS);
# the last line counts what ran. HOP_TEST_DIR: another folder of bats files (the tests of this
# runner).
cd "${HOP_TEST_DIR:-$(dirname "$0")}" || exit 1
pattern=${1:-}
long="examples.bats engines.bats chaos.bats"
beside=
command -v bats >/dev/null || { echo "bats is missing (sh bootstrap.sh deps)"; exit 1; }
set --
# Those that take longest begin first.
for f in $long *"$pattern"*.bats; do
    case " $* " in *" $f "*) continue ;; esac
    case $f in *"$pattern"*.bats) [ -e "$f" ] && set -- "$@" "$f" ;; esac
done
# Tests of one file follow each other: they may share a daemon. Without GNU parallel files do, too.
jobs=${HOP_JOBS:-$(getconf _NPROCESSORS_ONLN)}
if [ "$jobs" -gt 1 ] && [ $# -gt 1 ] && command -v parallel >/dev/null; then
    beside="--jobs $jobs --no-parallelize-within-files"
fi
# A test that hangs fails (bats 1.8 and newer).
if [ -n "${HOP_SLOW-}" ]; then
    : "${BATS_TEST_TIMEOUT:=7200}"
else
    : "${BATS_TEST_TIMEOUT:=${HOP_CI:+600}}" "${BATS_TEST_TIMEOUT:=300}"
fi
export BATS_TEST_TIMEOUT
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=1
if [ $# -eq 0 ]; then
    echo "no test file matches '$pattern' in $PWD"
else
    # Passed tests are only counted; everything else is shown as it comes.
    # shellcheck disable=SC2086 # none or three words
    { bats --formatter tap --print-output-on-failure $beside "$@" 2>&1; echo "status $?"; } |
        tee "$log" | grep -Ev '^(ok |1\.\.|status )|^$'
    grep -E '^ok .*# skip' "$log"
    status=$(sed -n 's/^status //p' "$log" | tail -n 1)
fi
skipped=$(grep -c '^ok .*# skip' "$log")
passed=$(($(grep -c '^ok ' "$log") - skipped))
failed=$(grep -c '^not ok ' "$log")
[ "$status" -ne 0 ] && [ "$failed" -eq 0 ] && failed=1
echo "$passed passed, $failed failed, $skipped skipped"
[ "$status" -eq 0 ] && [ "$passed" -gt 0 ]
