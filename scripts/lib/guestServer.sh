# Runs inside the guest, as `sh -c THIS sh ACTION VERSION`: keeps VS Code's server there, below the user's home.
set -eu
umask 077
home="$HOME/.guesthouse/editor"
tree="$home/$2"
run="$home/run"

alive() {
  [ -s "$run/pid" ] && [ -s "$run/port" ] && [ -s "$run/token" ] &&
    tr '\0' ' ' <"/proc/$(cat "$run/pid")/cmdline" 2>/dev/null | grep -qF "$tree/vscode/out/server-main.js"
}

case "$1" in
probe) # -> "ARCHITECTURE yes|no": whether the server is there
  if [ -f "$tree/complete" ]; then there=yes; else there=no; fi
  echo "$(uname -m) $there"
  ;;
unpack) # the packed server on stdin
  rm -rf "$tree.partial"
  mkdir -p "$tree.partial"
  tar -xzf - -C "$tree.partial"
  touch "$tree.partial/complete"
  rm -rf "$tree"
  mv "$tree.partial" "$tree"
  ;;
start) # -> "PORT TOKEN"
  if ! alive; then
    mkdir -p "$run"
    rm -f "$run/port" "$run/log"
    settings="$home/data/data/User/settings.json"
    if [ ! -e "$settings" ]; then
      mkdir -p "$(dirname "$settings")"
      cat >"$settings" <<'SETTINGS'
{
  "workbench.startupEditor": "none",
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "chat.disableAIFeatures": true
}
SETTINGS
    fi
    od -An -tx1 -N16 /dev/urandom | tr -d ' \n' >"$run/token"
    NODE_EXEC_PATH="$tree/node" setsid nohup "$tree/node" "$tree/vscode/out/server-main.js" \
      --host 127.0.0.1 --port 0 --connection-token-file "$run/token" --accept-server-license-terms \
      --server-data-dir "$home/data" --telemetry-level off </dev/null >"$run/log" 2>&1 &
    echo $! >"$run/pid"
    waited=0
    until port=$(sed -n 's/^Extension host agent listening on \([0-9]*\)$/\1/p' "$run/log" 2>/dev/null) && [ -n "$port" ]; do
      if ! kill -0 "$(cat "$run/pid")" 2>/dev/null || [ $waited -ge 1200 ]; then
        cat "$run/log" >&2
        exit 1
      fi
      waited=$((waited + 1))
      sleep 0.1
    done
    echo "$port" >"$run/port"
  fi
  echo "$(cat "$run/port") $(cat "$run/token")"
  ;;
esac
