#!/bin/sh
# Run the bats files (test/*PATTERN*.bats); the last line counts what ran. HOP_TEST_DIR: another
# folder of bats files (the tests of this runner).
cd "${HOP_TEST_DIR:-$(dirname "$0")}" || exit 1
pattern=${1:-}
command -v bats >/dev/null || { echo "bats is missing (sh bootstrap.sh deps)"; exit 1; }
set --
for f in *"$pattern"*.bats; do
    [ -e "$f" ] && set -- "$@" "$f"
done
# A test that hangs fails (bats 1.8 and newer).
: "${BATS_TEST_TIMEOUT:=$([ -n "${HOP_SLOW-}" ] && echo 7200 || echo 300)}"
export BATS_TEST_TIMEOUT
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=1
if [ $# -eq 0 ]; then
    echo "no test file matches '$pattern' in $PWD"
else
    # Passed tests are only counted; everything else is shown as it comes.
    { bats --formatter tap --print-output-on-failure "$@" 2>&1; echo "status $?"; } |
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
