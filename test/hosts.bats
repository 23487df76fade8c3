# Many hosts: hop-schedule probe and hop-shard --push over three real sshds with folders and keys of
# their own.
load lib
load tiny
load hosts

setup_file()
{
    load lib
    load tiny
    load hosts
    NO_HOSTS=$(no_hosts)
    export NO_HOSTS
    [ -z "$NO_HOSTS" ] || return 0
    export HOSTS=$BATS_FILE_TMPDIR/hosts
    start_hosts "$HOSTS" a b c
    cd "$BATS_FILE_TMPDIR"
    tiny_data 4
}

teardown_file()
{
    [ -z "${HOSTS:-}" ] || stop_hosts "$HOSTS"
}

# a and b share nothing; c has replicas of what a has; d is another device of b's host; "here" has the rest
local_setup()
{
    [ -z "$NO_HOSTS" ] || skip "$NO_HOSTS"
    cp -R "$BATS_FILE_TMPDIR/data" .
    for h in a b c; do
        rm -rf "${HOSTS:?}/$h/data"
    done
    cat >workers <<END
{"name":"a","ssh":$(ssh_words "$HOSTS" a),"folder":"$HOSTS/a/data","path":"$HOP_BUILD/bin","device":"ref","shards":["train-000","val-000"]}
{"name":"b","ssh":$(ssh_words "$HOSTS" b),"folder":"$HOSTS/b/data","path":"$HOP_BUILD/bin","device":"ref","shards":["train-001"]}
{"name":"d","ssh":$(ssh_words "$HOSTS" b),"folder":"$HOSTS/b/data","path":"$HOP_BUILD/bin","device":"ref","shards":["train-001","train-002"]}
{"name":"c","ssh":$(ssh_words "$HOSTS" c),"folder":"$HOSTS/c/data","path":"$HOP_BUILD/bin","device":"ref","shards":["train-000","val-000"]}
{"name":"here","device":"ref","shards":["train-003","val-001"]}
END
}

lies() # HOST: its shards, on one line
{
    (cd "$HOSTS/$1/data" 2>/dev/null && ls -A) | xargs
}

@test "push: every shard goes where it belongs, once, and what is there is left alone" {
    run --separate-stderr -0 hop-shard --push workers data
    [ "$(lies a)" = "train-000.safetensors val-000.safetensors" ]
    [ "$(lies b)" = "train-001.safetensors train-002.safetensors" ]
    [ "$(lies c)" = "$(lies a)" ]
    cmp data/train-002.safetensors "$HOSTS/b/data/train-002.safetensors"
    [[ $stderr == "hop-shard: 6 shards sent, 0 were there" ]]
    [ "$(jq -r '"\(.worker) \(.shard) \(.status)"' <<<"$output" | sort | xargs -n 3 | xargs)" = "a train-000 sent a val-000 sent b train-001 sent b train-002 sent c train-000 sent c val-000 sent" ]
    [ "$(jq -r 'select(.shard == "train-002") | "\(.bytes) \(.digest)"' <<<"$output")" = \
        "$(jq -r '.splits.train.shards[2] | "\(.bytes) \(.digest)"' data/manifest.json)" ]
    ls -li "$HOSTS"/*/data >before
    run --separate-stderr -0 hop-shard --push workers data
    [[ $stderr == "hop-shard: 0 shards sent, 6 were there" ]]
    ls -li "$HOSTS"/*/data | cmp before -
}

@test "push: what is missing, cut off or damaged is sent, with the same time and size too" {
    hop-shard -q --push workers data >/dev/null
    f=$HOSTS/b/data/train-002.safetensors
    touch -r "$f" time
    printf X | dd of="$f" bs=1 seek=3000 conv=notrunc status=none
    touch -r time "$f"
    truncate -s 1000 "$HOSTS/a/data/val-000.safetensors"
    rm "$HOSTS/c/data/train-000.safetensors"
    run --separate-stderr -0 hop-shard --push workers data
    [ "$(jq -r 'select(.status == "sent") | "\(.worker) \(.shard)"' <<<"$output" | sort | xargs)" = "a val-000 b train-002 c train-000" ]
    for h in a b c; do
        for f in "$HOSTS/$h"/data/*; do cmp "$f" "data/${f##*/}"; done
    done
}

@test "push: a shard of other data over there is replaced; one damaged here never counts as sent" {
    hop-shard -q --push workers data >/dev/null
    cp "$HOSTS/a/data/train-000.safetensors" "$HOSTS/b/data/train-001.safetensors"
    hop-shard -q --push workers data >out
    [ "$(jq -r 'select(.status == "sent") | .shard' out)" = train-001 ]
    cmp "$HOSTS/b/data/train-001.safetensors" data/train-001.safetensors
    printf X | dd of=data/train-002.safetensors bs=1 seek=3000 conv=notrunc status=none
    rm "$HOSTS/b/data/train-002.safetensors"
    run --separate-stderr -1 hop-shard --push workers data
    [[ $stderr == *"1 shards are not where they belong"* ]]
    [ "$(jq -r 'select(.status == "missing") | "\(.worker) \(.shard)"' <<<"$output")" = "b train-002" ]
}

