/* Scripts for the VM around its dev container: POSIX, run by the VM's user, who may use the engine and sudo. */
import { holding } from "../guest/held.ts";
import { runningFormat } from "./published.ts";
import { asRoot, script, stateFolder } from "../guest/guestScripts.ts";

/** The reference implementation as the image has it (resources/guest/engine). */
export const referenceProgram = "/usr/lib/guesthouse/bin/devcontainer";
/** The landing's command in the VM (resources/guest/landing). */
export const landingProgram = "/usr/bin/guesthouse-landing";

/**
 * Runs the reference implementation in the folder for as long as somebody wants it (`holding`). The first bytes of its
 * input are the file that it takes for the folder's own, the next ones Docker's config.json, then a script that sets
 * variables, if any. They lie in memory only and go when it ends: they hold secrets of the host's.
 */
export const referenceScript = (
  folder: string,
  bytes: {
    readonly config: number;
    readonly docker: number;
    readonly environment: number;
  },
  args: readonly string[],
): string =>
  script(
    `config=$1 docker=$2 environment=$3 folder=$4
shift 4
umask 077
temporary=$(mktemp -d /dev/shm/guesthouse-devcontainer.XXXXXX) || exit
head -c "$config" > "$temporary/devcontainer.json"
if [ "$docker" -gt 0 ]; then
  head -c "$docker" > "$temporary/config.json"
  export DOCKER_CONFIG="$temporary"
fi
head -c "$environment" > "$temporary/environment"
. "$temporary/environment"
# Node knows only its own authorities.
[ ! -r /etc/ssl/certs/ca-certificates.crt ] || export NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
set -- "$@" --override-config "$temporary/devcontainer.json"
${holding(`cd -- "$folder" || exit
umask 022
exec $held ${referenceProgram} "$@"`)}
rm -rf -- "$temporary"
exit "$code"`,
    [
      ...[bytes.config, bytes.docker, bytes.environment].map(String),
      ...[folder, ...args],
    ],
  );

/** Makes these folders and files, unless something is there; prints the paths that were there, a line each. */
export const hostPathsScript = ({
  folders,
  files,
}: {
  readonly folders: readonly string[];
  readonly files: readonly string[];
}): string =>
  script(
    `set -eu
${asRoot}
while [ $# -gt 0 ]; do
  kind=$1 path=$2
  shift 2
  if [ -e "$path" ]; then printf '%s\\n' "$path"
  elif [ "$kind" = folder ]; then as_root install -d -o "$(id -u)" -g "$(id -g)" -- "$path"
  else as_root install -m 0600 -o "$(id -u)" -g "$(id -g)" -- /dev/null "$path"
  fi
done`,
    kinds({ folder: folders, file: files }),
  );

/** Each name behind its kind, as arguments for a script that takes two at a time. */
const kinds = (named: Readonly<Record<string, readonly string[]>>): string[] =>
  Object.entries(named).flatMap(([kind, names]) =>
    names.flatMap((name) => [kind, name]),
  );

/**
 * Takes shared folders away, and the places where they were mounted. A container that still sees one gets errors there: whoever
 * waits in it for this computer would wait for ever. Nothing here looks into the mount, which may wait, too.
 */
export const unmountScript = (paths: readonly string[]): string =>
  script(
    `set -eu
${asRoot}
device() { at=$1 awk '$5 == ENVIRON["at"] { split($3, numbers, ":"); last = numbers[2] } END { print last }' /proc/self/mountinfo; }
for path in "$@"; do
  escaped=$(printf %s "$path" | sed 's/\\\\/\\\\134/g; s/ /\\\\040/g')
  number=$(device "$escaped")
  if [ -n "$number" ]; then
    echo 1 | as_root tee "/sys/fs/fuse/connections/$number/abort" > /dev/null 2>&1 || true
    as_root umount -l -- "$path"
  fi
  [ ! -d "$path" ] || as_root rmdir --ignore-fail-on-non-empty -- "$path"
done`,
    paths,
  );

