# examples/cifar10 and examples/mnist: their Makefiles, spaces, tables and pictures, on drawn shapes;
# in .ci/run, or with HOP_SLOW=1, all of them on real pictures, at SCALE=0.02.
load lib

local_setup()
{
    export BIN=$HOP_BUILD/bin
    CIFAR="$ROOT/examples/cifar10" MNIST_DIR="$ROOT/examples/mnist"
}

# shapes_tar: shapes.tar with train/CLASS and test/CLASS of 32x32 pictures, like the archive of CIFAR-10
shapes_tar()
{
    "$HOP_BUILD/examples/shapes" -o pics -n 8 --val 3 --size 32
    mv pics/val pics/test
    tar cf shapes.tar -C pics train test
}

# is_png FILE
is_png()
{
    [ "$(od -An -tx1 -N8 "$1" | tr -d ' ')" = 89504e470d0a1a0a ] || { echo "$1 is no PNG"; return 1; }
    [ "$(wc -c <"$1")" -gt 5000 ]
}

# tables RUN: what tables.sh leaves
tables()
{
    local t
    [ -e "$1/importance.txt" ] # empty where all configs do the same
    for t in all top10 no-overfit by-model pareto; do
        [ "$(wc -l <"$1/$t.txt")" -ge 1 ] || { echo "no $1/$t.txt"; return 1; }
    done
    if command -v gnuplot >/dev/null; then
        is_png "$1/curves.png"
        is_png "$1/overfit.png"
    fi
}

@test "the talk's counts: 96, 12, and Hyperband's R by SCALE" {
    cd "$CIFAR"
    [ "$(hop-search -q grid grid96.json </dev/null | wc -l)" -eq 96 ]
    [ "$(hop-search -q grid refine12.json </dev/null | wc -l)" -eq 12 ]
    hop-search -q grid refine12.json </dev/null | jq -es 'all(.batch_size >= 128 and .model != "cifar10-cnn1" and .passes == 5)'
    # every one of the twelve has its values in the 96
    hop-search -q grid grid96.json </dev/null | jq -c 'del(.id)' | sort >"$BATS_TEST_TMPDIR/96"
    [ -z "$(hop-search -q grid refine12.json </dev/null | jq -c 'del(.id)' | sort | comm -23 - "$BATS_TEST_TMPDIR/96")" ]
    ask() { hop-search -q hyperband -R "$1" --eta 3 "$2" </dev/null | jq -es "length == $3 and all(.until == 1)"; }
    ask 81 hyperband.json 81
    ask 27 hyperband-refined.json 27
    ask 27 "$MNIST_DIR/hyperband.json" 27
    planned() { make -n "$1" SCALE="$2" DATA=/nix OUT=/nix CIFAR10=/dev/null 2>/dev/null | grep -o -e '--iterations [0-9]*' -e 'hop-shard -q -n [0-9]* --fraction [0-9.]*' -e '-R [0-9]* --eta 3' | uniq | xargs; }
    [ "$(planned grid96 1)" = "hop-shard -q -n 16 --fraction 1 --iterations 10" ]
    [ "$(planned refine12 0.2)" = "hop-shard -q -n 3 --fraction 0.2 --iterations 10" ]
    [ "$(planned refine12 0.02 | grep -o iterations.*)" = "iterations 1" ]
    [ "$(planned hyperband 1 | grep -o -e '-R.*')" = "-R 81 --eta 3" ]
    [ "$(planned hyperband 0.34 | grep -o -e '-R.*')" = "-R 27 --eta 3" ]
    [ "$(planned hyperband 0.02 | grep -o -e '-R.*')" = "-R 3 --eta 3" ]
    [ "$(planned hyperband-refined 1 | grep -o -e '-R.*')" = "-R 27 --eta 3" ]
    make -s help | grep -q 'SCALE=1 '
    run -2 make -n grid96 OUT="a b"
    [[ $output == *'OUT="a b": no blanks in it, please'* ]]
    [ "$(make -s | head -n 1)" = "$(make -s help | head -n 1)" ]
}