@test "push: a host that is away is named, the others get theirs, exit 75; then it is gone on with" {
    sed '1s/"-p","[0-9]*"/"-p","1"/' workers >one_away
    run --separate-stderr -75 hop-shard --push one_away data
    [[ $stderr == *"worker a: not reached: "* ]]
    [[ $stderr == *"2 shards are not where they belong (called again it goes on where it was)" ]]
    [ "$(lies c)" = "train-000.safetensors val-000.safetensors" ]
    run --separate-stderr -0 hop-shard --push workers data
    [[ $stderr == "hop-shard: 2 shards sent, 4 were there" ]]
}

@test "push: a connection that is cut in the middle; what came over is not sent again" {
    awk 'BEGIN { print "x,label"; for (i = 0; i < 200000; i++) printf "%.6f,%d\n", (i * 16807 % 2147483) / 1000, i % 2 }' >big.csv
    mkdir big
    awk -F, 'BEGIN { OFS = "," } NR == 1 { for (k = 0; k < 40; k++) printf "c%d,", k; print "label"; next } { for (k = 0; k < 40; k++) printf "%s,", $1 * (k + 1); print $2 }' big.csv >wide.csv
    hop-shard -q -n 1 --label label -o big wide.csv >/dev/null
    echo "{\"name\":\"a\",\"ssh\":$(ssh_words "$HOSTS" a),\"folder\":\"$HOSTS/a/data\",\"path\":\"$HOP_BUILD/bin\"}" >one
    # a slow way, so that there is time to cut it: through rsync's own limit
    mkdir bin
    printf '#!/bin/sh\nexec %s --bwlimit=10m "$@"\n' "$(command -v rsync)" >bin/rsync
    chmod +x bin/rsync
    PATH=$PWD/bin:$PATH hop-shard --push one big >out 2>err 3>&- &
    pid=$!
    for _ in $(seq 500); do
        size=$(stat -c %s "$HOSTS"/a/data/.train-000.safetensors.* 2>/dev/null | tail -n 1)
        [ "${size:-0}" -lt 4000000 ] || break
        sleep 0.02
    done
    sessions "$HOSTS" a | xargs kill -9
    # the server's end of rsync has the file: it keeps what came
    status=0
    wait $pid || status=$?
    cat err
    [ "$status" -eq 75 ]
    grep -q 'worker a: rsync ended with' err
    for _ in $(seq 200); do
        [ ! -e "$HOSTS/a/data/.hop-partial/train-000.safetensors" ] || break
        sleep 0.02
    done
    part=$(stat -c %s "$HOSTS/a/data/.hop-partial/train-000.safetensors")
    [ "$part" -gt 1000000 ]
    [ ! -e "$HOSTS/a/data/train-000.safetensors" ]
    printf '#!/bin/sh\nexec %s --stats "$@" >>%s\n' "$(command -v rsync)" "$PWD/stats" >bin/rsync
    PATH=$PWD/bin:$PATH hop-shard -q --push one big >out
    cmp big/train-000.safetensors "$HOSTS/a/data/train-000.safetensors"
    cat stats
    matched=$(sed -n 's/^Matched data: \([0-9,]*\) bytes.*/\1/p' stats | tr -d ,)
    [ "$matched" -gt $((part / 2)) ]
    [ "$(lies a)" = train-000.safetensors ]
}

@test "push and probe: hop is not there" {
    sed '1s/"path":"[^"]*"/"path":"\/nowhere"/' workers >no_hop
    run --separate-stderr -1 hop-shard --push no_hop data
    [[ $stderr == *'worker a: hop-shard is not found there ("path" says where hop lies)'* ]]
    run --separate-stderr -1 hop-schedule probe no_hop --data data
    [[ $stderr == *'worker a: hop-shard is not found there'* ]]
}

@test "probe: a line per worker, with what its host has; a file of workers again" {
    hop-shard -q --push workers data >/dev/null
    run --separate-stderr -0 hop-schedule probe workers --data data
    [ "$(jq -r '"\(.hop) \(.name) \(.probe.status)"' <<<"$output" | xargs -n 3 | xargs)" = "worker/1 a ok worker/1 b ok worker/1 d ok worker/1 c ok worker/1 here ok" ]
    line=$(sed -n 3p <<<"$output")
    [ "$(jq -r '.probe.shards | keys | join(" ")' <<<"$line")" = "train-001 train-002" ]
    [ "$(jq -r '.probe.shards["train-002"]' <<<"$line")" = "$(jq -r '.splits.train.shards[2].digest' data/manifest.json)" ]
    [ "$(jq .probe.processors <<<"$line")" -eq "$(getconf _NPROCESSORS_ONLN)" ]
    [ "$(jq .probe.memory_bytes <<<"$line")" -gt 1000000 ]
    [ "$(jq .probe.disk_free_bytes <<<"$line")" -gt 1000000 ]
    [ "$(jq -r .probe.version <<<"$line")" = "$(sed -n 's/^VERSION = //p' "$ROOT/Makefile")" ]
    jq -e '.probe.devices | length >= 1' <<<"$line"
    # read again it plans the same
    hop-schedule probe workers --data data >again
    cat again
    hop-schedule -q --data data --workers again </dev/null
    hop-schedule -q probe again --data data | jq -c 'del(.probe.free_bytes, .probe.disk_free_bytes)' >twice
    jq -c 'del(.probe.free_bytes, .probe.disk_free_bytes)' again | cmp - twice
}

