#!/bin/sh
# image-facts.sh ROOT: prints what an image holds as one JSON object. ROOT is a
# folder with an unpacked image, or / inside a running guest. POSIX sh with
# find, grep, sed, awk and sort only: runs on every distribution.
# The shape is described in src/helper/images/disks/facts.ts.
set -u
LC_ALL=C
export LC_ALL
root=${1:?usage: image-facts.sh ROOT}
root=${root%/}

# Awk programs differ in how they replace backslashes; sed doesn't.
escaped() { tr '\001-\010\013-\037' ' ' | sed 's/\\/\\\\/g; s/"/\\"/g'; }
# Lines to a JSON array of strings.
strings() {
  escaped | awk 'BEGIN { printf "[" }
    { printf "%s\"%s\"", (NR > 1 ? "," : ""), $0 }
    END { printf "]" }'
}
text() { printf '%s' "$1" | escaped | tr '\n' ' '; }
bool() { if "$@" >/dev/null 2>&1; then printf true; else printf false; fi; }
# A link counts although its target is only right inside the image.
any() { for file in "$@"; do { [ -e "$file" ] || [ -L "$file" ]; } && return 0; done; return 1; }

# --- kernel
modules_home=$root/lib/modules
[ -d "$modules_home" ] || modules_home=$root/usr/lib/modules
if [ -z "$root" ]; then
  version=$(uname -r)
else
  version=
  for folder in "$modules_home"/*/; do
    [ -d "$folder" ] && version=$(basename "$folder")
  done
fi
interesting='^(virtio(_[a-z_0-9]+)?|ext4|xfs|btrfs|9p|9pnet_virtio|isofs|vfat|overlay|fuse|virtiofs|nvme|vsock|vmw_vsock_virtio_transport|vmgenid|failover|net_failover)$'
module_names() { sed 's|.*/||; s|\.ko.*$||' | tr - _ | grep -E "$interesting" | sort -u; }
loadable() { find "$modules_home/$version" -name '*.ko*' -type f 2>/dev/null | module_names; }
builtin() { cat "$modules_home/$version/modules.builtin" 2>/dev/null | module_names; }
[ -n "$version" ] || interesting='^$'

# --- init
init=
for path in sbin/init usr/sbin/init lib/systemd/systemd usr/lib/systemd/systemd; do
  if [ -L "$root/$path" ] || [ -x "$root/$path" ]; then
    target=$(readlink "$root/$path" 2>/dev/null || echo "/$path")
    case $target in
      *systemd*) init=systemd ;;
      *busybox*) if [ -x "$root/sbin/openrc" ]; then init=openrc; else init=busybox; fi ;;
      *openrc*) init=openrc ;;
      *) init=$target ;;
    esac
    break
  fi
done

