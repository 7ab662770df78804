#!/bin/sh
# systemd as process 1 of namespaces of its own, over a copy of this system that nothing is written back from: begin_systemd.sh
# REPOSITORY LOG, called by `unshare` with all namespaces but those of users and the network. Standard input is a terminal,
# which becomes the console. LOG is /var/log there; rules.yaml and drop-in.conf in it are put in place.
set -eu
repository=$1 log=$2
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
cd /mnt/root
mount --bind "$repository" ".$repository"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
for kind in bpf:sys/fs/bpf debugfs:sys/kernel/debug tracefs:sys/kernel/tracing; do
	mount -t "${kind%%:*}" "${kind%%:*}" "${kind#*:}" 2>/dev/null || true
done
mount --rbind /dev dev
mount --bind "$(readlink -f /proc/self/fd/0)" dev/console
mkdir -p etc/hullwatch var/lib/hullwatch var/cache/hullwatch
mount --bind "$log" var/log
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
rm -rf etc/systemd/system var/lib/hullwatch/*
mkdir -p etc/systemd/system/hullwatch.service.d oldroot
cp ".$repository/deploy/systemd/hullwatch.service" etc/systemd/system/
cp var/log/drop-in.conf etc/systemd/system/hullwatch.service.d/
cp var/log/rules.yaml etc/hullwatch/
printf '[Unit]\nDefaultDependencies=no\nRequires=hullwatch.service\n' >etc/systemd/system/try.target
: >etc/machine-id
pivot_root . oldroot
umount -l /oldroot
container=other exec /lib/systemd/systemd --system --unit=try.target --log-target=console --show-status=0
