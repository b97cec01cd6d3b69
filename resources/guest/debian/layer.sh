#!/bin/sh
# Puts one layer of an image into a system. layer.sh ROOT COMPILED LAYER: ROOT is
# an unpacked tree, or / inside a running guest; COMPILED holds our own programs
# as the product ships them. Each part of a layer is optional:
#   packages.txt      what the builder (or prepare.sh) has installed before this
#   files/            drop-in files, plain to read
#   compiled.txt      lines of "PROGRAM PATH": a file or folder of COMPILED, and
#                     where it goes
#   masked-units.txt  units that never start; a line with a / is a generator
#   install.sh        ROOT: what none of the others can say
set -eu
umask 022
root=${1%/}
compiled=$2
layer=$3

if [ -d "$layer/files" ]; then
  (cd "$layer/files" && find . -type f) | while read -r path; do
    mkdir -p "$root/${path%/*}"
    # Packaging doesn't keep modes: only programs are executable.
    case $path in ./usr/lib/guesthouse/*) mode=755 ;; *) mode=644 ;; esac
    install -m "$mode" "$layer/files/$path" "$root/$path"
  done
fi

if [ -f "$layer/compiled.txt" ]; then
  while read -r program path; do
    case $program in '' | '#'*) continue ;; esac
    mkdir -p "$root${path%/*}"
    cp -R "$compiled/$program" "$root$path"
    chown -R 0:0 "$root$path"
    chmod -R u=rwX,go=rX "$root$path"
  done <"$layer/compiled.txt"
fi

if [ -f "$layer/masked-units.txt" ]; then
  mkdir -p "$root/etc/systemd/system" "$root/etc/systemd/system-generators"
  while read -r unit; do
    case $unit in '' | '#'*) continue ;; esac
    case $unit in
      system-generators/*) ln -sf /dev/null "$root/etc/systemd/$unit" ;;
      *) ln -sf /dev/null "$root/etc/systemd/system/$unit" ;;
    esac
  done <"$layer/masked-units.txt"
fi

if [ -f "$layer/install.sh" ]; then sh "$layer/install.sh" "${root:-/}"; fi