# --- sshd: the first value wins, and the drop-ins are read first
sshd_configs() {
  for file in "$root"/etc/ssh/sshd_config.d/*.conf "$root/etc/ssh/sshd_config"; do
    [ -f "$file" ] && cat "$file"
  done
}
forwarding_allowed() {
  value=$(sshd_configs | awk 'tolower($1) == "match" { exit } tolower($1) == "allowtcpforwarding" { print tolower($2); exit }')
  case $value in '' | yes | all | local) return 0 ;; *) return 1 ;; esac
}

# --- cloud-init: the last file that names the list wins
datasources() {
  for file in "$root/etc/cloud/cloud.cfg" "$root"/etc/cloud/cloud.cfg.d/*.cfg; do
    [ -f "$file" ] && cat "$file" && echo
  done | awk '/^datasource_list:/ { list = ""; reading = 1 }
      reading { line = $0; sub(/#.*/, "", line); list = list " " line
        if (line ~ /\]/) reading = 0
        else if (line !~ /^datasource_list:/ && line !~ /^[ \t]*(-|\[)/ && line !~ /,/) reading = 0 }
      END { sub(/.*datasource_list:/, "", list); gsub(/[][,"'\'']/, " ", list)
        count = split(list, names, /[ \t]+/)
        for (i = 1; i <= count; i++) if (names[i] ~ /^[A-Za-z0-9]+$/) print names[i] }'
}

# --- who configures the network
enabled() {
  any "$root"/etc/systemd/system/*.wants/"$1" "$root"/etc/systemd/system/dbus-org.freedesktop."$2".service
}
network_owners() {
  manager=no
  if enabled NetworkManager.service none; then echo NetworkManager; manager=yes; fi
  if enabled systemd-networkd.service none; then
    echo systemd-networkd
  elif [ $manager = no ] && any "$root/usr/sbin/netplan"; then
    # netplan starts networkd from a generator; nothing is enabled on disk.
    echo systemd-networkd
  fi
  if any "$root"/etc/systemd/system/*.wants/networking.service "$root"/etc/runlevels/*/networking \
    && any "$root/sbin/ifup" "$root/usr/sbin/ifup"; then echo ifupdown; fi
  enabled connman.service none && echo connman
  enabled wicked.service none && echo wicked
  enabled dhcpcd.service none && echo dhcpcd
  return 0
}

fstab() {
  [ -f "$root/etc/fstab" ] || { printf '[]'; return; }
  escaped <"$root/etc/fstab" | awk 'BEGIN { printf "[" }
    /^[ \t]*(#|$)/ { next }
    NF >= 2 { printf "%s{\"device\":\"%s\",\"mount\":\"%s\",\"options\":\"%s\"}", (n++ ? "," : ""), $1, $2, (NF > 3 ? $4 : "defaults") }
    END { printf "]" }'
}

# Unit names have no spaces.
masked_units() {
  ls -l "$root/etc/systemd/system/" 2>/dev/null | sed -n 's|.* \([^ ]*\) -> /dev/null$|\1|p'
}

# The version of the messages that our service understands.
handoff() {
  version=$(sed -n 's/^VERSION = \([0-9][0-9]*\)$/\1/p' "$root/usr/lib/guesthouse/handoff" 2>/dev/null)
  printf '%s' "${version:-null}"
}

machine_id_empty() {
  [ ! -s "$root/etc/machine-id" ] || [ "$(cat "$root/etc/machine-id")" = uninitialized ]
}

# --- placeholders that a template left behind, in files that steer the boot
suspicious_tokens() {
  find "$root/etc/hostname" "$root/etc/hosts" "$root/etc/fstab" "$root/etc/resolv.conf" \
    "$root/etc/network" "$root/etc/netplan" "$root/etc/systemd" "$root/etc/NetworkManager/system-connections" \
    "$root/etc/ssh/sshd_config" "$root/etc/ssh/sshd_config.d" "$root/etc/cloud/cloud.cfg" "$root/etc/cloud/cloud.cfg.d" \
    "$root/etc/default/grub" "$root/etc/kernel/cmdline" "$root/boot/grub/grub.cfg" "$root/boot/loader/entries" \
    -type f -exec awk -v skip="${#root}" '
      { line = $0; sub(/^[ \t]*[#;].*/, "", line)
        while (match(line, /__[A-Z][A-Z0-9_]*__|\{\{[^}]*\}\}|@@[A-Z][A-Z0-9_]*@@|(^|[^A-Za-z_.-])undefined($|[^A-Za-z_-])/)) {
          token = substr(line, RSTART, RLENGTH)
          if (token ~ /undefined/) token = "undefined"
          print substr(FILENAME, skip + 1) "\t" token
          line = substr(line, RSTART + RLENGTH)
        } }' '{}' + 2>/dev/null | sort -u
}
tokens() {
  find "$root/etc/hostname" "$root/etc/hosts" "$root/etc/fstab" "$root/etc/resolv.conf" \
    "$root/etc/network" "$root/etc/netplan" "$root/etc/systemd" "$root/etc/NetworkManager/system-connections" \
    "$root/etc/ssh/sshd_config" "$root/etc/ssh/sshd_config.d" "$root/etc/cloud/cloud.cfg" "$root/etc/cloud/cloud.cfg.d" \
    "$root/etc/default/grub" "$root/etc/kernel/cmdline" "$root/boot/grub/grub.cfg" "$root/boot/loader/entries" \
    -type f 2>/dev/null | sort | while read -r file; do
    sed 's/^[ \t]*[#;].*//' "$file" 2>/dev/null \
      | grep -oE '__[A-Z][A-Z0-9_]*__|\{\{[^}]*\}\}|@@[A-Z][A-Z0-9_]*@@|(^|[^A-Za-z_.-])undefined($|[^A-Za-z_-])' \
      | sed 's/^[^A-Za-z_{@]*\(undefined\).*/\1/' | sort -u | while read -r token; do
      printf '%s\t%s\n' "${file#"$root"}" "$token"
    done
  done
}
tokens() {
  suspicious_tokens | escaped | awk -F '\t' 'BEGIN { printf "[" }
    { printf "%s{\"file\":\"%s\",\"token\":\"%s\"}", (NR > 1 ? "," : ""), $1, $2 }
    END { printf "]" }'
}

cat <<JSON
{
  "kernel": {"version": "$(text "$version")", "modules": $(loadable | strings), "builtin": $(builtin | strings)},
  "init": "$(text "$init")",
  "sshd": {"present": $(bool any "$root/usr/sbin/sshd" "$root/usr/bin/sshd"), "allowTcpForwarding": $(bool forwarding_allowed)},
  "guestAgent": $(bool any "$root/usr/sbin/qemu-ga" "$root/usr/bin/qemu-ga"),
  "handoff": $(handoff),
  "cloudInit": {"present": $(bool any "$root/usr/bin/cloud-init"), "datasources": $(datasources | strings)},
  "networkOwners": $(network_owners | strings),
  "fstab": $(fstab),
  "maskedUnits": $(masked_units | strings),
  "hostKeysPresent": $(bool any "$root"/etc/ssh/ssh_host_*_key),
  "machineIdEmpty": $(bool machine_id_empty),
  "suspiciousTokens": $(tokens)
}
JSON
