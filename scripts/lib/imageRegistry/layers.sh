#!/bin/bash
# Makes the layers of the stand-in images, each a folder with what it adds to those below: by overlays in a mount
# namespace of its own, so nothing stays mounted when this ends. Run as root or as root of a user namespace.
# layers.sh FOLDER: FOLDER/base.tar is a minbase of Debian; leaves FOLDER/<layer>.tar for each layer.
set -euo pipefail
work=$1
here=$(dirname "$(readlink -f "$0")")
export DEBIAN_FRONTEND=noninteractive LC_ALL=C HOME=/root
mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/merged"

# pack LAYER: its folder as a tar that is the same for the same content, with deleted names as images know them.
pack() {
  while IFS= read -r gone; do
    rm "$gone"
    : >"$(dirname "$gone")/.wh.$(basename "$gone")"
  done < <(find "$work/$1" -type c)
  tar --sort=name --mtime=@1700000000 --numeric-owner -C "$work/$1" -cf "$work/$1.tar" .
}

# on LAYER BELOW… : gives the tree of these layers (the lowest first) with a new one on top, as $root.
on() {
  layer=$1
  shift
  local below="" name
  for name; do below="$work/$name${below:+:$below}"; done
  mkdir -p "$work/$layer" "$work/$layer.work"
  root=$work/merged
  mount -t overlay overlay -o "lowerdir=$below,upperdir=$work/$layer,workdir=$work/$layer.work,redirect_dir=off,metacopy=off,index=off" "$root"
}

# What a package's scripts want is bound only while they run, and stays out of the layer.
bound() {
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
  mount --bind "$work/lists" "$root/var/lib/apt/lists"
  mount --bind "$work/archives" "$root/var/cache/apt/archives"
  chroot "$root" "$@"
  umount "$root/var/cache/apt/archives" "$root/var/lib/apt/lists" "$root/etc/resolv.conf" "$root/proc"
  umount -R -l "$root/dev"
}

packages() { bound apt-get -o APT::Sandbox::User=root -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 install "$@"; }

