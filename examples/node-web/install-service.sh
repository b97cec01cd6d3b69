#!/bin/sh
# Makes the server a service of systemd, which starts it again at each boot.
set -eu
cd "$(dirname "$0")"
sed -e "s|@FOLDER@|$PWD|" -e "s|@USER@|$(id -un)|" web.service |
  sudo tee /etc/systemd/system/web.service > /dev/null
sudo systemctl daemon-reload
sudo systemctl enable --now web.service
