#!/bin/sh
# install.sh ROOT: the landing. SSH connections to the VM's port 2222 end in its dev
# container. Starts nothing of ROOT's; the units and the compiled programs are there
# already (see layer.sh).
set -eu
root=${1:?usage: install.sh ROOT}
root=${root%/}
from=$(dirname "$0")
lib=$root/usr/lib/guesthouse/landing
all=$root/usr/lib/guesthouse/landing-compiled
units=$root/etc/systemd/system

# A tree for another processor can't be asked what it is; its files can.
case $(ls -d "$root"/usr/lib/*-linux-gnu | head -n 1) in
  */x86_64-*) compiled=$all/amd64 ;;
  */aarch64-*) compiled=$all/arm64 ;;
  *) echo "landing: $root/ is for a processor without programs of ours" >&2; exit 1 ;;
esac
[ -d "$compiled" ] || { echo "landing: ${compiled##*/} isn't compiled (npm run build:landing)" >&2; exit 1; }

mkdir -p "$lib" "$root/usr/bin" "$units/sockets.target.wants"
for name in landd gate show; do
  cp "$compiled/$name" "$lib/$name.new"
  chmod 755 "$lib/$name.new"
  mv "$lib/$name.new" "$lib/$name" # the old one may be running
done
cp "$from/guesthouse-landing" "$from"/landing_*.py "$lib/"
chmod 755 "$lib/guesthouse-landing"
chmod 644 "$lib"/landing_*.py
ln -sf ../lib/guesthouse/landing/guesthouse-landing "$root/usr/bin/guesthouse-landing"
ln -sf ../guesthouse-landing.socket "$units/sockets.target.wants/guesthouse-landing.socket"
sh "$from/make-tools.sh" "${root:-/}" "$compiled" "$lib/tools"
rm -rf "$all"
