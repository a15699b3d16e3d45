#!/usr/bin/env bash
# A Slurm of one node on this machine, from Debian's packages: to try a workflow, not to run a cluster. Needs root; safe to run again.
# It replaces /etc/slurm/slurm.conf, so it refuses where one of another hand lies.
set -euo pipefail

readonly marker="# Written by setup-slurm.sh of fastvlm-npu."
readonly conf=/etc/slurm/slurm.conf

say() { printf 'setup-slurm: %s\n' "$*"; }
fail() {
  printf 'setup-slurm: %s\n' "$*" >&2
  exit 4
}

[[ $(id -u) -eq 0 ]] || fail "needs root"
[[ ! -f $conf ]] || grep -qF "$marker" "$conf" || fail "$conf is there and not from this script; a cluster is used as it is"

if ! command -v slurmctld >/dev/null || ! command -v slurmd >/dev/null || ! command -v munged >/dev/null; then
  apt-get -q update
  # Debian starts services by itself where it can; they are started below, with this configuration.
  DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends slurmctld slurmd slurm-client munge
fi

host=$(hostname -s)
memory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)
mkdir -p /etc/slurm /var/spool/slurmctld /var/spool/slurmd /var/log/slurm
cat >$conf <<CONF
$marker
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
SlurmctldLogFile=/var/log/slurm/slurmctld.log
SlurmdLogFile=/var/log/slurm/slurmd.log
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$memory State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF

pkill -x slurmctld || true
pkill -x slurmd || true
if ! pgrep -x munged >/dev/null; then
  [[ -s /etc/munge/munge.key ]] || dd if=/dev/urandom of=/etc/munge/munge.key bs=1024 count=1 status=none
  mkdir -p /run/munge
  chown -R munge:munge /etc/munge /run/munge /var/log/munge /var/lib/munge
  chmod 400 /etc/munge/munge.key
  runuser -u munge -- /usr/sbin/munged
fi
sleep 1
slurmctld
slurmd
for _ in $(seq 30); do
  [[ $(sinfo -h -o %T 2>/dev/null) == idle ]] && break
  sleep 1
done
[[ $(sinfo -h -o %T) == idle ]] || fail "the node does not come up; see /var/log/slurm"
say "partition main, $(nproc) cores, $memory MB"
