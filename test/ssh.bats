# Workers behind ssh: a real sshd on a free port of this machine, its keys and its home in the
# test's folder; results must be those of local workers.
load lib
load tiny

setup_file()
{
    load lib
    load tiny
    for tool in sshd ssh ssh-keygen; do
        PATH=$PATH:/usr/sbin:/sbin command -v $tool >/dev/null || { export NO_SSH="$tool is not installed"; return 0; }
    done
    cd "$BATS_FILE_TMPDIR"
    export SSH_DIR=$BATS_FILE_TMPDIR/ssh
    mkdir -m 700 "$SSH_DIR"
    ssh-keygen -q -t ed25519 -N '' -f "$SSH_DIR/host"
    ssh-keygen -q -t ed25519 -N '' -f "$SSH_DIR/user"
    cp "$SSH_DIR/user.pub" "$SSH_DIR/authorized"
    start_sshd
}

# As root sshd wants its folder for privilege separation; as anybody else it serves that user alone.
start_sshd()
{
    local port
    [ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
    for _ in $(seq 20); do
        port=$((20000 + RANDOM % 12000))
        cat >"$SSH_DIR/sshd_config" <<END
Port $port
ListenAddress 127.0.0.1
HostKey $SSH_DIR/host
AuthorizedKeysFile $SSH_DIR/authorized
PidFile $SSH_DIR/pid
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
MaxStartups 100
LogLevel VERBOSE
SetEnv XDG_RUNTIME_DIR=$XDG_RUNTIME_DIR
END
        "$(PATH=$PATH:/usr/sbin:/sbin command -v sshd)" -f "$SSH_DIR/sshd_config" -E "$SSH_DIR/sshd.log" 3>&- || continue
        for _ in $(seq 50); do
            [ -s "$SSH_DIR/pid" ] && break
            sleep 0.05
        done
        if [ -s "$SSH_DIR/pid" ]; then
            echo "$port" >"$SSH_DIR/port"
            return 0
        fi
    done
    cat "$SSH_DIR/sshd.log"
    return 1
}

teardown_file()
{
    [ ! -s "${SSH_DIR:-/nonexistent}/pid" ] || kill "$(cat "$SSH_DIR/pid")"
}

local_setup()
{
    [ -z "${NO_SSH:-}" ] || skip "$NO_SSH"
    tiny_data 3
    tiny_space
    sed -i 's/\[8, 16\]/8/' space.json
    ssh_args="\"-F\",\"none\",\"-i\",\"$SSH_DIR/user\",\"-p\",\"$(cat "$SSH_DIR/port")\",\"-o\",\"StrictHostKeyChecking=no\",\"-o\",\"UserKnownHostsFile=$SSH_DIR/known\",\"-o\",\"LogLevel=ERROR\",\"$(id -un)@127.0.0.1\""
    mkdir "remote shards"
    cp data/train-001.safetensors data/val-001.safetensors "remote shards/"
    cat >workers <<END
{"name":"here","shards":["train-000","train-002","val-000"]}
{"name":"there","ssh":[$ssh_args],"folder":"$PWD/remote shards","path":"$HOP_BUILD/bin","device":"ref","shards":["train-001","val-001"]}
END
}

@test "a local and an ssh worker = local workers, byte for byte" {
    hop-run -q -o mixed --data data --workers workers --device ref grid --iterations 2 space.json
    hop-run -q -o all_local --data data --workers 2 --device ref grid --iterations 2 space.json
    same_tensors all_local mixed
    [ "$(jq -r 'select(.hop == "train/1" and .shard == "train-001") | .worker' mixed/log.jsonl | sort | uniq -c | xargs)" = "6 there" ]
    [ "$(jq -r 'select(.hop == "eval/1" and .shard == "val-001") | .worker' mixed/log.jsonl | sort -u)" = there ]
    # it went through sshd: six visits, six evaluations, over one connection, opened by "true"
    [ "$(grep -c 'Accepted publickey' "$SSH_DIR/sshd.log")" -eq 1 ]
    [ "$(grep -c 'Starting session: command' "$SSH_DIR/sshd.log")" -eq 13 ]
    # which is closed behind it
    for _ in $(seq 50); do
        pgrep -P "$(cat "$SSH_DIR/pid")" >/dev/null || break
        sleep 0.1
    done
    [ -z "$(pgrep -P "$(cat "$SSH_DIR/pid")")" ]
    # what the remote one is not given it cannot have used
    [ "$(jq -r 'select(.hop == "train/1" and .worker == "there") | .shard' mixed/log.jsonl | sort -u)" = train-001 ]
}

# The next model is there before the one before it has been trained: with the worker's turn in our
# hands nothing trains, and as many hop-trains as slots and one for each wait over there.
@test "the next model is sent while the current one trains, one more than slots and no more; no other bytes" {
    sed -i '1d; s/"shards":\[[^]]*\]/"shards":["train-000","train-001","train-002","val-000","val-001"]/' workers
    cp data/*.safetensors "remote shards/"
    n_there() { # processes behind sshd that train
        local p n=0
        for p in $(pgrep -x hop-train); do
            case $(tr '\0' ' ' 2>/dev/null <"/proc/$p/cmdline") in *"$PWD/remote shards"*) n=$((n + 1)) ;; esac
        done
        echo $n
    }
    mkdir -p "$XDG_RUNTIME_DIR/hop"
    for engine in parallel make; do
        for ahead in 0 1; do
            run=run.$engine.$ahead
            turn=$(hop-run --dry-run -q -o $run --data data --workers workers --send-ahead 1 grid space.json |
                grep -o 'turn [0-9a-f]*' | sort -u | tr ' ' -)
            [ "$(wc -w <<<"$turn")" -eq 1 ]
            exec 7>>"$XDG_RUNTIME_DIR/hop/$turn.0"
            flock 7
            [ $ahead = 1 ] || exec 7>&- # no turns are taken then
            HOP_PROGRESS=0 hop-run -q -o $run --data data --workers workers --engine $engine --send-ahead $ahead grid space.json >$run.out 7>&- 3>&- &
            pid=$!
            if [ $ahead = 1 ]; then
                for _ in $(seq 500); do
                    n=$(n_there)
                    [ "$n" -lt 2 ] || break
                    sleep 0.05
                done
                [ "$n" -eq 2 ]
                sleep 0.5
                [ "$(n_there)" -eq 2 ]
                [ "$(grep -c '"train/1"' $run/log.jsonl)" -eq 0 ]
                exec 7>&-
            fi
            wait $pid
            no_leftovers $run
        done
        same_tensors run.$engine.0 run.$engine.1
    done
    hop-run -q -o all_local --data data --workers 2 --device ref grid space.json
    same_tensors all_local run.parallel.1
    same_tensors all_local run.make.1
}

@test "a host that does not answer: exit 75, nothing lost, and it goes on when it does" {
    sed 's/"-p","[0-9]*"/"-p","1"/' workers >dead
    run --separate-stderr -75 hop-run -q -o run --data data --workers dead --device ref --retries 0 grid space.json
    [[ $stderr == *"exit status 255"* ]]
    [[ $stderr == *"try again: hop-visit"*"--worker there (exit 75)"* ]]
    no_leftovers run
    hop-run -q -o run --data data --workers workers --device ref grid space.json
    hop-run -q -o all_local --data data --workers 2 --device ref grid space.json
    same_tensors all_local run
}

@test "a remote failure is told in the remote tool's words" {
    rm "remote shards/train-001.safetensors"
    run --separate-stderr -1 hop-run -q -o run --data data --workers workers --device ref grid space.json
    [[ $stderr == *"hop-train: $PWD/remote shards/train-001.safetensors: "*"No such file"* ]]
}

@test "an ssh that is killed in the middle of a visit leaves nothing half-done" {
    sed -i 's/"model"/"passes": 12000, "model"/' space.json
    hop-run -q -o run --data data --workers workers --device ref grid space.json 3>&- &
    pid=$!
    n_kills=0
    for _ in $(seq 600); do
        kill -0 $pid 2>/dev/null || break
        sleep 0.05
        [ $n_kills -lt 3 ] || continue
        for f in /proc/[0-9]*/comm; do
            name=
            read -r name 2>/dev/null <"$f" || continue
            [ "$name" = ssh ] || continue
            p=${f#/proc/}
            p=${p%/comm}
            case $(tr '\0' ' ' 2>/dev/null <"/proc/$p/cmdline") in *"$PWD/remote shards"*) ;; *) continue ;; esac
            kill -9 "$p" 2>/dev/null && n_kills=$((n_kills + 1))
            break
        done
    done
    wait $pid
    [ $n_kills -ge 1 ] # three, where looking through /proc is quick
    hop-run -q -o all_local --data data --workers 2 --device ref grid space.json
    same_tensors all_local run
    no_leftovers run
}
