# lib.bash - shared by the bats files: `load lib` first.
#
# HOP_BUILD is the build folder (default: build). Tests run in a fresh folder, removed afterwards
# unless HOP_KEEP is set; HOP_WRAP (e.g. valgrind) is for the tests that use `hop`.
bats_require_minimum_version 1.5.0

ROOT=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
: "${HOP_BUILD:=$ROOT/build}"
PATH=$HOP_BUILD/bin:$PATH
export HOP_SHARE=$ROOT/share
export ROOT HOP_BUILD PATH
unset HOP_DEVICE
# Locks of devices of our own: tests do not wait for what else trains on this machine.
export XDG_RUNTIME_DIR=${BATS_FILE_TMPDIR:-$BATS_RUN_TMPDIR}

# Real pictures, when they are there.
REAL=${HOP_REAL_DATA:-$ROOT/../shared/data}

setup()
{
    cd "$BATS_TEST_TMPDIR" || return 1
    if declare -F local_setup >/dev/null; then
        local_setup
    fi
}

# run_err STATUS PATTERN COMMAND...: fails with STATUS, one line on stderr that matches PATTERN.
run_err()
{
    local want=$1 pattern=$2
    shift 2
    run --separate-stderr -"$want" "$@"
    [ "${#stderr_lines[@]}" -eq 1 ] || { echo "stderr: $stderr"; return 1; }
    [[ $stderr =~ $pattern ]] || { echo "stderr: $stderr"; echo "wanted: $pattern"; return 1; }
}
