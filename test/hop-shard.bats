# hop-shard: every source, the deal, the files it leaves, and what it refuses.
load lib

shapes()
{
    "$HOP_BUILD/examples/shapes" -o "$@"
}

# digests DIR: one line per shard, and the data set's own.
digests()
{
    jq -r '.dataset, (.splits[].shards[] | .name + " " + .digest)' "$1/manifest.json"
}

# samples DIR: pictures of every kind, 8x6.
samples()
{
    [ -x "$HOP_BUILD/test/t_image" ] || skip "unit tests are not built (make unit)"
    mkdir -p "$1"
    "$HOP_BUILD/test/t_image" --write "$1"
}

# no_leftovers DIR: no temporary file is left.
no_leftovers()
{
    [ -z "$(find "$1" -name '*.tmp')" ] || { find "$1" -name '*.tmp'; return 1; }
}

@test "a folder of class folders: shards, manifest, records" {
    shapes pics -n 12 --val 5 --size 16
    hop-shard -q -n 4 -o data --val pics/val pics/train >out
    jq -es 'length == 8 and all(.hop == "shard/1") and
        (map(select(.split == "train").examples) == [30, 30, 30, 30]) and
        (map(select(.split == "val").examples) | add == 50)' out
    jq -e '.hop == "manifest/1" and .shape == [16, 16, 3] and .dtype == "U8" and
        .classes == ["circle", "crescent", "cross", "diamond", "heart", "ring", "square", "star",
                     "stripes", "triangle"] and
        .splits.train.examples == 120 and
        all(.splits.train.shards[]; .per_class == [3, 3, 3, 3, 3, 3, 3, 3, 3, 3]) and
        (.mean | length) == 3 and all(.std[]; . > 10)' data/manifest.json
    for s in $(jq -r '.splits[].shards[] | .name' data/manifest.json); do
        [ "$(stat -c %s "data/$s.safetensors")" = \
            "$(jq --arg s "$s" '.splits[].shards[] | select(.name == $s).bytes' data/manifest.json)" ]
    done
    no_leftovers data
    hop-shard --check data | jq -e '.hop == "check/1" and .status == "ok" and .shards == 8'
}

@test "the order of the file system does not count; seed and content do" {
    shapes pics -n 4 --val 0 --size 8
    mkdir -p other
    for f in $(cd pics/train && find . -name '*.png' | sort -r); do
        mkdir -p "other/$(dirname "$f")"
        cp "pics/train/$f" "other/$f"
    done
    (cd pics/train && tar cf ../../sorted.tar $(find . -name '*.png' | sort))
    hop-shard -q -n 2 -o a pics/train >/dev/null
    hop-shard -q -n 2 -o b other >/dev/null
    hop-shard -q -n 2 -o c sorted.tar >/dev/null
    hop-shard -q -n 2 -o d --seed 2 other >/dev/null
    cmp a/train-001.safetensors b/train-001.safetensors
    cmp a/manifest.json b/manifest.json
    cmp a/manifest.json c/manifest.json
    run -1 cmp -s a/train-001.safetensors d/train-001.safetensors
    [ "$(jq .dataset a/manifest.json)" = "$(jq .dataset d/manifest.json)" ]
}