finish() {
  rm -rf "$work/$layer"/var/log/apt "$work/$layer"/var/log/dpkg.log "$work/$layer"/var/log/alternatives.log \
    "$work/$layer"/var/cache/{apt,debconf,ldconfig} "$work/$layer"/tmp/* "$work/$layer"/{dev,proc} \
    "$work/$layer"/usr/share/{doc,man,locale,info}
  umount "$root"
  pack "$layer"
  rm -rf "$work/$layer.work"
}

# user NAME UID HOME: able to do everything without a password, as in images made for development.
user() {
  chroot "$root" groupadd --gid "$2" "$1"
  chroot "$root" useradd --uid "$2" --gid "$2" --create-home --shell /bin/bash "$1"
  mkdir -p "$root/etc/sudoers.d"
  echo "$1 ALL=(root) NOPASSWD:ALL" >"$root/etc/sudoers.d/$1"
  chmod 0440 "$root/etc/sudoers.d/$1"
}

# system ID NAME VERSION CODENAME: says to be another system of the same family.
system() {
  rm -f "$root/etc/os-release"
  printf 'ID=%s\nNAME="%s"\nPRETTY_NAME="%s %s"\nVERSION_ID="%s"\nVERSION_CODENAME=%s\n' "$1" "$2" "$2" "$3" "$3" "$4" >"$root/etc/os-release"
  if [ "$1" = ubuntu ]; then echo ID_LIKE=debian >>"$root/etc/os-release"; fi
}

mkdir -p "$work/base"
tar -C "$work/base" --exclude='./dev/*' -xf "$work/base.tar"
printf '#!/bin/sh\nexit 101\n' >"$work/base/usr/sbin/policy-rc.d"
chmod 0755 "$work/base/usr/sbin/policy-rc.d"
: >"$work/base/etc/resolv.conf"
rm -rf "$work"/base/var/lib/apt/lists/* "$work"/base/var/cache/apt/* "$work"/base/usr/share/{doc,man,locale,info}
mkdir -p "$work/base/var/lib/apt/lists/partial" "$work/base/var/cache/apt/archives/partial"
pack base
on scratch base
bound apt-get -o APT::Sandbox::User=root -qq update
umount "$root"

on tools base
packages ca-certificates curl git openssh-client procps sudo less netcat-openbsd jq iproute2
finish

on node base tools
packages nodejs
mkdir -p "$root/usr/local/lib/node_modules/npm" "$root/usr/local/bin"
tar -C "$root/usr/local/lib/node_modules/npm" --strip-components=1 --no-same-owner -xf "$work"/npm.tgz
for name in npm npx; do ln -s "../lib/node_modules/npm/bin/$name-cli.js" "$root/usr/local/bin/$name"; done
install -m 0755 "$here/files/node-entrypoint.sh" "$root/usr/local/bin/docker-entrypoint.sh"
finish

on python base tools
packages python3 python3-pip python3-venv
rm -f "$root"/usr/lib/python3*/EXTERNALLY-MANAGED
for name in python3 pip3; do ln -s "/usr/bin/$name" "$root/usr/local/bin/$name"; done
ln -s /usr/bin/python3 "$root/usr/local/bin/python"
ln -s /usr/bin/pip3 "$root/usr/local/bin/pip"
finish

on go base tools
mkdir -p "$root/usr/local/go/bin"
install -m 0755 "$here/files/go.sh" "$root/usr/local/go/bin/go"
finish

on postgres base
packages postgresql
# Half of its size, for compiling queries; the server does without.
rm -f "$root"/usr/lib/*/libLLVM* "$root"/usr/lib/llvm-*/lib/libLLVM* "$root"/usr/lib/postgresql/*/lib/llvmjit.so
rm -rf "$root"/usr/lib/postgresql/*/lib/bitcode
install -m 0755 "$here/files/postgres-entrypoint.sh" "$root/usr/local/bin/docker-entrypoint.sh"
finish

on redis base
packages redis-server
install -m 0755 "$here/files/redis-entrypoint.sh" "$root/usr/local/bin/docker-entrypoint.sh"
finish

for version in "22.04 jammy" "24.04 noble"; do
  read -r number codename <<<"$version"
  on "ubuntu-$codename" base
  system ubuntu Ubuntu "$number" "$codename"
  # The public image has had a user of this number since 24.04.
  if [ "$codename" = noble ]; then
    chroot "$root" useradd --uid 1000 --create-home --shell /bin/bash ubuntu
  fi
  finish
done
on ubuntu-tools base
system ubuntu Ubuntu 24.04 noble
finish

for name in vscode node codespace dev; do
  on "user-$name" base tools
  user "$name" 1000
  if [ "$name" = dev ]; then
    install -m 0755 "$here/files/devbox.sh" "$root/usr/local/bin/devbox"
  fi
  finish
done

# The stand-in for Alpine: busybox and musl's loader, and the few programs of its own that files call.
mkdir -p "$work/alpine"/{bin,dev,etc,home,lib,proc,root,run,sbin,sys,tmp,usr/bin,usr/sbin,usr/local/bin,usr/share/stand-in,var/log}
chmod 1777 "$work/alpine/tmp"
mkdir -p "$work/debs"
(cd "$work/debs" && apt-get download -qq busybox-static musl bash-static)
for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$work/debs/tree"; done
cp "$work/debs/tree/bin/busybox" "$work/alpine/bin/busybox"
cp "$work"/debs/tree/lib/*/libc.so "$work/alpine/lib/libc.musl-$(uname -m).so.1" 2>/dev/null ||
  cp "$work"/debs/tree/usr/lib/*/libc.so "$work/alpine/lib/libc.musl-$(uname -m).so.1"
ln -s "libc.musl-$(uname -m).so.1" "$work/alpine/lib/ld-musl-$(uname -m).so.1"
cp "$work/debs/tree/bin/bash-static" "$work/alpine/usr/share/stand-in/bash"
for applet in $("$work/alpine/bin/busybox" --list); do
  [ "$applet" = busybox ] || ln -s /bin/busybox "$work/alpine/bin/$applet"
done
ln -s /bin/busybox "$work/alpine/usr/bin/env"
for name in apk adduser addgroup; do
  rm -f "$work/alpine/bin/$name"
  install -m 0755 "$here/files/alpine/$name" "$work/alpine/usr/sbin/$name"
done
cp "$here/files/alpine/passwd" "$here/files/alpine/group" "$here/files/alpine/os-release" "$work/alpine/etc/"
echo 3.20.0 >"$work/alpine/etc/alpine-release"
cp /etc/ssl/certs/ca-certificates.crt "$work/alpine/etc/ca-certificates.crt"
pack alpine
for name in vscode node; do
  on "alpine-$name" alpine
  chroot "$root" /usr/sbin/addgroup -g 1000 "$name"
  chroot "$root" /usr/sbin/adduser -D -u 1000 -G "$name" "$name"
  if [ "$name" = node ]; then install -m 0755 "$here/files/alpine/node" "$root/usr/local/bin/node"; fi
  finish
done

# The forwarding frontend behind "# syntax=docker/dockerfile:…".
on frontend base tools node
install -m 0755 "$here/files/dockerfile-frontend.mjs" "$root/usr/local/bin/dockerfile-frontend.mjs"
finish
rm -rf "$work/debs"
