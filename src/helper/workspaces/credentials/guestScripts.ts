import { script } from "../guest/guestScripts.ts";

/** Below the user's home folder in the guest. */
const folder = ".cache/guesthouse";

/** What git's `credential.helper` says; a shell finds the home folder, wherever that is. */
const setting = `!sh "$HOME/${folder}/git-credential"`;

/** Within which a question is heard by whoever listens at the pipe: an emulated guest under load takes its time. */
const heardSeconds = 15;
/** How long git in the guest waits then. Longer than the host takes, so that it's the host that gives up. */
const longestWaitSeconds = 60;
/** What the host writes now and then, so that a pipe that isn't the resident's any more is noticed. */
export const stillThere = "ping\n";

/**
 * What git runs in the guest (gitcredentials(7)). One line goes into a pipe, `heard` and the answer come back through another,
 * with tabs for line feeds. It opens both for reading as well: so neither opening waits, and what is written stays until it is
 * read. A pipe without a listener, as in a copy of the guest or after a power cut, is removed by the first who waited in vain.
 */
const helperText = String.raw`#!/bin/sh
# Asks the computer that this VM runs on for the credentials of a git server.
[ "$1" = get ] || exit 0
at=$HOME/${folder}
[ -p "$at/ask" ] || exit 0
umask 077
reply=$(mktemp -u "$at/reply.XXXXXX") && mkfifo "$reply" || exit 0
limit=
unlimited() { [ -z "$limit" ] || kill "$limit" 2> /dev/null; limit=; }
trap 'unlimited; rm -f "$reply"' EXIT
trap 'exit 0' TERM INT HUP
exec 3<> "$reply"
# Its own sleep ends with it: nothing is left behind that would end another program of that number.
within() {
  unlimited
  (trap 'kill "$nap"; exit' TERM; sleep "$1" & nap=$!; wait "$nap"; [ -z "$2" ] || rm -f "$2"; kill "$$") > /dev/null 2>&1 &
  limit=$!
}
# Longer ones could come in two pieces.
asked=$(head -c 3000 | tr '\n' '\t')
answer=again
while [ "$answer" = again ] && [ -p "$at/ask" ]; do
  within ${String(heardSeconds)} "$at/ask"
  printf '%s get %s\n' "${"$"}{reply##*.}" "$asked" 1<> "$at/ask"
  IFS= read -r answer <&3
  [ "$answer" = heard ] || continue
  within ${String(longestWaitSeconds)} ''
  IFS= read -r answer <&3
done
unlimited
[ "$answer" = again ] || printf '%s\n' "$answer" | tr '\t' '\n'
`;

/**
 * Runs for as long as the connection: prints `ready`, then each question as a line; answers come as lines by its input. A
 * copy of this guest has the folder, and one of these without a listener: so the pipe is a new one each time, and only
 * its own is removed in the end. Whoever still waits then asks again, or gets no answer.
 */
const resident = String.raw`helper=$1 setting=$2
umask 077
at=$HOME/${folder}
mkdir -p "$at" && chmod 0700 "$at" || exit
printf %s "$helper" > "$at/git-credential.new" && mv -f "$at/git-credential.new" "$at/git-credential" || exit
again() { for reply in "$at"/reply.*; do [ ! -p "$reply" ] || echo again 1<> "$reply"; done; }
ours() { [ "$at/ask" -ef /dev/fd/3 ]; }
if command -v git > /dev/null; then
  cd / || exit
  git config --global --get-all credential.helper | grep -qxF -e "$setting" ||
    git config --global --add credential.helper "$setting" || exit
elif ! grep -qF "${folder}/git-credential" "$HOME/.gitconfig" 2> /dev/null; then
  # For the git that is installed later.
  printf '[credential]\n\thelper = "%s"\n' "$(printf %s "$setting" | sed 's/"/\\"/g')" >> "$HOME/.gitconfig" || exit
fi
rm -f "$at"/ask.*
mkfifo "$at/ask.$$" || exit
exec 3<> "$at/ask.$$"
asked=
trap '[ -z "$asked" ] || kill "$asked"; rm -f "$at/ask.$$"; ! ours || rm -f "$at/ask"; again' EXIT
trap 'exit 0' TERM INT HUP
mv -f "$at/ask.$$" "$at/ask" || exit
# They asked one that is no more.
again
while IFS= read -r line <&3; do
  id=${"$"}{line%% *}
  case $id in
  '' | *[!A-Za-z0-9]*) ;;
  *) [ ! -p "$at/reply.$id" ] || echo heard 1<> "$at/reply.$id" ;;
  esac
  printf '%s\n' "$line"
done &
asked=$!
echo ready
while read -r id answer; do
  ours || exit 0
  case $id in '' | *[!A-Za-z0-9]*) continue ;; esac
  [ ! -p "$at/reply.$id" ] || printf '%s\n' "$answer" 1<> "$at/reply.$id"
done`;

/** Answers the questions of git in the guest; its lines are read by `askedOf` and written by `answerLine`. */
export const residentScript = (): string =>
  script(resident, [helperText, setting]);
