# The runners themselves: a failing test must fail the run, and be counted. Without this file, a
# runner that always says "passed" would go unnoticed.
load lib

local_setup()
{
    export HOP_TEST_DIR=$PWD/tests
    mkdir tests
    printf '@test "fine" { true; }\n' >tests/fine.bats
}

# outside COMMAND...: as from a shell, without what bats leaves in the environment of its tests.
outside()
{
    local path
    path=$(printf %s "$PATH" | tr ':' '\n' | grep -v 'libexec/bats' | tr '\n' ':')
    env -i PATH="$path" HOME="${HOME-/}" TMPDIR="${TMPDIR-/tmp}" HOP_TEST_DIR="$HOP_TEST_DIR" "$@"
}

unit_program() # NAME TAP_LINE STATUS
{
    printf '#!/bin/sh\necho "%s"\nexit %s\n' "$2" "$3" >"$1"
    chmod +x "$1"
}

@test "bats runner: passing tests pass and are counted" {
    run -0 outside sh "$ROOT/test/run-bats.sh"
    [ "${lines[-1]}" = "1 passed, 0 failed, 0 skipped" ]
}

@test "bats runner: a test made to fail fails the run" {
    printf '@test "made to fail" { false; }\n' >tests/bad.bats
    run -1 outside sh "$ROOT/test/run-bats.sh"
    [ "${lines[-1]}" = "1 passed, 1 failed, 0 skipped" ]
    [[ $output == *"not ok"*"made to fail"* ]]
}

@test "bats runner: a file that does not parse fails the run" {
    printf '@test "broken" { if; }\n' >tests/bad.bats
    run -1 outside sh "$ROOT/test/run-bats.sh"
    [[ ${lines[-1]} =~ ^[0-9]+\ passed,\ [1-9][0-9]*\ failed ]]
}

@test "bats runner: a test that hangs fails the run" {
    [[ $(bats --version) =~ 1\.[89]|1\.[1-9][0-9] ]] || skip "bats before 1.8 has no time limit"
    printf '@test "hangs" { sleep 60; }\n' >tests/bad.bats
    run -1 outside BATS_TEST_TIMEOUT=1 sh "$ROOT/test/run-bats.sh"
    [ "${lines[-1]}" = "1 passed, 1 failed, 0 skipped" ]
}

@test "bats runner: skipped tests are neither passed nor failed" {
    printf '@test "not here" { skip "no camera"; }\n' >tests/skip.bats
    run -0 outside sh "$ROOT/test/run-bats.sh"
    [ "${lines[-1]}" = "1 passed, 0 failed, 1 skipped" ]
    [[ $output == *"no camera"* ]]
}

@test "bats runner: no test at all is a failure" {
    rm tests/fine.bats
    run -1 outside sh "$ROOT/test/run-bats.sh"
    [ "${lines[-1]}" = "0 passed, 1 failed, 0 skipped" ]
}

@test "unit runner: a failing program, a crash and an empty list fail the run" {
    unit_program good 'ok 1 - fine' 0
    unit_program bad 'not ok 1 - wrong' 1
    unit_program crash 'ok 1 - fine so far' 139
    run -0 sh "$ROOT/test/run-unit.sh" ./good
    [ "${lines[-1]}" = "unit: 1 passed, 0 failed, 0 skipped" ]
    run -1 sh "$ROOT/test/run-unit.sh" ./good ./bad
    [ "${lines[-1]}" = "unit: 1 passed, 1 failed, 0 skipped" ]
    run -1 sh "$ROOT/test/run-unit.sh" ./good ./crash
    [ "${lines[-1]}" = "unit: 2 passed, 1 failed, 0 skipped" ]
    run -1 sh "$ROOT/test/run-unit.sh"
}

@test "check adds the parts up, and one failure anywhere is its status" {
    unit_program good 'ok 1 - fine' 0
    unit_program bad 'not ok 1 - wrong' 1
    run -0 outside sh "$ROOT/test/check.sh" ./good
    [ "${lines[-1]}" = "4 passed, 0 failed, 0 skipped" ] # two checks, one unit, one bats test
    run -1 outside sh "$ROOT/test/check.sh" ./bad
    [ "${lines[-1]}" = "3 passed, 1 failed, 0 skipped" ]
    printf '@test "made to fail" { false; }\n' >tests/bad.bats
    run -1 outside sh "$ROOT/test/check.sh" ./good
    [ "${lines[-1]}" = "4 passed, 1 failed, 0 skipped" ]
}

@test "check-includes finds an upward include, a second includer, a library that prints" {
    mkdir -p r/lib r/tools
    cp -R "$ROOT"/lib/base "$ROOT"/lib/format "$ROOT"/lib/net r/lib/
    run -0 sh "$ROOT/test/check-includes.sh" r
    echo '#include "net/net.h"' >>r/lib/base/str.c
    echo '#include <jansson.h>' >>r/lib/format/model.c
    echo 'void f(void) { printf("hello"); }' >>r/lib/net/net.c
    echo 'hop_lost_t f(void);' >>r/lib/base/mem.h
    run -1 sh "$ROOT/test/check-includes.sh" r
    [[ $output == *"lib/base/str.c:"*"base may not include net"* ]]
    [[ $output == *"lib/format/model.c:"*"<jansson.h> belongs to"* ]]
    [[ $output == *"lib/net/net.c:"*"does not print"* ]]
    [[ $output == *"lib/base/mem.h: does not compile alone"* ]]
    [ "${lines[-1]}" = "check-includes: 4 breaches" ]
}

@test "check-tables finds a file without its row" {
    mkdir -p r/lib/engine
    cp -R "$ROOT"/lib/base "$ROOT"/lib/net r/lib/
    cp -R "$ROOT"/lib/engine/ref r/lib/engine/
    run -0 sh "$ROOT/test/check-tables.sh" r
    touch r/lib/net/layer_bogus.c
    run -1 sh "$ROOT/test/check-tables.sh" r
    [[ $output == *"layer_bogus.c: no row for bogus"* ]]
}
