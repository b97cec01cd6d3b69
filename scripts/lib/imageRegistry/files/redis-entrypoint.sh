#!/bin/sh
# As the public Redis image: its server for everyone on the network, in the foreground.
set -e
if [ "${1#-}" != "$1" ]; then set -- redis-server "$@"; fi
if [ "$1" = redis-server ]; then
  mkdir -p /data
  cd /data
  exec "$@" --protected-mode no --bind '* -::*'
fi
exec "$@"
