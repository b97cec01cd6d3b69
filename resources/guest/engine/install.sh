#!/bin/sh
# install.sh ROOT: the container engine starts behind SSH, not with it.
set -eu
root=${1%/}
# Wanted by what comes after the multi-user target, which its own wish would
# make it a part of.
for unit in docker.service containerd.service; do
  rm -f "$root/etc/systemd/system/multi-user.target.wants/$unit"
done
mkdir -p "$root/etc/systemd/system/cloud-init.target.wants"
ln -sf /usr/lib/systemd/system/docker.service \
  "$root/etc/systemd/system/cloud-init.target.wants/docker.service"
ln -sf /usr/lib/guesthouse/bin/devcontainer "$root/usr/local/bin/devcontainer"
# Services of the system's start scripts, which nobody starts.
rm -f "$root/etc/init.d/docker"
