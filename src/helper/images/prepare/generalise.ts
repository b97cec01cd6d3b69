import type { SshSession } from "../../ssh/session.ts";
import type { ImageFacts } from "../disks/facts.ts";
import { guestScripts } from "./guestScripts.ts";

/** Units of container engines in the order in which they are stopped: no new call, the engine, what its containers hang on. */
const enginesFirst = ["docker.socket", "docker.service", "containerd.service"];

/**
 * What a machine that was worked in has beyond a stock image's boot, before `prepare.sh clean`. Its user and what the
 * commands left stay; what tells who used it, or where, goes. Lists of packages are kept aside: commands that run in
 * the clones may count on them.
 */
const before = `
set -u
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# What it does last would be done again after it was made to forget it.
if command -v cloud-init >/dev/null && [ ! -e /run/cloud-init/result.json ]; then
  timeout 300 cloud-init status --wait >/dev/null 2>&1
fi
# An engine ends its containers and needs what runs them until then; a kill would look like a crash to what is in them.
if command -v systemctl >/dev/null; then
  for unit in ${enginesFirst.join(" ")}; do
    if systemctl is-active --quiet "$unit"; then timeout 120 systemctl stop "$unit" </dev/null >/dev/null 2>&1; fi
  done
fi
# Services that the folder's commands started end in their own time and not by a power cut.
if command -v systemctl >/dev/null; then
  running=$(systemctl list-units --type=service --state=running --plain --no-legend --no-pager | cut -d' ' -f1 |
    grep -Ev '^(ssh|sshd|systemd-|dbus|cloud-|guesthouse-|qemu-guest-agent|getty@|serial-getty@|user@|networking|NetworkManager|dhcpcd|polkit)')
  for unit in $running; do timeout 60 systemctl stop "$unit" </dev/null >/dev/null 2>&1; done
fi
cut -d: -f6 /etc/passwd | sort -u | while read -r home; do
  case $home in /root | /home/*) ;; *) continue ;; esac
  rm -f "$home/.ssh/authorized_keys" "$home/.bash_history" "$home/.ash_history" "$home/.zsh_history" \
    "$home/.python_history" "$home/.node_repl_history" "$home/.lesshst" "$home/.viminfo" "$home/.wget-hsts"
done
# Docker names its engine once.
rm -f /var/lib/docker/engine-id /etc/docker/key.json
rm -f /var/lib/guesthouse/trust-authorities.sh
if [ -d /var/lib/apt/lists ]; then mv /var/lib/apt/lists /var/lib/apt/lists.kept; fi
exit 0
`;

const after = String.raw`
set -eu
if [ -d /var/lib/apt/lists.kept ]; then
  rm -rf /var/lib/apt/lists
  mv /var/lib/apt/lists.kept /var/lib/apt/lists
fi
`;

/**
 * Makes a running machine forget who it is, as a golden image must (B1–B4), and answers with what it holds. Its user
 * stays, without keys: no new login is possible, and this session is the last one. Ends with the guest switching itself off.
 */
export async function generalise(
  guest: { readonly session: SshSession; readonly user: string },
  resources: string,
  signal: AbortSignal,
): Promise<ImageFacts> {
  const scripts = await guestScripts(guest, resources, signal);
  await scripts.script(before, [], signal);
  await scripts.prepare(["clean"], signal);
  await scripts.script(after, [], signal);
  const facts = await scripts.facts(signal);
  // “root”: nobody's home goes.
  await scripts.prepare(["off", "root"], signal);
  return facts;
}