@test "probe: who is not reached, what is missing, damaged, or of other data; one that hangs" {
    hop-shard -q --push workers data >/dev/null
    sed '2s/"-p","[0-9]*"/"-p","1"/' workers >one_away
    rm "$HOSTS/a/data/val-000.safetensors"
    printf X | dd of="$HOSTS/c/data/train-000.safetensors" bs=1 seek=3000 conv=notrunc status=none
    run --separate-stderr -75 hop-schedule probe one_away --data data
    [ "$(jq -r .probe.status <<<"$output" | xargs)" = "wrong unreachable ok wrong ok" ]
    [[ $stderr == *"worker b: not reached: ssh: connect to host"* ]]
    [[ $stderr == *"worker a: val-000: "*"No such file"* ]]
    [[ $stderr == *"worker c: train-000: "* ]]
    [[ $stderr == *"one_away: 1 of 5 workers were not reached" ]]
    run --separate-stderr -1 hop-schedule probe workers --data data
    # a host that takes the connection and says nothing
    cat >hang.sh <<END
#!/bin/sh
sleep 60
END
    chmod +x hang.sh
    mkdir hang
    for t in hop-shard hop-train; do cp hang.sh hang/$t; done
    sed "1s|\"path\":\"[^\"]*\"|\"path\":\"$PWD/hang\"|" workers >hangs
    run --separate-stderr -75 hop-schedule probe hangs --data data --timeout 10s
    [[ $stderr == *"worker a: not reached: no answer in time"* ]]
    [ "$(jq -r .probe.status <<<"$output" | head -n 1)" = unreachable ]
    [ "$(jq -r .probe.status <<<"$output" | tail -n 1)" = ok ]
}

@test "probe without data: the shards that lie in the folder; a device that is not there" {
    hop-shard -q --push workers data >/dev/null
    cp data/train-003.safetensors "$HOSTS/b/data/"
    sed '1s/"device":"ref"/"device":"cuda:9"/' workers >odd
    run --separate-stderr -1 hop-schedule probe odd
    [[ $stderr == *"worker a: cuda:9: this device is not there"* ]]
    [ "$(sed -n 2p <<<"$output" | jq -r '.probe.shards | keys | join(" ")')" = "train-001 train-002 train-003" ]
    # one without a folder is asked for none
    sed -n 5p <<<"$output" | jq -e '.probe | has("shards") | not'
}

@test "hop-verify trains where the shards lie" {
    hop-shard -q --push workers data >/dev/null
    tiny_net
    tiny_config x | sed 's/"until":2/"until":1/' >config
    hop-schedule -q --data data --workers workers --run run --as sh <config | sh 2>err
    mkdir only && cp data/manifest.json only/
    # of the shards none is here but its own two
    cp data/train-003.safetensors data/val-001.safetensors only/
    run --separate-stderr -1 hop-verify -q --data only run x
    sed -i "s|{\"name\":\"here\"|&,\"folder\":\"$PWD/data\"|" workers
    hop-verify -q --data only --workers workers run x | jq -e '.status == "equal" and .visits == 4'
    sed 's/"-p","[0-9]*"/"-p","1"/' workers >away
    run --separate-stderr -75 hop-verify -q --data only --workers away run x
    [[ $stderr == *"x visit "*"exit status 255"* ]]
}

@test "names that a shell would mind" {
    odd="$HOSTS/a/it's \$(touch pwned) \"quoted\"
-x"
    jq -nc --arg odd "$odd" --argjson ssh "$(ssh_words "$HOSTS" a)" --arg path "$HOP_BUILD/bin" \
        '{name: "a $(touch pwned)", ssh: $ssh, folder: $odd, path: $path, device: "ref"}' >odd
    hop-shard -q --push odd data >out
    [ "$(ls "$odd" | wc -l)" -eq 6 ]
    for f in "$odd"/*; do cmp "$f" "data/${f##*/}"; done
    hop-schedule probe odd --data data | jq -e '.probe.status == "ok" and (.probe.shards | length == 6)'
    [ -z "$(find . "$HOSTS" ~ -maxdepth 3 -name pwned)" ]
}

@test "bad input: one line, the right exit" {
    run_err 2 'unexpected operand' hop-schedule probe a b
    run_err 1 'nix: ' hop-schedule probe nix
    run_err 1 'nix/manifest.json' hop-shard --push workers nix
    run_err 1 'nix: ' hop-shard --push nix data
    run_err 2 'does not go with --push' hop-shard --check --push workers data
    run_err 2 'timeout' hop-schedule probe workers --timeout 3
}
