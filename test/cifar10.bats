# The main job on real pictures: 4 configs, 3 iterations, 2 workers. About a quarter of an hour, so
# only with HOP_SLOW=1 (make check-slow), and only where the pictures are.
load lib

@test "CIFAR-10: a grid of 4 configs reaches 0.67 in 3 iterations; one picture is told" {
    [ -n "${HOP_SLOW:-}" ] || skip "long: set HOP_SLOW=1"
    [ -r "$REAL/cifar10-jpeg.tar.xz" ] || skip "no $REAL/cifar10-jpeg.tar.xz"
    hop-shard -q -n 8 -o cifar --val "$REAL/cifar10-jpeg.tar.xz#test" \
        "$REAL/cifar10-jpeg.tar.xz#train" >/dev/null
    time hop-run -q -o run --data cifar --workers 2 grid --iterations 3 \
        "$ROOT/share/spaces/cifar10-grid4.json" >board
    cat board
    best=$(hop-search select --metric val.accuracy --top 1 <run/log.jsonl)
    echo "$best"
    # PyTorch on the same files, net 2, adam: 0.60, 0.67, 0.70 after 1, 2, 3 passes
    jq -es 'map(select(.hop == "eval/1" and .split == "val" and (has("shard") | not))) |
        map(.accuracy) | max >= 0.67' run/log.jsonl
    # every config met every shard once per iteration
    jq -es 'map(select(.hop == "train/1")) | group_by([.id, .iteration]) |
        length == 12 and all((map(.shard) | unique | length) == 8 and length == 8)' run/log.jsonl
    tar xJf "$REAL/cifar10-jpeg.tar.xz" test/dog/0001.jpg
    id=$(echo "$best" | jq -r .id)
    hop-eval --predict --top 3 test/dog/0001.jpg <"run/models/$id.safetensors" | tee told
    jq -e '(.top | length) == 3 and .top[0].p >= .top[1].p and .top[1].p >= .top[2].p' told
}
