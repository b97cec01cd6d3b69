#!/bin/sh
# Installs the service that gives resumed clones their identity.
# install.sh ROOT: ROOT is a folder with an unpacked system, or / inside a
# running one. Starts nothing of ROOT's, so its processor may be another one.
set -eu
root=${1:?usage: install.sh ROOT}
root=${root%/}
from=$(dirname "$0")

python=
for path in /usr/bin/python3 /usr/libexec/platform-python; do
  if [ -e "$root$path" ] || [ -L "$root$path" ]; then
    python=$path
    break
  fi
done
if [ -z "$python" ]; then
  echo "there is no Python; clones of this image always boot" >&2
  exit 0
fi

put() {
  mkdir -p "$root${2%/*}"
  sed "s|@PYTHON@|$python|; 1s|^#!/usr/bin/python3|#!$python|" "$from/$1" >"$root$2"
  chmod "$3" "$root$2"
}

put handoff /usr/lib/guesthouse/handoff 755
for module in "$from"/*.py; do
  put "${module##*/}" "/usr/lib/guesthouse/${module##*/}" 644
done
put settle /usr/lib/guesthouse/settle 755
put await-settled /usr/lib/guesthouse/await-settled 755
if [ -x "$root/sbin/openrc-run" ]; then
  put guesthouse-handoff.openrc /etc/init.d/guesthouse-handoff 755
  mkdir -p "$root/etc/runlevels/default"
  ln -sf /etc/init.d/guesthouse-handoff "$root/etc/runlevels/default/guesthouse-handoff"
else
  put guesthouse-handoff.service /etc/systemd/system/guesthouse-handoff.service 644
  put 60-guesthouse-handoff.rules /etc/udev/rules.d/60-guesthouse-handoff.rules 644
fi