@test "archives: tar, gz, bz2, xz; ./ in front, names with spaces and #; cut ones refused" {
    shapes pics -n 3 --val 1 --size 8
    mv pics/train/star "pics/train/a star"
    hop-shard -q -n 2 -o want pics/train >/dev/null
    # sorted, so that the content comes in the same order
    tar --sort=name -cf a.tar pics
    tar --sort=name -czf a.tar.gz ./pics
    tar --sort=name -cjf a.tar.bz2 pics
    tar --sort=name -cJf 'a #1.tar.xz' --format=pax pics
    for a in a.tar a.tar.gz a.tar.bz2 'a #1.tar.xz'; do
        hop-shard -q -n 2 -o got --force "$a#pics/train" >/dev/null
        cmp want/manifest.json got/manifest.json
        hop-shard -q -n 2 -o got --force "$a#/pics/train/" >/dev/null
        cmp want/manifest.json got/manifest.json
    done
    run_err 1 '^hop-shard: a.tar: no member lies in "none/"' hop-shard -o x 'a.tar#none'
    run_err 1 '^hop-shard: a.tar: no member lies in "pic/"' hop-shard -o x 'a.tar#pic'
    head -c 3000 a.tar.gz >cut.tar.gz
    run_err 1 '^hop-shard: cut.tar.gz' hop-shard -o x 'cut.tar.gz#pics/train'
    head -c 9000 a.tar >cut.tar
    run_err 1 '^hop-shard: cut.tar' hop-shard -o x 'cut.tar#pics/train'
    run_err 1 '^hop-shard: none.tar#x: cannot open' hop-shard -o x 'none.tar#x'
    run_err 2 '^hop-shard: pics#train: ' hop-shard -o x --format pictures 'pics#train'
}

@test "names that are not ASCII, in folder and archive" {
    shapes pics -n 2 --val 0 --size 8
    mv pics/train/star 'pics/train/étoile ☆'
    tar --sort=name -cf a.tar --format=pax -C pics train
    tar --sort=name -cf b.tar --format=gnu -C pics train
    for s in pics/train a.tar#train b.tar#train; do
        LC_ALL=C hop-shard -q -n 2 -o out --force "$s" >/dev/null
        jq -e '.classes[9] == "étoile ☆"' out/manifest.json
    done
}

