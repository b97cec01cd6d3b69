#!/bin/sh
# Turns a booted stock image into a golden one. Runs as root inside the
# preparation machine, one step a call:
#   prepare.sh install      what is missing, settings, unneeded services, and
#                           ours, from /tmp/guesthouse-handoff
#   prepare.sh layer FOLDER a layer's packages, files and programs; beside it lie
#                           layer.sh and the programs, in compiled/
#   prepare.sh kernel       prints release, kernel, initrd and command line
#   prepare.sh minimal      prints root's UUID and a static busybox, for an
#                           initrd of our own; nothing where that can't work
#   prepare.sh clean        forgets this boot: identity, records, logs, caches
#   prepare.sh off USER     removes the login, then switches off by itself
# POSIX sh; runs on Debian, Ubuntu, Fedora and their relatives, and Alpine.
set -eu
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
DEBIAN_FRONTEND=noninteractive
export PATH LC_ALL DEBIAN_FRONTEND

say() { echo "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

family() {
  ids=$(sed -n 's/^ID=//p; s/^ID_LIKE=//p' /etc/os-release | tr -d '"' | tr '\n' ' ')
  for id in $ids; do
    case $id in
      debian | ubuntu) echo debian; return ;;
      fedora | rhel | centos) echo fedora; return ;;
      alpine) echo alpine; return ;;
    esac
  done
  echo unknown
}

# --- install

wait_for_cloud_init() {
  # Package managers and this script would get into each other's way.
  if have cloud-init; then cloud-init status --wait >/dev/null 2>&1 || :; fi
}

missing_packages() {
  have qemu-ga || echo qemu-guest-agent
  have cloud-init || echo cloud-init
  [ -x /usr/sbin/sshd ] || echo openssh-server
  if [ "$1" = alpine ]; then
    # Editors and people expect these; Alpine's own image leaves them out.
    have sudo || echo sudo
    have bash || echo bash
    [ -e /usr/lib/libstdc++.so.6 ] || echo libstdc++
  fi
}

install_packages() {
  wanted=$(echo "$2" | tr '\n' ' ')
  [ -n "${wanted% }" ] || return 0
  say "installing $wanted"
  case $1 in
    debian)
      apt-get -q -o DPkg::Lock::Timeout=120 update >&2
      # shellcheck disable=SC2086
      apt-get -q -y -o DPkg::Lock::Timeout=120 --no-install-recommends install $wanted >&2
      ;;
    # shellcheck disable=SC2086
    fedora) dnf -q -y --setopt=install_weak_deps=False install $wanted >&2 ;;
    # shellcheck disable=SC2086
    alpine) apk add --quiet $wanted >&2 ;;
    *)
      say "this system's package manager is not known; missing: $wanted"
      return 0
      ;;
  esac
}

enable_services() {
  if have systemctl; then
    for unit in ssh.service sshd.service; do
      [ -e "/lib/systemd/system/$unit" ] || [ -e "/usr/lib/systemd/system/$unit" ] || continue
      # A socket that starts it on demand is as good.
      [ -e "/etc/systemd/system/sockets.target.wants/${unit%.service}.socket" ] && break
      systemctl enable --quiet "$unit" 2>/dev/null || :
      break
    done
    systemctl enable --quiet qemu-guest-agent.service 2>/dev/null || :
  elif have rc-update; then
    rc-update -q add sshd default 2>/dev/null || :
    rc-update -q add qemu-guest-agent default 2>/dev/null || :
    if [ -f /etc/conf.d/qemu-guest-agent ]; then
      sed -i '/^GA_PATH=/d' /etc/conf.d/qemu-guest-agent
      echo 'GA_PATH="/dev/virtio-ports/org.qemu.guest_agent.0"' >>/etc/conf.d/qemu-guest-agent
    fi
  fi
}

# The first value wins in sshd's configuration, and drop-ins come first.
configure_sshd() {
  settings='# Beside any port that sshd_config names: this one leads into the VM.
Port 22
# Editors tunnel over this connection.
AllowTcpForwarding yes
AllowStreamLocalForwarding yes
PermitTTY yes
MaxSessions 100
UseDNS no'
  # Since 9.8, and all clients have one address here: see debian/trixie.
  if sshd -G 2>/dev/null | grep -qi '^persourcepenalties'; then
    settings="$settings
PerSourcePenalties no"
  fi
  if grep -q '^[Ii]nclude /etc/ssh/sshd_config.d' /etc/ssh/sshd_config 2>/dev/null; then
    printf '%s\n' "$settings" >/etc/ssh/sshd_config.d/10-guesthouse.conf
    chmod 600 /etc/ssh/sshd_config.d/10-guesthouse.conf
  elif ! grep -q 'Editors tunnel over' /etc/ssh/sshd_config; then
    printf '%s\n%s\n' "$settings" "$(cat /etc/ssh/sshd_config)" >/etc/ssh/sshd_config.new
    cat /etc/ssh/sshd_config.new >/etc/ssh/sshd_config
    rm /etc/ssh/sshd_config.new
  fi
}

