import { asRoot, loginBlock, script } from "../guest/guestScripts.ts";
import { holding } from "../guest/held.ts";

/** Where the files of a feature lie while it is installed; of root, as what lies there is run as root. */
const folderOf = (place: string): string =>
  `/var/lib/guesthouse/features/${place}`;

/**
 * Prints the entries of the users that there are, as `passwd` has them, then `mark`, then what /etc/environment holds
 * beside ours. Puts `profile` into /etc/profile.d, where it isn't there yet.
 */
export const surveyScript = (
  users: readonly string[],
  profile: string,
  mark: string,
): string =>
  script(
    `set -eu
${asRoot}
file=/etc/profile.d/guesthouse-features.sh
if [ -n "$1" ] && [ "$(cat "$file" 2> /dev/null)" != "$1" ]; then
  new=$(mktemp)
  trap 'rm -f "$new"' EXIT
  printf '%s\\n' "$1" > "$new"
  as_root install -D -m 0644 "$new" "$file"
fi
mark=$2
shift 2
for user in "$@"; do getent passwd "$user" || true; done
printf '%s\\n' "$mark"
sed '/^${loginBlock.begin}$/,/^${loginBlock.end}$/d' /etc/environment 2> /dev/null || true`,
    [profile, mark, ...users],
  );

/** Unpacks a feature's archive, which comes by its input, into a folder of its own. */
export const unpackScript = (place: string, compressed: boolean): string =>
  script(
    `set -eu
${asRoot}
as_root rm -rf -- "$1"
as_root mkdir -p -- "$1"
as_root tar "$2" - -C "$1"`,
    [folderOf(place), compressed ? "-xozf" : "-xof"],
  );

/** As root, in the feature's folder, which goes when the feature is installed. */
const installer = `cd -- "$1" || exit
printf %s "$2" > devcontainer-features.builtin.env
printf %s "$3" > devcontainer-features.env
chmod +x install.sh
${holding(`set -a
. ./devcontainer-features.builtin.env
. ./devcontainer-features.env
set +a
exec $held ./install.sh`)}
[ "$code" = 0 ] || exit "$code"
cd / && rm -rf -- "$1"`;

/** The command line that runs a feature's install.sh, with variables as lines that a shell reads. */
export const installScript = (
  place: string,
  variables: string,
  options: string,
): string =>
  script(`${asRoot}; as_root /bin/sh -c "$@"`, [
    ...[installer, "sh", folderOf(place), variables, options],
  ]);
