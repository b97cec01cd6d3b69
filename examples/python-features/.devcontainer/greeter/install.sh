#!/bin/sh
# Options come as variables: GREETING, LOUD.
set -eu
if [ "$LOUD" = true ]; then
  GREETING=$(printf %s "$GREETING" | tr '[:lower:]' '[:upper:]')
fi
printf 'GREETING=%s\n' "$GREETING" > /etc/default/greeter
# What a later command needs must be put where it stays: this folder goes when install.sh has ended.
install -m 0755 greeter-service /usr/local/sbin/greeter-service
