#!/usr/bin/env bash
# A cluster of Slurm on this machine alone, without systemd, as the user who runs this: slurm.sh start DIR PORT PORT | slurm.sh stop DIR
set -eu
dir=$2
PATH="$PATH:/usr/sbin"
if [ "$1" = stop ]; then
    for file in slurmd.pid slurmctld.pid munge/pid; do
        [ ! -f "$dir/$file" ] || kill "$(cat "$dir/$file")" || true
    done
    exit
fi

mkdir -p "$dir/state" "$dir/spool" "$dir/munge"
chmod 711 "$dir/munge"
head -c 1024 /dev/urandom > "$dir/munge/key"
chmod 600 "$dir/munge/key"
munged --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" --pid-file="$dir/munge/pid" \
    --log-file="$dir/munge/log" --seed-file="$dir/munge/seed"
host=$(hostname -s)
user=$(id -un)
cat > "$dir/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$3
SlurmdPort=$4
SlurmUser=$user
SlurmdUser=$user
# a task that is queued anew waits until its credential has expired: 2 minutes, if nothing is said
AuthInfo=socket=$dir/munge/socket,cred_expire=5
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,bf_interval=1
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
$(slurmd -C | head -n 1) NodeAddr=127.0.0.1
PartitionName=main Nodes=ALL Default=YES
CONF
export SLURM_CONF="$dir/slurm.conf"
slurmctld
slurmd
