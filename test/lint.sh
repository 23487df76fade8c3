#!/bin/sh
# lint.sh SCRIPT...: lines and functions of C, shell (shellcheck), manual (mandoc). A tool that is
# not installed is named and left out. clang-format only advises: it knows no tables.
cd "$(dirname "$0")/.." || exit 1
n_bad=0
n_run=0
with() { command -v "$1" >/dev/null 2>&1 || { echo "lint: no $1 here: left out"; return 1; }; }
check() { n_run=$((n_run + 1)); "$@" || n_bad=$((n_bad + 1)); }
mandoc_clean() { ! mandoc -T lint -W warning "$@" 2>&1 | grep -v 'referenced manual not found' | grep .; }

# No tabs, no blanks at the end; functions up to 100 lines. Lines over 100 columns are counted only:
# some rows of tables read better so.
c_lines()
{
    find lib tools examples test -name '*.[ch]' | sort | xargs awk '
        function bad(what) { printf "%s:%d: %s\n", FILENAME, FNR, what; n_bad++ }
        FNR == 1 { start = 0 }
        length > 100 { n_long++ }
        /\t/ { bad("tab") }
        /[ \t]$/ { bad("blank at the end") }
        /^{/ { start = FNR }
        /^}/ && start { if (FNR - start > 100) bad("function of " FNR - start " lines"); start = 0 }
        END { print "lint: " n_long + 0 " lines over 100 columns"; exit n_bad > 0 }'
}

check c_lines
if with shellcheck; then
    check shellcheck -s sh -S warning "$@"
    check shellcheck -s bash -S warning .ci/run
fi
if with mandoc; then
    check mandoc_clean man/*
fi
if with clang-format; then
    n=$(find lib tools examples test -name '*.[ch]' \
        -exec sh -c 'clang-format "$1" | cmp -s - "$1" || echo x' sh {} \; | grep -c x)
    echo "lint: clang-format would change $n files (make format; mind the tables)"
fi
[ "$n_bad" -eq 0 ] || { echo "lint: $n_bad of $n_run checks failed"; exit 1; }
echo "lint: ok"
