#!/bin/sh
# lint.sh SCRIPT...: style of C (clang-format 14 or newer), shell (shellcheck), manual (mandoc).
# A tool that is not installed is named and left out; with none of them that is a failure.
cd "$(dirname "$0")/.." || exit 1
n_bad=0
n_run=0
with() { command -v "$1" >/dev/null 2>&1 || { echo "lint: no $1 here: left out"; return 1; }; }
check() { n_run=$((n_run + 1)); "$@" || n_bad=$((n_bad + 1)); }
mandoc_clean() { ! mandoc -T lint -W warning "$@" 2>&1 | grep -v 'referenced manual not found' | grep .; }

if with clang-format; then
    # shellcheck disable=SC2046 # no blanks in our names
    check clang-format --dry-run -Werror --ferror-limit=3 $(find lib tools examples test -name '*.[ch]')
fi
if with shellcheck; then
    check shellcheck -s sh -S warning "$@"
    check shellcheck -s bash -S warning .ci/run
fi
if with mandoc; then
    check mandoc_clean man/*
fi
[ "$n_run" -gt 0 ] || exit 1
[ "$n_bad" -eq 0 ] || { echo "lint: $n_bad of $n_run checks failed"; exit 1; }
echo "lint: ok"
