#!/bin/sh
# Run unit tests (TAP programs); print failures and a line per program; exit 1 if any failed.
failed=0
passed=0
skipped=0
for t in "$@"; do
    out=$("$t" 2>&1)
    status=$?
    n_ok=$(printf '%s\n' "$out" | grep -c '^ok ')
    n_skip=$(printf '%s\n' "$out" | grep -c '^ok .*# skip')
    n_bad=$(printf '%s\n' "$out" | grep -c '^not ok ')
    if [ $status -ne 0 ]; then
        printf '%s\n' "$out" | grep -v '^ok '
        [ "$n_bad" -gt 0 ] || n_bad=1
        echo "FAILED ${t##*/} (exit $status); run: $t"
    else
        echo "passed ${t##*/} ($n_ok)"
        printf '%s\n' "$out" | sed -n 's/^ok [0-9]* - \(.*# skip .*\)/    \1/p'
    fi
    passed=$((passed + n_ok - n_skip))
    skipped=$((skipped + n_skip))
    failed=$((failed + n_bad))
done
echo "unit: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ $((passed + skipped)) -gt 0 ]
