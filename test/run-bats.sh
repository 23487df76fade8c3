#!/bin/sh
# Run the bats files (test/*PATTERN*.bats); the last line counts what ran.
cd "$(dirname "$0")" || exit 1
pattern=${1:-}
command -v bats >/dev/null || { echo "bats is missing (sh ../bootstrap.sh deps)"; exit 1; }
set --
for f in *"$pattern"*.bats; do
    [ -e "$f" ] && set -- "$@" "$f"
done
[ $# -gt 0 ] || { echo "no test file matches '$pattern'"; exit 1; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
bats --formatter tap --print-output-on-failure "$@" >"$log" 2>&1
status=$?
grep -v '^ok .*# skip' "$log" | grep -v '^ok ' | grep -v '^1\.\.'
grep '# skip' "$log"
skipped=$(grep -c '^ok .*# skip' "$log")
passed=$(($(grep -c '^ok ' "$log") - skipped))
failed=$(grep -c '^not ok ' "$log")
[ $status -ne 0 ] && [ "$failed" -eq 0 ] && failed=1
echo "$passed passed, $failed failed, $skipped skipped"
[ $status -eq 0 ] && [ "$passed" -gt 0 ]
