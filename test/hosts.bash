# hosts.bash - hosts of a test: real sshds on free ports of this machine, each with its own host key,
# its own key to log in with, and its own folder for shards and for locks of devices.
#
# no_hosts: says on stdout what is missing for that. start_hosts FOLDER NAME...: FOLDER/NAME/ then
# has port, pid (of sshd), log, data/ (for shards) and run/. stop_hosts FOLDER ends them and all that
# they began. FOLDER is absolute and has no blanks (sshd_config knows no quotes).

PATH=$PATH:/usr/sbin:/sbin

no_hosts()
{
    local tool
    for tool in sshd ssh ssh-keygen rsync; do
        command -v $tool >/dev/null || { echo "$tool is not installed"; return 0; }
    done
}

start_hosts() # FOLDER NAME...
{
    local dir=$1 name
    shift
    # As root sshd wants its folder for privilege separation; as anybody else it serves that user alone.
    [ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
    for name in "$@"; do
        mkdir -p "$dir/$name/data" "$dir/$name/run"
        chmod 700 "$dir/$name" "$dir/$name/run"
        ssh-keygen -q -t ed25519 -N '' -f "$dir/$name/host"
        ssh-keygen -q -t ed25519 -N '' -f "$dir/$name/user"
        start_host "$dir" "$name" || return
    done
}

# start_host FOLDER NAME: (again) on the port that it had, or on a free one
start_host()
{
    local at=$1/$2 port tries=0
    rm -f "$at/pid"
    while [ $((tries += 1)) -le 50 ]; do
        if [ -s "$at/port" ]; then
            port=$(cat "$at/port")
            sleep "0.$((tries % 5))"
        else
            port=$((20000 + RANDOM % 12000))
        fi
        cat >"$at/sshd_config" <<END
Port $port
ListenAddress 127.0.0.1
HostKey $at/host
AuthorizedKeysFile $at/user.pub
PidFile $at/pid
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
MaxStartups 100
MaxSessions 100
SetEnv XDG_RUNTIME_DIR=$at/run
END
        # newer ones keep those away for a while whose connections broke: here that is the test
        "$(command -v sshd)" -T -f "$at/sshd_config" 2>/dev/null | grep -qi '^persourcepenalties' &&
            echo 'PerSourcePenalties no' >>"$at/sshd_config"
        "$(command -v sshd)" -f "$at/sshd_config" -E "$at/log" 3>&- 4>&- || continue
        for _ in $(seq 100); do
            if [ -s "$at/pid" ]; then
                echo "$port" >"$at/port"
                return 0
            fi
            sleep 0.05
        done
    done
    cat "$at/log"
    return 1
}

# sessions FOLDER NAME: process ids of the connections that this sshd serves
sessions()
{
    [ ! -s "$1/$2/pid" ] || pgrep -P "$(cat "$1/$2/pid")" || :
}

# stop_host FOLDER NAME: no new connections; those that there are go on
stop_host()
{
    [ ! -s "$1/$2/pid" ] || kill "$(cat "$1/$2/pid")" 2>/dev/null || :
}

stop_hosts() # FOLDER
{
    local at pid
    for at in "$1"/*/; do
        [ -s "$at/pid" ] || continue
        pid=$(cat "$at/pid")
        pgrep -P "$pid" | xargs -r kill 2>/dev/null || :
        kill "$pid" 2>/dev/null || :
    done
}

# ssh_words FOLDER NAME: the value of "ssh" in a file of workers. Names to be checked are told apart
# by port, so one file of known hosts does for all of them.
ssh_words()
{
    local at=$1/$2
    printf '["-F","none","-i","%s","-p","%s","-o","IdentitiesOnly=yes","-o","StrictHostKeyChecking=no","-o","UserKnownHostsFile=%s","-o","LogLevel=ERROR","%s@127.0.0.1"]' \
        "$at/user" "$(cat "$at/port")" "$1/known" "$(id -un)"
}
