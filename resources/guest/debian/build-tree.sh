#!/bin/sh
# Installs Debian into a folder and makes it the golden image's contents.
# Runs inside a mount and process namespace of its own, so that ending it
# leaves no mount and no process. Environment:
#   GH_TREE       folder to fill            GH_RESOURCES  this folder
#   GH_RELEASE    e.g. bookworm             GH_ARCH       e.g. amd64
#   GH_PACKAGES   comma-separated           GH_FACTS      facts are written there
#   GH_SOURCES    file with apt sources     GH_CACHE      folder of .deb files
#   GH_APT_CONF   file with apt options     GH_COMPILED   folder of our own programs
#   GH_LAYERS     folders that make up the image, one a line: see layer.sh
set -eu

# The kernel's own hook would build an initramfs that nobody boots.
export INITRD=No DEBIAN_FRONTEND=noninteractive
# Everything is mounted below a private root: nothing reaches the host's view.
mount --make-rprivate / 2>/dev/null || :

mmdebstrap --mode=root --variant=minbase --format=directory --verbose \
  --architectures="$GH_ARCH" --include="$GH_PACKAGES" \
  --aptopt="$GH_APT_CONF" --dpkgopt="$GH_RESOURCES/dpkg.cfg" \
  --setup-hook='mkdir -p "$1/var/cache/apt/archives/partial" && for deb in "$GH_CACHE"/*.deb; do [ ! -e "$deb" ] || cp -p "$deb" "$1/var/cache/apt/archives/"; done' \
  --skip=download/empty \
  --customize-hook='cp -pu "$1"/var/cache/apt/archives/*.deb "$GH_CACHE/" 2>/dev/null || :' \
  "$GH_RELEASE" "$GH_TREE" "$GH_SOURCES"

echo "I: customizing"
(
  # One word a line: a folder's name may have spaces.
  IFS='
'
  set -f
  # shellcheck disable=SC2086
  sh "$GH_RESOURCES/customize.sh" "$GH_TREE" "$GH_COMPILED" $GH_LAYERS
)
echo "I: collecting facts"
sh "$GH_RESOURCES/../image-facts.sh" "$GH_TREE" >"$GH_FACTS"
