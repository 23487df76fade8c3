#!/bin/sh
# `make check`: every part runs, whatever the part before it said; the last line adds them up.
# check.sh UNIT_TEST...
here=$(dirname "$0")
log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0
failed=0
skipped=0

# part COMMAND...: add the counts of its last line; without such a line its status is one result.
part()
{
    { "$@" 2>&1; echo "status $?"; } | tee "$log" | grep -v '^status [0-9]*$'
    status=$(sed -n 's/^status //p' "$log" | tail -n 1)
    counts=$(sed -n 's/^\([a-z]*: \)\{0,1\}\([0-9]* passed, .*\)/\2/p' "$log" | tail -n 1)
    if [ -z "$counts" ]; then
        counts="1 passed, 0 failed"
        [ "$status" = 0 ] || counts="0 passed, 1 failed"
    fi
    n_failed=$(number failed "$counts")
    [ "$status" = 0 ] || [ "$n_failed" -gt 0 ] || n_failed=1
    passed=$((passed + $(number passed "$counts")))
    failed=$((failed + n_failed))
    skipped=$((skipped + $(number skipped "$counts")))
}

# number WORD TEXT: the N of "N WORD" in TEXT.
number()
{
    n=$(echo " $2" | sed -n "s/.* \([0-9][0-9]*\) $1.*/\1/p")
    echo "${n:-0}"
}

part sh "$here/check-includes.sh"
part sh "$here/check-tables.sh"
part sh "$here/run-unit.sh" "$@"
part sh "$here/run-bats.sh"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