/** Succeeds where something is at the path; an empty folder or file, which stood in for it, is taken away. */
export const thereAndNotEmptyScript = (path: string): string =>
  script(
    `[ -L "$1" ] || rmdir -- "$1" 2> /dev/null || [ ! -f "$1" ] || [ -s "$1" ] || rm -f -- "$1"
[ -e "$1" ]`,
    [path],
  );

/** Writes its input to the Compose file that stands at the end of the list. */
export const composeOverrideScript = (path: string): string =>
  script(
    `set -eu
${asRoot}
as_root install -d -o "$(id -u)" -g "$(id -g)" -- "\${1%/*}"
cat > "$1.new"
mv -- "$1.new" "$1"`,
    [path],
  );

/** Makes these networks and volumes unless they are there; prints the names of those that it made, a line each. */
export const externalsScript = ({
  networks,
  volumes,
}: {
  readonly networks: readonly string[];
  readonly volumes: readonly string[];
}): string =>
  script(
    `set -eu
while [ $# -gt 0 ]; do
  kind=$1 name=$2
  shift 2
  docker "$kind" inspect -- "$name" > /dev/null 2>&1 && continue
  docker "$kind" create -- "$name" > /dev/null
  printf '%s\\n' "$name"
done`,
    kinds({ network: networks, volume: volumes }),
  );

/**
 * Makes `host-gateway` mean this address. The engine takes it at its start, which ends its containers: only where it isn't so
 * already.
 */
export const hostGatewayScript = (address: string): string =>
  script(
    `set -eu
${asRoot}
settings=/etc/docker/daemon.json
[ -s "$settings" ] || echo '{}' | as_root tee "$settings" > /dev/null
as_root python3 -c '
import json, sys
path, address = sys.argv[1:]
with open(path) as file: settings = json.load(file)
if settings.get("host-gateway-ip") == address: sys.exit(0)
settings["host-gateway-ip"] = address
with open(path, "w") as file: json.dump(settings, file, indent=2)
sys.exit(3)
' "$settings" "$1" || {
  [ $? -eq 3 ] || exit 1
  as_root systemctl restart docker
}`,
    [address],
  );

/** In the container, as its root: who the user is, a folder for what is remembered of it, and its environment. */
const describe = `user=\${1%%:*} state=$2 mark=$3
entry=$(getent passwd -- "$user" 2> /dev/null) || entry=
[ -n "$entry" ] || entry=$(grep -s "^$user:" /etc/passwd | head -n 1) || entry=
printf 'passwd=%s\\n' "$entry"
IFS=: read -r _ _ uid gid _ <<END
$entry
END
mkdir -p -- "$state" && chown "\${uid:-$user}:\${gid:-0}" "$state" && chmod 0700 "$state" || echo readonly=yes
for libc in /lib/ld-musl-*; do [ ! -e "$libc" ] || echo libc=musl; done
printf '%s' "$mark"
env -0 2> /dev/null || env | tr '\\n' '\\0'`;

/**
 * Prints when the container was started, its network, and what runs with it; then what `describe` finds in it: `name=value`
 * lines, the mark, and its environment with NULs between.
 */
export const describeScript = (
  container: string,
  user: string,
  mark: string,
): string =>
  script(
    `set -eu
docker inspect --format 'started={{.State.StartedAt}}
network={{.HostConfig.NetworkMode}}
id={{.Id}}' -- "$1"
docker ps --no-trunc --format 'running=${runningFormat}'
exec docker exec -u 0 -- "$1" /bin/sh -c "$2" sh "$3" "$4" "$5"`,
    [container, describe, user, stateFolder, mark],
  );

/** Gives the landing its target, which it reads from its input; prints the outcome as one JSON line. */
export const landScript = (): string =>
  script(
    `${asRoot}
as_root ${landingProgram} set`,
    [],
  );

/** Sees to it that connections can lead into the container that was set; prints the outcome as one JSON line. */
export const landingReadyScript = (): string =>
  script(
    `${asRoot}
as_root ${landingProgram} ready`,
    [],
  );
