import { shellCommand } from "../../ssh/quote.ts";
import { holding } from "./held.ts";

/** Where the guest keeps what was done in it, so that a copy of the guest knows it too. */
export const stateFolder = "/var/lib/guesthouse/workspace";

/**
 * A POSIX script with its arguments, as the one string that SSH carries. It finds the system's programs whatever a
 * devcontainer.json has made of PATH: else nothing could put that right again (F5).
 */
export const script = (text: string, args: readonly string[]): string =>
  shellCommand(["/bin/sh", "-c", `${withPrograms}\n${text}`, "sh", ...args]);

const withPrograms =
  'command -v sed > /dev/null || PATH="$PATH:/usr/sbin:/usr/bin:/sbin:/bin"';

/** `as_root program …`, for scripts. */
export const asRoot =
  'as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n -- "$@"; fi; }';

/** Makes the folders, owned by the user; prints the boot's id, then what was done before as `name=value` lines. */
export const prepareScript = (target: string): string =>
  script(
    `set -eu
${asRoot}
for folder in "$@"; do
  [ -d "$folder" ] || as_root install -d -o "$(id -u)" -g "$(id -g)" -- "$folder"
done
cd "$2"
chmod 0700 .
cat /proc/sys/kernel/random/boot_id
for mark in done-*; do
  [ -f "$mark" ] && printf '%s=%s\\n' "\${mark#done-}" "$(cat "$mark")"
done
true`,
    [target, stateFolder],
  );

/** Writes down that something was done. */
export const markScript = (name: string, value: string): string =>
  script('umask 077; printf %s "$3" > "$1/done-$2"', [
    stateFolder,
    name,
    value,
  ]);

/** Takes the environment file from its input. */
export const writeEnvironmentScript = (): string =>
  script(
    'umask 077; cat > "$1/environment.new" && mv "$1/environment.new" "$1/environment"',
    [stateFolder],
  );

/** Flags of the user's shell for each kind of probe; undefined for none. */
const probeFlags = {
  none: undefined,
  loginShell: "-lc",
  interactiveShell: "-ic",
  loginInteractiveShell: "-lic",
} as const;
export type EnvironmentProbe = keyof typeof probeFlags;

/** The lines around what is ours in /etc/environment. */
export const loginBlock = {
  begin: "# containerEnv of devcontainer.json, by Guesthouse",
  end: "# end of containerEnv",
} as const;
const { begin, end } = loginBlock;

/** Prints the environment of a login, a mark, and what /etc/environment says. */
export const loginsScript = (mark: string): string =>
  script(
    `env -0
printf %s "$1"
cat /etc/environment 2> /dev/null || true`,
    [mark],
  );

/**
 * Takes the file's variables for commands from its input and those for every login as `logins`, which it puts into
 * /etc/environment in place of those of an earlier time. Then prints the environment with the variables and, between
 * marks, what the user's shell makes of it. A shell's start-up files may print, ask or hang: so the marks, no input, and
 * a time limit, by KILL as an interactive bash ignores TERM. One script for all: in an emulated guest each one costs a
 * tenth of a second.
 */
export const probeScript = (
  logins: string,
  probe: EnvironmentProbe,
  mark: string,
): string =>
  script(
    `set -eu
${asRoot}
umask 077
cat > "$1/environment"
new=$(mktemp)
trap 'rm -f "$new"' EXIT
sed '/^${begin}$/,/^${end}$/d' /etc/environment > "$new" 2> /dev/null || true
[ -z "$5" ] || printf '%s\n%s%s\n' '${begin}' "$5" '${end}' >> "$new"
[ -z "$5" ] && ! grep -qsxF '${begin}' /etc/environment || cmp -s "$new" /etc/environment ||
  as_root install -m 0644 "$new" /etc/environment
set +eu
. "$1/environment"
env -0
[ -n "$3" ] || exit 0
printf '%s' "$2"
GUESTHOUSE_PROBE=1 timeout -s KILL "$4" "\${SHELL:-/bin/sh}" "$3" "printf %s $2; cat /proc/self/environ; printf %s $2" < /dev/null 2> /dev/null
true`,
    [stateFolder, mark, probeFlags[probe] ?? "", "30", logins],
  );

const enter =
  'cd -- "$1" || exit; [ ! -r "$2/environment" ] || . "$2/environment"; shift 2';

/** Runs a command in a folder of the guest, in the workspace's environment, by its own exit code. */
export const runScript = (folder: string, argv: readonly string[]): string =>
  script(`${enter}; exec "$@"`, [folder, stateFolder, ...argv]);

/**
 * The same for as long as somebody wants it (`holding`), with variables that are nowhere written in the guest: the first
 * `secretBytes` of its input are a shell's `export`s of them, so that they stand in no command line either.
 */
export const stepScript = (
  folder: string,
  argv: readonly string[],
  secretBytes: number,
): string =>
  script(
    // The secrets are read first: the environment may have a PATH without head.
    `guesthouse_secrets=$(head -c "$1"); shift
${holding(`${enter}; eval "$guesthouse_secrets"; unset guesthouse_secrets
exec $held "$@"`)}
exit "$code"`,
    [String(secretBytes), folder, stateFolder, ...argv],
  );
