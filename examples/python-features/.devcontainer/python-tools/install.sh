#!/bin/sh
# Runs in the VM, as root. PACKAGES is the option; _REMOTE_USER is who will work there.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# Words on purpose: several packages.
# shellcheck disable=SC2086
apt-get install -qy --no-install-recommends python3 ${PACKAGES:-}
install -d -o "$_REMOTE_USER" "$PYTHON_TOOLS" "$PYTHON_TOOLS/bin"
