#!/bin/bash
# killer.bash FOLDER N SEED - kill -9 processes of the searches in FOLDER (their run folders are called
# FOLDER/killed*, their data FOLDER/data) at random moments until there were N; prints the name of
# each. A script of its own because bats traces every command of a test, which makes loops slow.
folder=$1
n=$2
RANDOM=$3

# One look at all processes. Sets `found`, "KIND PID" for each of theirs. No forks: it must be quick.
scan()
{
    local f name words
    found=()
    for f in /proc/[0-9]*; do
        name=
        { read -r name <"$f/comm"; } 2>/dev/null || continue
        case $name in hop-train | hop-visit | hop-run | parallel | perl | sh) ;; *) continue ;; esac
        { mapfile -d '' -t words <"$f/cmdline"; } 2>/dev/null || continue
        case "$name ${words[*]}" in "sh "*" -- hop-"*) continue ;; esac # a shell that starts a visit
        case "${words[*]}" in
        *"$folder/killed"* | *"hop-train "*"$folder/data/"*) found+=("${name/perl/parallel} ${f#/proc/}") ;;
        esac
    done
}

# pids KIND: of what the last scan found, to `here`.
pids()
{
    local one
    here=()
    for one in "${found[@]}"; do
        [ "${one% *}" != "$1" ] || here+=("${one#* }")
    done
}

while [ "$n" -gt 0 ]; do
    sleep "0.$(printf '%03d' $((RANDOM % 200)))"
    # hop-run and its script are always there: only now and then, or nothing would ever get far.
    case $((RANDOM % 10)) in
    0) kind=hop-run ;;
    1) kind="sh" ;;
    [2-4]) kind=hop-train ;;
    [5-7]) kind=hop-visit ;;
    *) kind=parallel ;;
    esac
    for ((i = 0; i < 100; i++)); do
        scan
        pids "$kind"
        [ ${#here[@]} -eq 0 ] || break
        sleep 0.005
    done
    [ ${#here[@]} -gt 0 ] || continue
    if kill -9 "${here[RANDOM % ${#here[@]}]}" 2>/dev/null; then
        n=$((n - 1))
        echo "$kind"
    fi
done
