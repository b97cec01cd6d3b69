#!/bin/sh
# Makes the app a service of systemd, which starts it again at each boot.
set -eu
cd "$(dirname "$0")"
sed -e "s|@FOLDER@|$PWD|" -e "s|@USER@|$(id -un)|" app.service |
  sudo tee /etc/systemd/system/app.service > /dev/null
sudo systemctl daemon-reload
sudo systemctl enable --now app.service
