#!/bin/sh
# Puts a container engine into a VM whose image has none: the distribution's own
# packages, with the settings of the image `containers`. Runs as root, as a
# feature does, with daemon.json and docker.service.conf beside it. What the VM
# has already is left as it is.
set -eu

say() { echo "$*"; }
has() { command -v "$1" > /dev/null 2>&1; }

# First name that the distribution has a package of, asked by $1; else nothing.
first_of() {
  known=$1
  shift
  for name in "$@"; do
    if "$known" "$name"; then
      echo "$name"
      return
    fi
  done
}
apt_knows() { apt-cache policy "$1" 2> /dev/null | grep -q 'Candidate: [^(]'; }
dnf_knows() { dnf -q list "$1" > /dev/null 2>&1; }

install_packages() {
  if has apt-get; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q || return 1
    engine=$(first_of apt_knows docker.io)
    [ -n "$engine" ] || return 1
    # shellcheck disable=SC2046 # names of packages
    apt-get install -qy --no-install-recommends ca-certificates iptables \
      "$engine" \
      $(first_of apt_knows docker-cli) \
      $(first_of apt_knows docker-buildx docker-buildx-plugin) \
      $(first_of apt_knows docker-compose-v2 docker-compose docker-compose-plugin)
  elif has dnf; then
    engine=$(first_of dnf_knows moby-engine docker-ce docker)
    [ -n "$engine" ] || return 1
    # shellcheck disable=SC2046
    dnf -y install "$engine" \
      $(first_of dnf_knows docker-cli docker-ce-cli) \
      $(first_of dnf_knows docker-buildx docker-buildx-plugin) \
      $(first_of dnf_knows docker-compose docker-compose-plugin)
  elif has apk; then
    apk add docker docker-cli-buildx docker-cli-compose
  elif has zypper; then
    zypper --non-interactive install docker docker-buildx docker-compose
  elif has pacman; then
    pacman -Syu --noconfirm --needed docker docker-buildx docker-compose
  else
    return 1
  fi
}

# In place before the engine starts for the first time, which apt has it do.
configure() {
  if [ ! -e /etc/docker/daemon.json ]; then
    mkdir -p /etc/docker
    install -m 0644 daemon.json /etc/docker/daemon.json
  fi
  if [ -d /run/systemd/system ]; then
    install -D -m 0644 docker.service.conf \
      /etc/systemd/system/docker.service.d/50-guesthouse.conf
    systemctl daemon-reload
  fi
}

start() {
  if [ -d /run/systemd/system ]; then
    systemctl enable --now docker.service
  else
    rc-update -q add docker default
    rc-service docker --quiet --ifnotstarted start
  fi
}

# What stopped in the middle goes on from there; why, it has said itself.
begun=/var/lib/guesthouse/engine-begun
if [ -e $begun ] || ! has dockerd; then
  : > $begun
  configure
  if ! install_packages; then
    say "This distribution has no package of a container engine that Guesthouse knows, or it can't be installed." >&2
    say "Use the image “containers”, or install an engine with postCreateCommand." >&2
    exit 1
  fi
  rm -f $begun
fi
start
tries=0
until docker version > /dev/null 2>&1; do
  tries=$((tries + 1))
  if [ $tries -ge 60 ]; then
    say "The container engine doesn't answer:" >&2
    docker version >&2 || true
    exit 1
  fi
  sleep 2
done
# Root it can become anyway.
if ! id -nG "$_REMOTE_USER" | tr ' ' '\n' | grep -qx docker; then
  if has usermod; then usermod -aG docker "$_REMOTE_USER"; else addgroup "$_REMOTE_USER" docker; fi
fi
docker --version
