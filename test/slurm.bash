# slurm.bash - a Slurm of our own: munged, slurmctld and slurmd processes, all files and sockets in
# one folder, on free ports of this machine. Needs root, since only root may start jobs.

# slurm_missing: what there is not, or nothing.
slurm_missing()
{
    local tool
    for tool in munged slurmctld slurmd sbatch squeue scancel scontrol; do
        PATH=$PATH:/usr/sbin:/sbin command -v $tool >/dev/null || { echo "$tool is not installed"; return; }
    done
    [ "$(id -u)" -eq 0 ] || echo "slurmd needs root"
}

# slurm_start DIR NODES [LINES]: nodes n1 to nNODES, each with two processors and the gres
# "visit:1"; LINES more for slurm.conf. Sets SLURM_CONF.
slurm_start()
{
    local i ports
    SLURM_DIR=$1
    export SLURM_DIR SLURM_CONF=$1/slurm.conf
    PATH=$PATH:/usr/sbin:/sbin
    mkdir -p "$1/state"
    chmod 755 "$1"
    head -c 128 /dev/urandom >"$1/munge.key"
    chmod 400 "$1/munge.key"
    slurm_munge || return
    ports=$((20000 + RANDOM % 12000)) # below those that the system gives to whoever connects
    cat >"$SLURM_CONF" <<END
ClusterName=hop
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmUser=root
FirstJobId=1
SlurmctldPort=$ports
AuthType=auth/munge
AuthInfo=socket=$1/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$1/state
SlurmdSpoolDir=$1/spool.%n
SlurmctldPidFile=$1/slurmctld.pid
SlurmdPidFile=$1/slurmd.%n.pid
SlurmctldLogFile=$1/slurmctld.log
SlurmdLogFile=$1/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=0
SlurmdParameters=config_overrides
SlurmctldTimeout=10
SlurmdTimeout=5
MinJobAge=2
KillWait=2
InactiveLimit=0
ReturnToService=2
GresTypes=visit
${3:-}
END
    for i in $(seq "$2"); do
        mkdir -p "$1/spool.n$i"
        echo "NodeName=n$i NodeAddr=127.0.0.1 NodeHostname=$(hostname -s) Port=$((ports + i)) CPUs=2 RealMemory=500 Gres=visit:1 State=UNKNOWN"
    done >>"$SLURM_CONF"
    echo "PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP" >>"$SLURM_CONF"
    echo "Name=visit Count=1" >"$1/gres.conf"
    slurm_controller || return
    for i in $(seq "$2"); do slurm_node "n$i" || return; done
    for i in $(seq 100); do
        [ "$(sinfo -h -N -o %T | grep -c idle)" -lt "$2" ] || return 0
        sleep 0.2
    done
    sinfo -N -l
    tail -n 20 "$1"/slurm*.log
    return 1
}

# slurm_munge; slurm_controller; slurm_node NAME: start one; slurm_pid NAME: its process.
slurm_munge()
{
    munged --force --key-file="$SLURM_DIR/munge.key" --socket="$SLURM_DIR/munge.socket" --pid-file="$SLURM_DIR/munge.pid" \
        --log-file="$SLURM_DIR/munge.log" --seed-file="$SLURM_DIR/munge.seed" 3>&-
}
slurm_controller()
{
    # A controller that was killed may have forgotten its last jobs; nodes that have them would take new
    # jobs of the same numbers for copies, and be drained for it: numbers only grow.
    sed -i "s/^FirstJobId=.*/FirstJobId=$(($(sed -n 's/^FirstJobId=//p' "$SLURM_CONF") + 10000))/" "$SLURM_CONF"
    slurmctld -f "$SLURM_CONF" 3>&- >/dev/null 2>&1
}
# With SLURM_HIDES, a folder, nodes see an empty one in its place, as if it lay on another machine.
slurm_node()
{
    if [ -n "${SLURM_HIDES:-}" ]; then
        unshare -m sh -c 'mount -t tmpfs none "$1" && exec slurmd -f "$2" -N "$3"' - "$SLURM_HIDES" "$SLURM_CONF" "$1"
    else
        slurmd -f "$SLURM_CONF" -N "$1"
    fi 3>&- >/dev/null 2>&1
}
slurm_pid()
{
    case $1 in
    slurmctld) cat "$SLURM_DIR/slurmctld.pid" ;;
    *) cat "$SLURM_DIR/slurmd.$1.pid" ;;
    esac
}

# slurm_resume: what an administrator does after a crash. Nodes are drained where a controller that was
# killed has forgotten that a job ended, and starts it again.
slurm_resume()
{
    local node state
    sinfo -h -N -o '%N %T' | while read -r node state; do
        case $state in
        drain* | down*) scontrol update NodeName="$node" State=RESUME || : ;;
        esac
    done
}

# slurm_stop: jobs, then all that was started.
slurm_stop()
{
    local f
    [ -n "${SLURM_DIR:-}" ] || return 0
    timeout 10 scancel -u "$(id -un)" 2>/dev/null || :
    for _ in $(seq 50); do
        [ -n "$(timeout 5 squeue -h 2>/dev/null)" ] || break
        sleep 0.2
    done
    for f in "$SLURM_DIR"/slurmd.*.pid "$SLURM_DIR/slurmctld.pid" "$SLURM_DIR/munge.pid"; do
        [ ! -s "$f" ] || kill "$(cat "$f")" 2>/dev/null || :
    done
    for _ in $(seq 50); do
        [ -n "$(ls "$SLURM_DIR"/*.pid 2>/dev/null)" ] || return 0
        sleep 0.1
    done
}