@test "refine12 on drawn shapes: data, run, tables, pictures; again, nothing is trained" {
    shapes_tar
    refine() { make -C "$CIFAR" refine12 SCALE=0.02 PASSES=1 WORKERS=2 OUT="$PWD/out" CIFAR10="$PWD/shapes.tar" HOPFLAGS=-q; }
    refine >said 2>err || { cat said err; false; }
    jq -e '.splits.train.examples == 10 and (.splits.train.shards | length) == 2' "out/data/manifest.json"
    run="out/refine12"
    [ "$(wc -l <"$run/all.txt")" -eq 13 ]
    [ "$(wc -l <"$run/top10.txt")" -eq 11 ]
    tables "$run"
    grep -q 'CIFAR-10 refine12, the ten best:' said
    [ "$(head -n 1 "$run/no-overfit.txt" | grep -c ' gap ')" -eq 1 ]
    jq -es '[.[] | select(.hop == "eval/1" and .split == "train" and (has("shard") | not))] | length == 12' "$run/log.jsonl"
    cksum "$run/log.jsonl" "$run"/models/* >before
    refine >said2 2>&1
    cksum "$run/log.jsonl" "$run"/models/* | diff before -
    # a folder of data that is there needs no pictures
    make -C "$CIFAR" refine12 SCALE=0.02 PASSES=1 WORKERS=2 OUT="$PWD/out" CIFAR10=/nix HOPFLAGS=-q >said3 2>&1
}

@test "hyperband on drawn shapes: brackets as they are printed, tables, pictures" {
    shapes_tar
    make -C "$CIFAR" hyperband hyperband-refined SCALE=0.02 PASSES=1 WORKERS=2 OUT="$PWD/out" CIFAR10="$PWD/shapes.tar" HOPFLAGS=-q >said 2>err ||
        { cat said err; false; }
    for r in hyperband hyperband-refined; do
        # R = 3: 3 configs for 1 iteration, the best of them and 2 more for 3
        hop-search hyperband --table -R 3 --eta 3 | diff - "out/$r-brackets.txt"
        [ "$(hop-search select <"out/$r/log.jsonl" | jq .iteration | sort | xargs)" = "1 1 3 3 3" ]
        tables "out/$r"
    done
    jq -es 'map(select(.hop == "config/1")) | all(.model != "cifar10-cnn1" and .lr <= 0.005 and .batch_size >= 128)' out/hyperband-refined/log.jsonl
}

@test "what is fetched is checked, or not there" {
    shapes_tar
    sum=$(sha256sum <shapes.tar)
    fetch() { make -s -C "$CIFAR" fetch URL="file://$PWD/$1" CIFAR10="$PWD/got/c.tar" SHA256="$2"; }
    run fetch shapes.tar 0000
    [ "$status" -ne 0 ]
    [[ $output == *"is not what it was: SHA-256 ${sum%% *}, should be 0000"* ]]
    [ -z "$(ls got)" ]
    run fetch nix.tar 0000
    [ "$status" -ne 0 ]
    [[ $output == *"nix.tar: cannot be fetched"* ]]
    [ -z "$(ls got)" ]
    fetch shapes.tar "${sum%% *}"
    cmp shapes.tar got/c.tar
}

# bytes: hex digits to bytes
bytes() { printf "$(sed 's,..,\\x&,g')"; }

# idx_files DIR: four IDX files as MNIST's, 60 and 20 pictures: digit d is a bar at column 2 d
idx_files()
{
    local n name
    mkdir -p "$1"
    for name in train:60 t10k:20; do
        n=${name#*:}
        name=${name%:*}
        awk -v n="$n" 'BEGIN { for (i = 0; i < n; i++) printf "%02x", i % 10 }' >hex
        printf '00000801%08x%s' "$n" "$(cat hex)" | bytes | gzip >"$1/$name-labels-idx1-ubyte.gz"
        { printf '00000803%08x0000001c0000001c' "$n"
          awk -v n="$n" 'BEGIN { for (i = 0; i < n; i++) for (y = 0; y < 28; y++) for (x = 0; x < 28; x++)
              printf "%s", int(x / 2) == i % 10 ? "ff" : "00" }'; } | bytes | gzip >"$1/$name-images-idx3-ubyte.gz"
    done
}

@test "mnist: IDX files, a small grid, Hyperband over widths and depths" {
    idx_files digits
    mnist() { make -C "$MNIST_DIR" "$@" SHARDS=2 PASSES=1 WORKERS=2 OUT="$PWD/out" MNIST="$PWD/digits" HOPFLAGS=-q >said 2>&1 || { cat said; false; }; }
    mnist grid SCALE=1
    jq -e '.splits.train.examples == 60 and .splits.val.examples == 20 and .shape == [28, 28, 1]' out/data/manifest.json
    [ "$(wc -l <out/grid/all.txt)" -eq 9 ]
    tables out/grid
    mnist hyperband SCALE=0.1
    tables out/hyperband
    # nets of one to three layers, as wide as the space says
    jq -es 'map(select(.hop == "config/1")) | length == 5 and all(.depth >= 1 and .depth <= 3 and .width >= 64 and .width <= 1024)' out/hyperband/log.jsonl
}

@test "mnist: a tar file of pictures; the real ones where they are" {
    # what the archive has: train/CLASS/NAME.png
    "$HOP_BUILD/examples/shapes" -o pics -n 12 --size 28
    tar cf digits.tar -C pics train
    data() { make -s -C "$MNIST_DIR" data SCALE="$1" OUT="$PWD/out-$1" MNIST="$2"; }
    data 0.5 "$PWD/digits.tar"
    jq -e '(.classes | length) == 10 and .splits.train.examples == 50 and .splits.val.examples == 10' out-0.5/data/manifest.json
    [ -r "$REAL/mnist-png-train.tar.xz" ] || return 0
    data 0.01 "$REAL/mnist-png-train.tar.xz"
    jq -e '.classes == ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"] and .shape == [28, 28, 1] and
        .splits.train.examples >= 490 and .splits.train.examples <= 510' out-0.01/data/manifest.json
}

@test "all four experiments on CIFAR-10 at SCALE=0.02" {
    [ -n "${HOP_SLOW:-}${HOP_CI:-}" ] || skip "four minutes: set HOP_SLOW=1"
    [ -r "$REAL/cifar10-jpeg.tar.xz" ] || skip "no $REAL/cifar10-jpeg.tar.xz"
    time make -C "$CIFAR" all SCALE=0.02 WORKERS=2 OUT="$PWD/out" CIFAR10="$REAL/cifar10-jpeg.tar.xz" HOPFLAGS=-q
    for r in grid96 refine12 hyperband hyperband-refined; do
        tables "out/$r"
    done
    [ "$(wc -l <out/grid96/all.txt)" -eq 97 ]
    # twice better than chance, of 1,000 pictures in 5 passes
    awk 'NR == 2' out/grid96/top10.txt
    hop-search select <out/grid96/log.jsonl | jq -es '.[0].value > 0.2'
}