# networkd removes routing rules that it doesn't know when it starts again: those
# of VPNs and container networks.
configure_networkd() {
  have networkctl || return 0
  mkdir -p /etc/systemd/networkd.conf.d
  printf '[Network]\nManageForeignRoutingPolicyRules=no\n' >/etc/systemd/networkd.conf.d/50-guesthouse.conf
}

# Only a seed disk is ever looked for, and only the modules run that a local
# machine needs. `locale` names what is set already: another would be generated
# at each clone's first boot.
configure_cloud_init() {
  mkdir -p /etc/cloud/cloud.cfg.d
  language=$(sed -n 's/^LANG="\{0,1\}\([^"]*\).*/\1/p' /etc/default/locale /etc/locale.conf 2>/dev/null | head -n1)
  cat >/etc/cloud/cloud.cfg.d/99_guesthouse.cfg <<CFG
datasource_list: [NoCloud, None]
cloud_init_modules:
  - seed_random
  - bootcmd
  - write-files
  - growpart
  - resizefs
  - disk_setup
  - mounts
  - set_hostname
  - update_hostname
  - update_etc_hosts
  - ca-certs
  - users-groups
  - ssh
cloud_config_modules:
  - locale
  - set-passwords
  - $1
  - timezone
  - runcmd
cloud_final_modules:
  - package-update-upgrade-install
  - write-files-deferred
  - scripts-vendor
  - scripts-per-once
  - scripts-per-boot
  - scripts-per-instance
  - scripts-user
  - phone-home
  - final-message
  - power-state-change
resize_rootfs: noblock
locale: ${language:-C.UTF-8}
manage_etc_hosts: localhost
no_ssh_fingerprints: true
ssh:
  emit_keys_to_console: false
CFG
  printf 'datasource: NoCloud\npolicy: enabled\n' >/etc/cloud/ds-identify.cfg
  rm -f /etc/cloud/cloud-init.disabled
}

package_module() {
  case $1 in
    alpine) echo apk-configure ;;
    fedora) echo yum-add-repo ;;
    *) echo apt-configure ;;
  esac
}

# Work that a development machine does not need at every boot, or in its
# background. `systemctl unmask` brings one back.
trim_units() {
  have systemctl || return 0
  for unit in \
    apt-daily.timer apt-daily-upgrade.timer apt-daily.service apt-daily-upgrade.service \
    dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service man-db.timer \
    motd-news.timer update-notifier-download.timer update-notifier-motd.timer \
    ua-timer.timer esm-cache.service apport.service apport-autoreport.path pollinate.service \
    multipathd.service multipathd.socket open-iscsi.service iscsid.socket \
    ModemManager.service fwupd-refresh.timer \
    dnf-makecache.timer unbound-anchor.timer plocate-updatedb.timer \
    systemd-pstore.service systemd-update-utmp-runlevel.service; do
    if [ -e "/lib/systemd/system/$unit" ] || [ -e "/usr/lib/systemd/system/$unit" ]; then
      ln -sf /dev/null "/etc/systemd/system/$unit"
    fi
  done
}

# The kernel is started from outside the disk: an upgrade that removes its
# modules would leave it without.
hold_kernel() {
  [ "$1" = debian ] || return 0
  package=$(dpkg -S "/boot/vmlinuz-$(uname -r)" 2>/dev/null | cut -d: -f1 | head -n1)
  [ -z "$package" ] || apt-mark hold "$package" >/dev/null
}

# --- kernel

