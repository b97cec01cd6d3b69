#!/bin/sh
# Turns a freshly installed Debian tree into the golden image's contents.
# customize.sh ROOT COMPILED LAYER…: runs as (namespaced) root on the build host.
# A later layer's files replace an earlier one's; see layer.sh for their parts.
set -eu
umask 022
root=$1
compiled=$2
shift 2
here=$(dirname "$0")

mkdir -p "$root/etc/systemd/system-generators"
for layer in "$@"; do
  sh "$here/layer.sh" "$root" "$compiled" "$layer"
done

sh "$here/../handoff/install.sh" "$root"

# Identity is made per clone: keys by cloud-init, the id by systemd's first
# start (an empty file means "not yet"), the seed by the kernel.
rm -f "$root"/etc/ssh/ssh_host_*
: >"$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id" "$root/var/lib/systemd/random-seed" \
  "$root/var/lib/systemd/credential.secret"
ln -s /etc/machine-id "$root/var/lib/dbus/machine-id" 2>/dev/null || :
echo localhost >"$root/etc/hostname"
printf '127.0.0.1\tlocalhost\n::1\t\tlocalhost ip6-localhost ip6-loopback\n' >"$root/etc/hosts"
ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
echo 'LANG=C.UTF-8' >"$root/etc/default/locale"

chroot "$root" systemctl enable --quiet systemd-networkd.service \
  guesthouse-host-keys.service

# Nothing that systemd does once after an update of /usr is left to do: its
# marks must not be older than /usr.
touch "$root/etc/.updated" "$root/var/.updated"

# cloud-init is always wanted: its generator would ask blkid to find that out.
ln -sf /dev/null "$root/etc/systemd/system-generators/cloud-init-generator"
ln -sf /lib/systemd/system/cloud-init.target \
  "$root/etc/systemd/system/multi-user.target.wants/cloud-init.target"

# Registers an interpreter that nobody starts by its byte code.
rm -f "$root"/usr/lib/binfmt.d/python3*.conf

# Messages of the day run a dozen programs before the prompt, and three even
# when there is none: without the folder PAM starts nothing.
rm -rf "$root"/etc/update-motd.d
: >"$root/etc/motd"

# Every module of a login is loaded and linked for each anew: those that have
# nothing to do here (no SELinux, no mail, no message) stay out of it.
sed -i '/pam_\(selinux\|motd\|mail\)\.so/d' "$root/etc/pam.d/sshd"

# How the build talked to its mirror is the host's business; which files dpkg
# leaves out also holds for later upgrades.
rm -f "$root/etc/apt/apt.conf.d/99mmdebstrap"
mv "$root/etc/dpkg/dpkg.cfg.d/99mmdebstrap" "$root/etc/dpkg/dpkg.cfg.d/50-guesthouse"

# The kernel is booted from outside the disk: a newer one would bring modules
# that it can't load.
chroot "$root" dpkg-query --show --showformat='${db:Status-Abbrev}${Package}\n' 'linux-image-*' \
  | sed -n 's/^ii *//p' | xargs chroot "$root" apt-mark hold >/dev/null
rm -f "$root"/boot/initrd.img* "$root"/initrd.img*
