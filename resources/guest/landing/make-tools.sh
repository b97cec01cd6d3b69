#!/bin/sh
# Makes the folder of programs that is shown in dev containers: a relocated
# OpenSSH server, busybox, and programs of our own. Starts nothing of ROOT's,
# so ROOT's processor may be another one. Needs coreutils and patchelf.
#   make-tools.sh ROOT COMPILED DEST
#     ROOT      a Debian tree with openssh-server, openssh-sftp-server and
#               busybox-static (/ inside a running one)
#     COMPILED  our compiled programs for its processor
#     DEST      the folder to make; what was there is replaced
set -eu
usage='usage: make-tools.sh ROOT COMPILED DEST'
root=${1:?$usage} compiled=${2:?$usage} dest=${3:?$usage}
root=${root%/}
from=$(dirname "$0")
place=/dev/.guesthouse

fail() { echo "make-tools: $*" >&2; exit 1; }
if ! command -v patchelf >/dev/null; then
  [ -x "$root/usr/bin/patchelf" ] || fail "patchelf is missing (apt install patchelf)"
  # That of the tree, which has the files at paths without ROOT.
  patchelf() {
    for word; do
      shift
      set -- "$@" "${word#"$root"}"
    done
    chroot "${root:-/}" /usr/bin/patchelf "$@"
  }
fi

new=$dest.new
rm -rf "$new"
mkdir -p "$new/bin" "$new/lib" "$new/etc" "$new/run" "$new/applets"

# Absolute links of the tree lead into the tree.
real() {
  path=$1 hops=0
  while [ -L "$root$path" ]; do
    hops=$((hops + 1))
    [ $hops -lt 20 ] || fail "$1 is a link without end"
    link=$(readlink "$root$path")
    case $link in
    /*) path=$link ;;
    *) path=${path%/*}/$link ;;
    esac
  done
  echo "$root$path"
}

first() {
  for candidate in "$@"; do
    if [ -e "$root$candidate" ] || [ -L "$root$candidate" ]; then
      real "$candidate"
      return
    fi
  done
  return 1
}

loader=
# The folders that the tree's loader searches, for its one processor.
find_library() {
  for folder in "$root"/usr/lib/*-linux-gnu "$root"/lib/*-linux-gnu \
    "$root"/usr/lib/*-linux-gnu/systemd "$root/usr/lib64" "$root/lib64" \
    "$root/usr/lib" "$root/lib"; do
    if [ -e "$folder/$1" ] || [ -L "$folder/$1" ]; then
      folder=${folder#"$root"}
      real "$folder/$1"
      return
    fi
  done
  return 1
}

libraries() { # of one file, and theirs
  for name in $(patchelf --print-needed "$1"); do
    [ ! -e "$new/lib/$name" ] || continue
    library=$(find_library "$name") || fail "$1 needs $name, which $root/ lacks"
    cp "$library" "$new/lib/$name"
    chmod 755 "$new/lib/$name"
    libraries "$new/lib/$name"
  done
}

relocate() { # program, shim
  libraries "$1"
  patchelf --set-interpreter "$place/lib/$loader" --force-rpath \
    --set-rpath "$place/lib" "$1"
  patchelf --add-needed "$2" "$1"
}

sshd=$(first /usr/sbin/sshd) || fail "$root/ has no openssh-server"
sftp=$(first /usr/lib/openssh/sftp-server) || fail "$root/ has no openssh-sftp-server"
busybox=$(first /usr/bin/busybox /bin/busybox) || fail "$root/ has no busybox-static"
if patchelf --print-interpreter "$busybox" >/dev/null 2>&1; then
  fail "$busybox needs libraries; install busybox-static"
fi
interpreter=$(patchelf --print-interpreter "$sshd")
loader=${interpreter##*/}
library=$(first "$interpreter" "/usr$interpreter") || fail "$root/ has no $interpreter"
cp "$library" "$new/lib/$loader"
chmod 755 "$new/lib/$loader"

for name in listen session; do
  cp "$compiled/$name" "$new/bin/$name"
done
cp "$compiled/shim-sshd.so" "$compiled/shim-sftp.so" "$new/lib/"
cp "$busybox" "$new/bin/busybox"
ln -s busybox "$new/bin/sh"
cp "$sftp" "$new/bin/sftp-server"
cp "$sshd" "$new/bin/sshd"
cp "$from/sshd_config" "$new/etc/sshd_config"
# Since OpenSSH 9.8 the server is several programs.
for part in sshd-session:SshdSessionPath sshd-auth:SshdAuthPath; do
  name=${part%:*}
  if program=$(first "/usr/lib/openssh/$name"); then
    cp "$program" "$new/bin/$name"
    echo "${part#*:} $place/bin/$name" >>"$new/etc/sshd_config"
  fi
done
chmod 755 "$new"/bin/*
for name in sshd sshd-session sshd-auth; do
  [ ! -e "$new/bin/$name" ] || relocate "$new/bin/$name" shim-sshd.so
done
relocate "$new/bin/sftp-server" shim-sftp.so
# A forwarded agent's socket: /tmp may be missing, or be read-only, or lie on a
# file system without sockets. Both texts have the same length.
for name in sshd sshd-session; do
  [ ! -e "$new/bin/$name" ] || LC_ALL=C sed -i \
    's#/tmp/ssh-XXXXXXXXXX\x00#/dev/shm/ssh-XXXXXX\x00#' "$new/bin/$name"
done
cat "$new"/bin/sshd* | grep -aq /dev/shm/ssh-XXXXXX ||
  fail "OpenSSH in $root/ puts a forwarded agent elsewhere"
# What libc loads by name when it looks up a host.
for name in libnss_files.so.2 libnss_dns.so.2; do
  if library=$(find_library "$name"); then
    cp "$library" "$new/lib/$name"
  fi
done

# For images without any program of their own.
for name in ash awk base64 basename cat chmod chown clear cp cut date df dirname \
  du echo env expr false find free getopt grep gunzip gzip head hostname id \
  install kill killall less ln ls md5sum mkdir mkfifo mktemp more mount mv nc \
  nproc od pgrep pidof pkill printenv printf ps pwd readlink realpath rm rmdir \
  sed seq sh sha256sum sleep sort stat stty sync tail tar tee test time timeout \
  top touch tr true tty uname uniq unzip uptime vi wc wget which whoami xargs \
  xz yes; do
  ln -s ../bin/busybox "$new/applets/$name"
done
chmod -R u=rwX,go=rX "$new"
rm -rf "$dest"
mv "$new" "$dest"
