# What every tool has in common (HACKING.md, "Conventions").
load lib

TOOLS="hop-shard hop-search hop-schedule hop-visit hop-train hop-eval hop-verify hop-run"

@test "the list of tools here is the Makefile's" {
    run -0 sed -n 's/^TOOLS = //p; s/^SCRIPTS = //p' "$ROOT/Makefile"
    [ "$(echo $output)" = "$TOOLS" ]
}

@test "--help and -h: usage on stdout, exit 0, nothing on stderr" {
    for tool in $TOOLS; do
        for option in --help -h; do
            run --separate-stderr -0 "$tool" $option
            [[ ${lines[0]} == "usage: $tool "* ]] || { echo "$tool: ${lines[0]}"; false; }
            [ -z "$stderr" ]
        done
        # wide enough for a terminal of 100 columns
        "$tool" --help | awk -v tool="$tool" 'length > 100 { print tool ": " $0; bad = 1 } END { exit bad }'
    done
}

@test "--version and -V: name and version first" {
    version=$(sed -n 's/^VERSION = //p' "$ROOT/Makefile")
    for tool in $TOOLS; do
        for option in --version -V; do
            run --separate-stderr -0 "$tool" $option
            [ "${lines[0]}" = "$tool (hop) $version" ] || { echo "$tool: ${lines[0]}"; false; }
        done
    done
}

@test "unknown and abbreviated options: exit 2 and one line that names them" {
    for tool in $TOOLS; do
        run_err 2 "^$tool: --no-such-option: " "$tool" --no-such-option
        run_err 2 "^$tool: --vers: " "$tool" --vers
        run_err 2 "^$tool: -Z: " "$tool" -Z
    done
}

@test "an option without its value: exit 2 and one line" {
    run_err 2 "^hop-shard: -o: " hop-shard -o
    run_err 2 "^hop-schedule: --run: " hop-schedule --run
    run_err 2 "^hop-visit: --id: " hop-visit --id
    run_err 2 "^hop-train: --shard: " hop-train --shard
    run_err 2 "^hop-eval: --shard: " hop-eval --shard
    run_err 2 "^hop-run: -o: " hop-run -o
}

@test "an option given twice: exit 2 and one line" {
    run_err 2 "^hop-train: --threads: " hop-train --threads 1 --threads 2
    run_err 2 "^hop-schedule: --run: " hop-schedule --run a --run b
}

@test "a number that is none, or out of range: exit 2, the value in the line" {
    run_err 2 '^hop-train: --threads: .*1x' hop-train --threads 1x
    run_err 2 '^hop-train: --threads: .*0' hop-train --threads 0
    run_err 2 '^hop-eval: --top: .*nan' hop-eval --top nan
}

@test "control characters never reach the terminal" {
    run --separate-stderr -2 hop-train $'--no\e[31mred\nline'
    [[ $stderr != *$'\e'* ]]
    [ "${#stderr_lines[@]}" -eq 1 ]
}

@test "writing to a full disk is a failure, and said" {
    for tool in $TOOLS; do
        for option in --help --version; do
            run --separate-stderr -1 bash -c "$tool $option >/dev/full"
            [[ $stderr == "$tool: stdout: "* ]] || { echo "$tool $option: $stderr"; false; }
        done
    done
}

@test "a closed standard output is a failure, not a write to some other file" {
    for tool in $TOOLS; do
        run --separate-stderr bash -c "$tool --help >&-"
        [ "$status" -eq 1 ] || { echo "$tool: $status"; false; }
    done
}

@test "every tool has a page, a file of tests, and a line in README.md" {
    for tool in $TOOLS; do
        [ -s "$ROOT/man/$tool.1" ] || { echo "no man/$tool.1"; false; }
        ls "$ROOT/test/$tool"*.bats >/dev/null || { echo "no test/$tool.bats"; false; }
        grep -q "^| *\[*\`*$tool" "$ROOT/README.md" || { echo "$tool is not in README.md's table"; false; }
    done
}

@test "mains stay short, files too" {
    for f in "$ROOT"/tools/hop-*.c; do
        n=$(wc -l <"$f")
        [ "$n" -le 250 ] || { echo "$f: $n lines, 250 at most"; false; }
    done
    for f in "$ROOT"/tools/*.c "$ROOT"/lib/*/*.c "$ROOT"/lib/*/*/*.c; do
        n=$(wc -l <"$f")
        [ "$n" -le 900 ] || { echo "$f: $n lines, 900 at most"; false; }
    done
    n=$(wc -l <"$ROOT/Makefile")
    [ "$n" -le 300 ]
}

@test "no main function, algorithm or table hides an #ifdef" {
    run -1 grep -nE '^ *# *(if|ifdef|ifndef) .*(DNNL|CUDA|HAVE_)' -r "$ROOT/lib" "$ROOT/tools" --include='*.c'
    [ -z "$output" ]
}