@test "pictures of every kind become one data set in colour" {
    samples s/a
    samples s/b
    rm s/b/*rgb* s/b/cmyk.jpg s/b/palette.png
    hop-shard -q -n 2 -o data s >/dev/null
    jq -e '.shape == [6, 8, 3] and .splits.train.examples == 14' data/manifest.json
    mkdir -p g/a g/b
    cp s/a/grey* g/a
    cp s/a/grey.png g/b
    hop-shard -q -n 2 -o grey g >/dev/null
    jq -e '.shape == [6, 8, 1] and (.mean | length) == 1' grey/manifest.json
    # val in colour makes train colour too
    hop-shard -q -n 2 -o both --val s g >/dev/null
    jq -e '.shape == [6, 8, 3] and .splits.val.examples == 14' both/manifest.json
    hop-shard -q -n 2 -o small --size 3x5 s >/dev/null
    jq -e '.shape == [3, 5, 3]' small/manifest.json
}

@test "pictures of two sizes: both named, with the way out" {
    samples s/a
    shapes pics -n 1 --val 0 --size 8
    cp pics/train/star/0000.png s/a/star.png
    run_err 1 'hop-shard: s/a/star.png: 8x8, but s/a/alpha.png is 6x8 \(--size 6x8' hop-shard -o x s
    hop-shard -q -n 1 -o y --size 6x8 s >/dev/null
}

@test "a corrupt picture: named, exit 1; with --skip-bad left out" {
    shapes pics -n 4 --val 0 --size 8
    head -c 100 pics/train/star/0002.png >cut
    mv cut pics/train/star/0002.png
    echo hello >pics/train/ring/README
    : >pics/train/ring/empty.png
    : >pics/train/ring/.DS_Store
    run_err 1 '^hop-shard: pics/train/ring/README: neither PNG nor JPEG' hop-shard -o x pics/train
    rm pics/train/ring/README
    run_err 1 '^hop-shard: pics/train/ring/empty.png: ' hop-shard -o x pics/train
    rm pics/train/ring/empty.png
    run_err 1 '^hop-shard: pics/train/star/0002.png: PNG: ' hop-shard -o x pics/train
    [ ! -e x/manifest.json ]
    no_leftovers x
    run -0 --separate-stderr hop-shard -n 1 -o x --skip-bad pics/train
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ $stderr =~ star/0002.png:\ .*skipped ]]
    jq -e '.splits.train.examples == 39' x/manifest.json
    tar cf a.tar -C pics train
    run_err 1 '^hop-shard: a.tar#train/star/0002.png: PNG: ' hop-shard -o y a.tar#train
    hop-shard -q -n 1 -o y --skip-bad a.tar#train >/dev/null
    jq -e '.splits.train.examples == 39' y/manifest.json
}

@test "links, pipes and folders among the pictures neither hang nor crash" {
    shapes pics -n 2 --val 0 --size 8
    mkfifo pics/train/star/pipe
    ln -s nowhere pics/train/star/dangling
    ln -s ../star pics/train/star/loop
    mkdir pics/train/star/more
    cp pics/train/star/0000.png pics/train/star/more
    run_err 1 'star/dangling: a link to nothing' timeout 20 hop-shard -o x pics/train
    rm pics/train/star/dangling
    run_err 1 'star/loop/.*: Too many levels of symbolic links' timeout 20 hop-shard -o x pics/train
    rm pics/train/star/loop
    run_err 1 'star/pipe: not a plain file' timeout 20 hop-shard -o x pics/train
    rm pics/train/star/pipe
    hop-shard -q -n 1 -o x pics/train >/dev/null
    jq -e '.splits.train.shards[0].per_class == [2, 2, 2, 2, 2, 2, 2, 3, 2, 2]' x/manifest.json
    tar cf a.tar --transform 's,star/0001,star/copy,' -C pics train
    ln pics/train/star/0000.png pics/train/star/hard.png
    tar cf a.tar -C pics train
    run_err 1 'star/.*: a link to another member' hop-shard -o y a.tar#train
}

@test "a class folder without a picture, an empty source, files beside the classes" {
    shapes pics -n 2 --val 0 --size 8
    mkdir pics/train/void nothing
    run_err 1 '^hop-shard: pics/train: no picture of class "void"' hop-shard -o x pics/train
    tar cf a.tar -C pics train
    run_err 1 'no picture of class "void"' hop-shard -o x a.tar#train
    run_err 1 '^hop-shard: nothing: no example' hop-shard -o x nothing
    rmdir pics/train/void
    echo text >pics/train/README
    run -0 --separate-stderr hop-shard -n 1 -o x pics/train
    [[ $stderr =~ README:\ lies\ in\ no\ class\ folder ]]
}

@test "--fraction keeps its part of each class, of both splits; less is a part of more" {
    shapes pics -n 40 --val 10 --size 8
    # pictures DIR: the digest of each picture of train, which lie at the end of the file
    pictures() { tail -c $((192 * $(jq .splits.train.examples $1/manifest.json))) $1/train-000.safetensors | split -b 192 --filter='sha1sum'; }
    for f in 1 0.5 0.1; do
        hop-shard -q -n 1 -o d$f --fraction $f --val pics/val pics/train >/dev/null
    done
    [ "$(jq -c '[.splits.train.examples, .splits.val.examples, .splits.train.shards[0].per_class[0]]' d1/manifest.json d0.5/manifest.json d0.1/manifest.json | xargs)" = \
        "[400,100,40] [200,50,20] [40,10,4]" ]
    [ -z "$(comm -23 <(pictures d0.1 | sort) <(pictures d0.5 | sort))" ]
    [ "$(comm -12 <(pictures d0.5 | sort) <(pictures d1 | sort) | wc -l)" -eq 200 ]
    hop-shard -q -n 1 -o all --val pics/val pics/train >/dev/null
    diff <(digests all) <(digests d1)
    hop-shard --check d0.1 | jq -e '.problems == []'
    # cut from train: disjoint from it as ever, one of each class at least
    hop-shard -q -n 2 -o cut --fraction 0.01 --val-fraction 0.2 pics/train >/dev/null
    [ "$(jq -c '[.splits.train.examples, .splits.val.examples]' cut/manifest.json)" = "[10,10]" ]
    hop-shard --check cut | jq -e '.problems == []'
    run_err 2 '^hop-shard: --fraction: ' hop-shard --fraction 0 pics
    run_err 2 '^hop-shard: --fraction: ' hop-shard --fraction 1.5 pics
}

@test "--val: unknown class refused, fewer classes fine; --val-fraction takes its part of each" {
    shapes pics -n 10 --val 2 --size 8
    mv pics/val/star pics/val/comet
    run_err 1 'val/comet: class "comet" is not in the train split' \
        hop-shard -o x --val pics/val pics/train
    rm -r pics/val/comet
    hop-shard -q -n 2 -o x --val pics/val pics/train >/dev/null
    jq -e '.splits.val.examples == 18 and .splits.val.shards[0].per_class[7] == 0' x/manifest.json
    hop-shard -q -n 2 -o y --val-fraction 0.2 pics/train >/dev/null
    jq -e '.splits.train.examples == 80 and all(.splits.train.shards[].per_class[]; . == 4) and
        .splits.val.examples == 20 and all(.splits.val.shards[].per_class[]; . == 1)' y/manifest.json
    hop-shard --check y | jq -e '.duplicates == 0'
    run_err 2 '^hop-shard: --val: ' hop-shard -o z --val pics/val --val-fraction 0.1 pics/train
    hop-shard -q -n 2 -o v --val-shards 3 --val-fraction 0.2 pics/train >/dev/null
    [ "$(jq '.splits.val.shards | length' v/manifest.json)" -eq 3 ]
}

# cifar_batch SEED: three records, labels SEED, SEED+1, SEED+2.
cifar_batch()
{
    for i in 0 1 2; do
        printf "\\x0$(($1 + i))"
        head -c 3072 /dev/zero | tr '\0' "\\$((101 + $1 + i))"
    done
}

@test "CIFAR-10 binary: folder, archive, one batch; class names" {
    mkdir cifar-10-batches-bin
    cd cifar-10-batches-bin
    for i in 0 3 6; do
        cifar_batch $i >data_batch_$((i / 3 + 1)).bin
    done
    cifar_batch 1 >test_batch.bin
    printf '%s\n' airplane automobile bird cat deer dog frog horse ship truck '' >batches.meta.txt
    echo '<html>' >readme.html
    cd ..
    hop-shard -q -n 3 -o a --val cifar-10-batches-bin/test_batch.bin cifar-10-batches-bin >/dev/null
    jq -e '.shape == [32, 32, 3] and .classes[5] == "dog" and (.classes | length) == 9 and
        .splits.train.examples == 9 and .splits.val.examples == 3' a/manifest.json
    tar --sort=name -czf c.tar.gz cifar-10-batches-bin
    hop-shard -q -n 3 -o b --val c.tar.gz#cifar-10-batches-bin/test_batch.bin c.tar.gz >/dev/null
    cmp a/manifest.json b/manifest.json
    rm cifar-10-batches-bin/batches.meta.txt
    hop-shard -q -n 3 -o c cifar-10-batches-bin >/dev/null
    jq -e '.classes[5] == "5"' c/manifest.json
    # planes become pixels: the first byte of red and of blue stand side by side
    printf '\x00' >p.bin
    { head -c 1024 /dev/zero | tr '\0' R; head -c 1024 /dev/zero | tr '\0' G
      head -c 1024 /dev/zero | tr '\0' B; } >>p.bin
    hop-shard -q -n 1 -o p --format cifar10 p.bin >/dev/null
    tail -c 6 p/train-000.safetensors | grep -q '^RGBRGB$'
    head -c 5000 cifar-10-batches-bin/data_batch_1.bin >data_batch_9.bin
    run_err 1 'data_batch_9.bin@3073: 1927 bytes left' hop-shard -o x data_batch_9.bin
}

# idx FILE N: N images of 2x3 and their labels 0, 1, ..., 11, 0, ...
idx()
{
    printf '\0\0\x08\x03\0\0\0'"\\x$(printf %02x "$2")"'\0\0\0\x02\0\0\0\x03' >"$1-images-idx3-ubyte"
    head -c $((6 * $2)) /dev/zero | tr '\0' x >>"$1-images-idx3-ubyte"
    printf '\0\0\x08\x01\0\0\0'"\\x$(printf %02x "$2")" >"$1-labels-idx1-ubyte"
    for i in $(seq 0 $(($2 - 1))); do
        printf "\\x$(printf %02x $((i % 12)))"
    done >>"$1-labels-idx1-ubyte"
}

@test "MNIST IDX: file or folder, .gz or not; classes in the order of numbers" {
    mkdir m
    idx m/train 48
    idx m/t10k 24
    hop-shard -q -n 2 -o a --val m/t10k-images-idx3-ubyte m >/dev/null
    jq -e '.shape == [2, 3, 1] and .classes[2] == "2" and .classes[10] == "10" and
        .mean == [120] and .std == [0] and .splits.val.examples == 24' a/manifest.json
    hop-shard -q -n 2 -o b --val m/t10k-images-idx3-ubyte m/train-images-idx3-ubyte >/dev/null
    cmp a/manifest.json b/manifest.json
    gzip m/*
    hop-shard -q -n 2 -o c --val m/t10k-images-idx3-ubyte.gz m >/dev/null
    cmp a/manifest.json c/manifest.json
    rm m/train-labels-idx1-ubyte.gz
    run_err 1 'train-images-idx3-ubyte.gz: no labels beside it' hop-shard -o x m
}

@test "CSV: label column, any text as class; errors name the line" {
    printf 'a,kind,b\n1,x,-2\n3,"y, z",4e1\n5,x,6\n7,"y, z",8\n' >t.csv
    hop-shard -q -n 2 -o a --label kind t.csv >/dev/null
    jq -e '.dtype == "F32" and .shape == [2] and .classes == ["x", "y, z"] and .mean == [4, 13]' \
        a/manifest.json
    gzip -k t.csv
    hop-shard -q -n 2 -o b --label kind t.csv.gz >/dev/null
    cmp a/manifest.json b/manifest.json
    run_err 2 '^hop-shard: t.csv: .*--label' hop-shard -o x t.csv
    run_err 2 '^hop-shard: --label: no column "z"' hop-shard -o x --label z t.csv
    run_err 2 '^hop-shard: --size: ' hop-shard -o x --label kind --size 3x3 t.csv
    printf 'b,kind,a\n1,x,2\n' >other.csv
    run_err 1 '^hop-shard: other.csv:2: the columns are not those of the train split' \
        hop-shard -n 1 -o x --label kind --val other.csv t.csv
    printf 'a,kind\n1,x\n2\n' >bad.csv
    run_err 1 '^hop-shard: bad.csv:3: 1 fields, but the header has 2' hop-shard -o x --label kind bad.csv
}

@test "a finished data set is not overwritten without --force; nor while another works on it" {
    shapes pics -n 4 --val 2 --size 8
    hop-shard -q -n 4 -o d --val pics/val pics/train >/dev/null
    cp d/manifest.json before
    run_err 1 '^hop-shard: d/manifest.json: there is a finished data set' hop-shard -n 2 -o d pics/train
    # a failure under --force leaves the old data set whole
    run_err 1 'none: cannot open' hop-shard -n 2 -o d --force pics/train/none
    cmp before d/manifest.json
    hop-shard --check d | jq -e '.status == "ok"'
    # fewer shards than before: no strangers stay behind
    hop-shard -q -n 2 -o d --force pics/train >/dev/null
    [ "$(ls d)" = "$(printf 'manifest.json\ntrain-000.safetensors\ntrain-001.safetensors')" ]
    run_err 75 '^hop-shard: d/.lock: held' flock d/.lock "$HOP_BUILD/bin/hop-shard" -o d --force pics/train
}

@test "killed at any moment, a folder is either complete or has no manifest; the next run mends it" {
    shapes pics -n 30 --val 0 --size 16
    hop-shard -q -n 3 -o want pics/train >/dev/null
    for s in 0.003 0.006 0.01 0.015 0.02 0.03 0.04 0.06 0.08 0.12; do
        timeout -s KILL $s hop-shard -q -n 3 -o d pics/train >/dev/null 2>&1 || true
        [ ! -e d/manifest.json ] || hop-shard --check d >/dev/null
        rm -f d/manifest.json
    done
    hop-shard -q -n 3 -o d pics/train >/dev/null
    cmp want/manifest.json d/manifest.json
    no_leftovers d
}

@test "a signal stops it, clears its files away, and is its status" {
    shapes pics -n 200 --val 0 --size 32
    for signal in INT TERM HUP; do
        run -$((128 + $(kill -l $signal))) --separate-stderr \
            timeout --preserve-status -s $signal 0.04 hop-shard -q -n 3 -o d pics/train
        [ -z "$output$stderr" ]
        [ "$(ls -A d)" = .lock ]
    done
}

@test "--check finds what is wrong, says it, exits 1" {
    shapes pics -n 4 --val 2 --size 8
    cp pics/train/star/0000.png pics/val/ring/0000.png
    hop-shard -q -n 2 -o d --val pics/val pics/train >/dev/null
    run -1 --separate-stderr hop-shard --check d
    echo "$output" | jq -e '.duplicates == 1 and .status == "wrong" and (.problems | length) == 1'
    [[ $stderr =~ val-00.*\(ring\)\ is\ in\ train\ too ]]
    rm pics/val/ring/0000.png
    hop-shard -q -n 2 -o d --force --val pics/val pics/train >/dev/null
    hop-shard --check d >/dev/null
    cp d/train-000.safetensors keep
    printf X | dd of=d/train-000.safetensors bs=1 seek=2000 conv=notrunc status=none
    run -1 --separate-stderr hop-shard --check d
    echo "$output" | jq -e '.damaged == 1 and (.problems[0] | contains("train-000.safetensors@"))'
    cp d/train-001.safetensors d/train-000.safetensors
    run -1 --separate-stderr hop-shard --check d
    echo "$output" | jq -e '.damaged == 1'
    rm d/train-000.safetensors
    run -1 --separate-stderr hop-shard --check d
    echo "$output" | jq -e '.damaged == 1'
    cp keep d/train-000.safetensors
    cp keep d/train-002.safetensors
    run -1 --separate-stderr hop-shard --check d
    echo "$output" | jq -e '.strangers == 1 and .damaged == 0'
    rm d/train-002.safetensors
    hop-shard --check d >/dev/null
    jq -c '.splits.train.shards[0].per_class[0] += 1' d/manifest.json >m && cp m d/manifest.json
    run_err 1 'd/manifest.json: train-000: "per_class"' hop-shard --check d
    run_err 1 'none/manifest.json: cannot open' hop-shard --check none
}

@test "wrong usage: one line, exit 2" {
    shapes pics -n 2 --val 0 --size 8
    run_err 2 'needs a SOURCE' hop-shard
    run_err 2 'one SOURCE only' hop-shard a b
    run_err 2 '^hop-shard: -n: "0"' hop-shard -n 0 pics
    run_err 2 '^hop-shard: -n: "1000"' hop-shard -n 1000 pics
    run_err 2 '^hop-shard: --size: ' hop-shard --size 3x pics
    run_err 2 '^hop-shard: --size: ' hop-shard --size 0x3 pics
    run_err 2 '^hop-shard: --val-fraction: ' hop-shard --val-fraction 1 pics
    run_err 2 '^hop-shard: --format: unknown format "bmp" \(.*csv' hop-shard -o x --format bmp pics
    run_err 2 '^hop-shard: -n: 21 shards, but only 20' hop-shard -n 21 -o x pics/train
    run_err 1 '^hop-shard: none: cannot open' hop-shard -o x none
}

@test "a full disk, a folder that cannot be written" {
    shapes pics -n 2 --val 0 --size 8
    run_err 1 '^hop-shard: stdout: ' bash -c 'hop-shard -n 1 -o x pics/train >/dev/full'
    : >file
    run_err 1 '^hop-shard: file: cannot make the folder' hop-shard -o file/x pics/train
    run_err 1 'annot write: File too large' bash -c 'trap "" XFSZ; ulimit -f 4; exec hop-shard -n 1 -o y pics/train'
    [ ! -e y/manifest.json ]
    no_leftovers y
}

@test "Python's safetensors opens a shard" {
    python3 -c 'import safetensors.numpy' 2>/dev/null || skip "no Python package safetensors"
    shapes pics -n 2 --val 0 --size 8
    hop-shard -q -n 2 -o d pics/train >/dev/null
    run -0 python3 -c '
from safetensors import safe_open
f = safe_open("d/train-001.safetensors", "np")
x, y = f.get_tensor("x"), f.get_tensor("y")
print(x.shape, x.dtype, sorted(y.tolist()), f.metadata()["hop.index"])'
    [ "$output" = '(10, 8, 8, 3) uint8 [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] 1' ]
}

# within KIB COMMAND...: run it with so much address space, which is more than its resident memory.
within()
{
    if hop-shard --version | grep -q address; then
        "${@:2}" # a sanitizer takes terabytes of address space
    else
        (ulimit -v "$1" && "${@:2}")
    fi
}

@test "memory does not grow with the data: 94 MB of pictures in 88 MiB of address space" {
    n=120000
    printf '\0\0\x08\x03\0\x01\xd4\xc0\0\0\0\x1c\0\0\0\x1c' >a-images-idx3-ubyte
    head -c $((n * 28 * 28)) /dev/zero >>a-images-idx3-ubyte
    printf '\0\0\x08\x01\0\x01\xd4\xc0' >a-labels-idx1-ubyte
    yes '0123456789' | tr -d '\n' | head -c $n >>a-labels-idx1-ubyte
    within 90112 hop-shard -q -n 3 -o data a-images-idx3-ubyte >/dev/null
    jq -e '.splits.train.examples == 120000 and all(.splits.train.shards[].per_class[]; . == 4000)' \
        data/manifest.json
}

@test "CIFAR-10, 60,000 JPEGs in tar.xz: 8 x 6,250, 625 of each class, under 200 MiB" {
    [ -r "$REAL/cifar10-jpeg.tar.xz" ] || skip "no $REAL/cifar10-jpeg.tar.xz"
    within 204800 hop-shard -n 8 -o cifar --val "$REAL/cifar10-jpeg.tar.xz#test" "$REAL/cifar10-jpeg.tar.xz#train" >/dev/null
    jq -e '.shape == [32, 32, 3] and ([.splits.train.shards[].examples] == [6250, 6250, 6250, 6250,
        6250, 6250, 6250, 6250]) and all(.splits.train.shards[].per_class[]; . == 625) and
        ([.splits.val.shards[].examples] | add) == 10000' cifar/manifest.json
    hop-shard --check cifar | jq -e '.status == "ok"'
}

@test "MNIST, 60,000 PNGs in tar.xz: grey, balanced, under 200 MiB" {
    [ -r "$REAL/mnist-png-train.tar.xz" ] || skip "no $REAL/mnist-png-train.tar.xz"
    within 204800 hop-shard -n 8 -o mnist "$REAL/mnist-png-train.tar.xz#train" >/dev/null
    jq -e '.shape == [28, 28, 1] and .classes == ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"] and
        all(.splits.train.shards[].examples; . == 7500) and .splits.train.examples == 60000 and
        ([.splits.train.shards[].per_class[1]] | max - min <= 1 and add == 6742)' mnist/manifest.json
    hop-shard --check mnist | jq -e '.status == "ok"'
}