kernel_file() {
  release=$(uname -r)
  flavour=${release##*-}
  for file in "/boot/vmlinuz-$release" "/lib/modules/$release/vmlinuz" \
    "/usr/lib/modules/$release/vmlinuz" "/boot/vmlinuz-$flavour" "/boot/Image-$release"; do
    if [ -f "$file" ]; then echo "$file"; return; fi
  done
}

initrd_file() {
  release=$(uname -r)
  flavour=${release##*-}
  for file in "/boot/initrd.img-$release" "/boot/initramfs-$release.img" \
    "/boot/initrd-$release" "/boot/initramfs-$flavour"; do
    if [ -f "$file" ]; then echo "$file"; return; fi
  done
}

# What the boot loader passed, without what is its own, and without what hides
# the console or names another one.
kernel_arguments() {
  line=
  for word in $(cat /proc/cmdline); do
    case $word in
      BOOT_IMAGE=* | initrd=* | quiet | splash | rhgb | vt.handoff=* | console=* | loglevel=* | random.trust_cpu=*) ;;
      *) line="$line $word" ;;
    esac
  done
  case $(uname -m) in
    aarch64) echo "${line# } console=ttyAMA0" ;;
    *) echo "${line# } console=ttyS0" ;;
  esac
}

print_kernel() {
  printf 'release=%s\nkernel=%s\ninitrd=%s\narguments=%s\n' \
    "$(uname -r)" "$(kernel_file)" "$(initrd_file)" "$(kernel_arguments)"
}

# --- minimal

# An initrd of our own loads a handful of modules and mounts an ext4 root.
print_minimal() {
  device=$(awk '$2 == "/" { found = $1; type = $3 } END { if (type == "ext4") print found }' /proc/mounts)
  case $device in /dev/vd*) ;; *) return 0 ;; esac
  uuid=$(blkid "$device" | sed -n 's/.* UUID="\([^"]*\)".*/\1/p')
  folder=/tmp/guesthouse-busybox
  rm -rf $folder
  mkdir $folder
  cd $folder
  case $(family) in
    debian)
      apt-get -q download busybox-static >&2 || {
        apt-get -q update >&2
        apt-get -q download busybox-static >&2
      }
      dpkg-deb -x busybox-static_*.deb .
      busybox=$folder/bin/busybox
      [ -e "$busybox" ] || busybox=$folder/usr/bin/busybox
      ;;
    alpine)
      apk fetch --quiet busybox-static >&2
      tar -xzf busybox-static-*.apk bin/busybox.static 2>/dev/null
      busybox=$folder/bin/busybox.static
      ;;
    *) return 0 ;;
  esac
  [ -n "$uuid" ] && [ -x "$busybox" ] || return 0
  printf 'uuid=%s\nbusybox=%s\n' "$uuid" "$busybox"
}

# --- clean

