#!/bin/bash
# A Docker engine in namespaces of its own, from a tree of Debian: nothing of this computer's engine, networks or
# mounts is touched, and all of it ends with this process. Runs as process 1 of `unshare --mount --net --pid --fork`.
# engine.sh TREE FOLDER: FOLDER is seen inside at the same path; FOLDER/engine holds the engine's data, and
# FOLDER/network says (once it is there) that somebody has connected the network, with the proxy's address.
set -euo pipefail
tree=$1
folder=$2
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
mkdir -p /mnt/upper /mnt/work /mnt/root "$folder/engine"
mount -t overlay overlay -o "lowerdir=$tree,upperdir=/mnt/upper,workdir=/mnt/work" /mnt/root
root=/mnt/root
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mkdir -p "$root$folder" "$root/var/lib/docker" "$root/opt/devcontainers-cli"
mount --bind "$folder" "$root$folder"
mount --bind "$folder/engine" "$root/var/lib/docker"
mount --bind "$3" "$root/opt/devcontainers-cli"
cat "$folder/ca.pem" >>"$root/etc/ssl/certs/ca-certificates.crt"
cp /etc/resolv.conf "$root/etc/resolv.conf"
echo "127.0.0.1 localhost" >"$root/etc/hosts"
while [ ! -s "$folder/network" ]; do sleep 0.1; done
read -r proxy <"$folder/network"
# Some limits that files ask for are above the usual ones; where they may not be raised, those files fail.
ulimit -n 1048576 2>/dev/null || ulimit -n "$(ulimit -Hn)"
# Not chroot: what enters a container's mounts lands at their root, which only this moves.
mkdir -p "$root/.before"
cd "$root"
pivot_root . .before
cd /
umount -l /.before
exec /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  HTTPS_PROXY="$proxy" NO_PROXY=localhost,127.0.0.1 \
  sh -c 'ip link set lo up; exec docker-init -- dockerd --group docker --cgroup-parent /guesthouse-cases --storage-driver overlay2 --log-level warn'
