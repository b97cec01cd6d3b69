import { script, stateFolder } from "../guest/guestScripts.ts";

/** What of it was done, as the script's lines begin. */
export const gitDone = { identity: "identity", safe: "safe" } as const;

/**
 * Who the user is for git, where nobody has said so, and that git works in folders whose files belong to somebody else, where
 * it refuses. A name or address that is there stays, and so does the other one beside it: they belong together. Without git
 * the name is left for the one that is installed later. Prints `identity`, and `safe<TAB>folder` for each; the last argument is
 * noted as done where git was there.
 */
const gitSetup = String.raw`folder=$1 name=$2 email=$3 config=$4 mark=$5
export LC_ALL=C GIT_TERMINAL_PROMPT=0
nothing() { for file; do { [ ! -e "$file" ] && [ ! -L "$file" ]; } || return; done; }
if ! command -v git > /dev/null; then
  if [ -n "$config" ] && nothing "$HOME/.gitconfig" "$HOME/.config/git/config" /etc/gitconfig; then
    printf %s "$config" > "$HOME/.gitconfig" && echo identity
  fi
  exit 0
fi
cd /
unset_() { git config --get "$1" > /dev/null 2>&1; [ $? = 1 ]; }
if [ -n "$config" ] && unset_ user.name && unset_ user.email; then
  { [ -z "$name" ] || git config --global user.name "$name"; } &&
    { [ -z "$email" ] || git config --global user.email "$email"; } && echo identity
fi
safe() {
  words=$(git -C "$1" rev-parse --git-dir 2>&1 > /dev/null) && return
  case $words in *'dubious ownership'* | *'unsafe repository'*) ;; *) return ;; esac
  # git names the folder as it wants it to be written.
  at=$(printf '%s\n' "$words" | sed -n "/^fatal:/s/^[^']*'\(.*\)'[^']*\$/\1/p" | head -n 1)
  [ -n "$at" ] || return
  git config --global --get-all safe.directory | grep -qxF -e "$at" && return
  git config --global --add safe.directory "$at" && printf 'safe\t%s\n' "$at"
}
# A wildcard is known to new versions only, so submodules are named one by one.
each() {
  safe "$1"
  [ -f "$1/.gitmodules" ] && [ "$2" -gt 0 ] || return 0
  git config -f "$1/.gitmodules" --get-regexp '^submodule\..*\.path$' | sed 's/^submodule\..*\.path //' |
    while IFS= read -r path; do
      case "/$path/" in */../*) continue ;; esac
      [ ! -e "$1/$path/.git" ] || each "$1/$path" "$(($2 - 1))"
    done
}
each "$folder" 5
for inner in "$folder"/*/; do
  [ ! -e "$inner.git" ] || each "$inner" 5
done
[ -z "$mark" ] || (umask 077; printf %s "$mark" > "$6/done-git") 2> /dev/null
exit 0`;

export const gitSetupScript = (
  folder: string,
  person: { readonly name: string; readonly email: string },
  config: string,
  mark: string,
): string =>
  script(gitSetup, [
    ...[folder, person.name, person.email, config],
    ...[mark, stateFolder],
  ]);