clean() {
  if have cloud-init; then cloud-init clean --logs >/dev/null 2>&1 || :; fi
  rm -rf /var/lib/cloud/data /var/lib/cloud/instance /var/lib/cloud/instances /var/lib/cloud/sem
  # Network settings of this boot, in every renderer's place.
  rm -f /etc/netplan/50-cloud-init.yaml /etc/network/interfaces.d/50-cloud-init* \
    /etc/NetworkManager/system-connections/cloud-init-* /etc/systemd/network/10-cloud-init-* \
    /etc/sysconfig/network-scripts/ifcfg-eth0 /etc/udev/rules.d/70-persistent-net.rules
  # Proxy and authorities of this host: each clone's seed brings its own.
  if grep -q 'Proxy of the host, by Guesthouse' /etc/environment 2>/dev/null; then
    sed -i '/Proxy of the host, by Guesthouse/,$d' /etc/environment
  fi
  rm -f /etc/apt/apt.conf.d/95guesthouse-proxy
  remove_authorities

  # Identity
  : >/etc/machine-id
  if [ -e /var/lib/dbus/machine-id ] || [ -L /var/lib/dbus/machine-id ]; then
    rm -f /var/lib/dbus/machine-id
    ln -s /etc/machine-id /var/lib/dbus/machine-id
  fi
  rm -f /etc/ssh/ssh_host_* /var/lib/systemd/random-seed /var/lib/systemd/credential.secret \
    /var/lib/misc/random-seed /var/lib/seedrng/seed.* /boot/efi/loader/random-seed /boot/loader/random-seed
  rm -rf /var/lib/dhcp/* /var/lib/dhcpcd/* /var/lib/NetworkManager/*.lease /var/lib/NetworkManager/secret_key \
    /var/lib/NetworkManager/timestamps
  echo localhost >/etc/hostname
  sed -i '/^127\.0\.1\.1/d' /etc/hosts
  grep -q '^127\.0\.0\.1' /etc/hosts || printf '127.0.0.1\tlocalhost\n::1\t\tlocalhost\n' >>/etc/hosts
  rm -f /root/.ssh/authorized_keys /root/.bash_history /root/.ash_history

  # Records and caches
  if have journalctl; then journalctl --rotate >/dev/null 2>&1 || :; fi
  rm -rf /var/log/journal/* /var/tmp/* /var/cache/apt/archives/*.deb /var/lib/apt/lists/* \
    /var/cache/dnf/* /var/cache/libdnf5/* /var/cache/apk/*
  find /var/log -type f \( -name '*.gz' -o -name '*.[0-9]' -o -name '*.old' \) -exec rm -f {} +
  find /var/log -type f -exec sh -c 'for file; do : >"$file"; done' sh {} +
  if have restorecon; then restorecon -RF /etc /var/lib/systemd /var/log >/dev/null 2>&1 || :; fi
}

# Ours were appended to the bundle as they are (src/helper/guests/seed/seed.ts), so they are cut out of it again: making it
# anew takes minutes under emulation.
remove_authorities() {
  bundle=/etc/ssl/certs/ca-certificates.crt
  removed=no
  for file in /usr/local/share/ca-certificates/guesthouse-*.crt /usr/local/share/ca-certificates/cloud-init-ca-cert* \
    /etc/pki/ca-trust/source/anchors/guesthouse-*.crt /etc/pki/ca-trust/source/anchors/cloud-init-ca-cert* \
    /usr/share/pki/trust/anchors/cloud-init-ca-cert*; do
    [ -e "$file" ] || continue
    removed=yes
    if [ -e "$bundle" ]; then
      awk -v mark="$(sed -n 2p "$file")" '
        /-----BEGIN/ { inside = 1; whole = ""; ours = 0 }
        !inside { print; next }
        { whole = whole $0 "\n"; if ($0 == mark) ours = 1 }
        /-----END/ { if (!ours) printf "%s", whole; inside = 0 }' "$bundle" >"$bundle.new"
      cat "$bundle.new" >"$bundle"
      rm "$bundle.new"
    fi
    rm -f "$file"
  done
  [ $removed = yes ] || return 0
  find /etc/ssl/certs \( -lname '*guesthouse-*' -o -lname '*cloud-init-ca-cert*' \) -exec rm -f {} + 2>/dev/null || :
  if have update-ca-trust; then update-ca-trust >/dev/null 2>&1 || :; fi
}

# --- off

# Detached: the connection that asked for it ends with the user.
switch_off() {
  user=$1
  (
    sleep 1
    if [ "$user" != root ]; then
      pkill -KILL -u "$user" 2>/dev/null || :
      sleep 1
      if have userdel; then
        userdel -rf "$user" || :
      else
        deluser --remove-home "$user" || :
      fi
    fi
    # Only now: until here the login needed them.
    rm -f /etc/sudoers.d/90-cloud-init-users
    rm -f /etc/passwd- /etc/shadow- /etc/group- /etc/gshadow- /etc/subuid- /etc/subgid-
    rm -rf /tmp/guesthouse-*
    sync
    fstrim -a || :
    # Straight to the kernel: a shutdown would write identity and records anew.
    echo s >/proc/sysrq-trigger
    sleep 2
    echo u >/proc/sysrq-trigger
    sleep 2
    echo o >/proc/sysrq-trigger
    sleep 10
    poweroff -f
  ) >/dev/null 2>&1 </dev/null &
}

case ${1:-} in
  install)
    kind=$(family)
    wait_for_cloud_init
    install_packages "$kind" "$(missing_packages "$kind")"
    enable_services
    configure_sshd
    configure_networkd
    configure_cloud_init "$(package_module "$kind")"
    trim_units
    sh /tmp/guesthouse-handoff/install.sh /
    hold_kernel "$kind"
    ;;
  layer)
    layer=${2:?usage: prepare.sh layer FOLDER}
    kind=$(family)
    if [ "$kind" != debian ]; then
      say "${layer##*/} is made for Debian"
      exit 1
    fi
    # Packages start their services at once; this machine is off in a minute.
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    if [ -f "$layer/packages.txt" ]; then
      install_packages "$kind" "$(sed 's/#.*//; /^[[:space:]]*$/d' "$layer/packages.txt")"
    fi
    rm -f /usr/sbin/policy-rc.d
    sh "${layer%/*}/layer.sh" / "${layer%/*}/compiled" "$layer"
    ;;
  kernel) print_kernel ;;
  minimal) print_minimal ;;
  clean) clean ;;
  off) switch_off "${2:?usage: prepare.sh off USER}" ;;
  *)
    say "usage: prepare.sh install|layer FOLDER|kernel|minimal|clean|off USER"
    exit 2
    ;;
esac
