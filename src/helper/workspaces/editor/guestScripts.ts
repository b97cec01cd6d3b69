import { asRoot, script, stateFolder } from "../guest/guestScripts.ts";

/** What we set last in each settings file, so that what has left a devcontainer.json can be taken out again. */
export const memoryFile = `${stateFolder}/editor-settings.json`;
/** `remoteEnv`, for login shells. */
export const remoteEnvironmentFile = `${stateFolder}/remote-environment`;

export const settingsFileOf = (dataFolder: string): string =>
  `${dataFolder}/Machine/settings.json`;

/**
 * Prints what we remember, as `memory<TAB>base64`, and for every data folder of an editor's server, relative to the home
 * folder, `folder<TAB>path` and, where it has settings, `text<TAB>base64`. Those of the second list only where they are.
 */
export const readSettingsScript = (
  folders: readonly string[],
  whereFound: readonly string[],
): string =>
  script(
    `set -eu
cd
emit() { printf '%s\\t' "$1"; base64 < "$2" | tr -d '\\n'; echo; }
[ ! -r "$1" ] || emit memory "$1"
always=$2
shift 2
for folder in "$@"; do
  if [ "$always" -gt 0 ]; then always=$((always - 1)); elif [ ! -d "$folder" ]; then continue; fi
  printf 'folder\\t%s\\n' "$folder"
  [ ! -r "$folder/Machine/settings.json" ] || emit text "$folder/Machine/settings.json"
done`,
    [memoryFile, String(folders.length), ...folders, ...whereFound],
  );

/**
 * Writes the files that its input names, as `path<TAB>base64` lines, each whole or not at all: a server that runs reads
 * its settings whenever they change. Paths are absolute or below the home folder; a link is followed.
 */
export const writeFilesScript = (): string =>
  script(
    `set -eu
umask 077
cd
while IFS='	' read -r path content; do
  mkdir -p -- "\${path%/*}"
  [ ! -L "$path" ] || path=$(readlink -f -- "$path")
  printf %s "$content" | base64 -d > "$path.guesthouse"
  mv -- "$path.guesthouse" "$path"
done`,
    [],
  );

const profileFile = "/etc/profile.d/guesthouse-workspace.sh";
/**
 * Only for the user whose workspace it is, and not where the user's shell is asked for its own variables: what has left
 * the file would never go.
 */
const profile = `# remoteEnv of devcontainer.json, by Guesthouse
if [ -z "\${GUESTHOUSE_PROBE-}" ] && [ -O ${remoteEnvironmentFile} ]; then
  . ${remoteEnvironmentFile}
fi
`;

/** Lets login shells read `remoteEnv`. */
export const profileScript = (): string =>
  script(
    `set -eu
${asRoot}
[ -d "\${1%/*}" ] || exit 0
new=$(mktemp)
trap 'rm -f "$new"' EXIT
printf %s "$2" > "$new"
cmp -s "$new" "$1" || as_root install -m 0644 "$new" "$1"`,
    [profileFile, profile],
  );
