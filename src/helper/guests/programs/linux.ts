import * as z from "zod";
import { given } from "../../../base/given.ts";
import type { GuestInterface, GuestUser } from "../agent/agent.ts";
import { guestJson, maxListed, name } from "../agent/guestAnswer.ts";
import type { GuestPrograms, Program } from "./program.ts";

const sh = (
  script: string,
  args: readonly string[],
  input?: string,
): Program => ({
  argv: ["/bin/sh", "-c", `set -eu\n${script}`, "sh", ...args],
  ...given({ input }),
});

/** What a Linux guest does where its agent may not, as root. */
export const linuxPrograms: GuestPrograms = {
  readFile: (path) => sh('base64 < "$1"', [path]),
  // In one step: whoever reads it meanwhile reads the old one or the new one.
  writeFile: (path, content) =>
    sh(
      'base64 -d > "$1.new"; mv -f "$1.new" "$1"',
      [path],
      content.toString("base64"),
    ),
  setTime: (at) => sh('date -u -s "@$1" > /dev/null', [secondsOf(at)]),
  interfaces: {
    program: { argv: ["ip", "-json", "-statistics", "address"] },
    read: readInterfaces,
  },
  users: { program: { argv: ["who"] }, read: readUsers },
  authorizeKeys: (user, keys) =>
    sh(
      `home=$(getent passwd "$1" | cut -d: -f6)
[ -n "$home" ] || { echo "there is no user $1" >&2; exit 1; }
umask 077
mkdir -p "$home/.ssh"
cat > "$home/.ssh/authorized_keys.new"
mv -f "$home/.ssh/authorized_keys.new" "$home/.ssh/authorized_keys"
chown "$1:" "$home/.ssh" "$home/.ssh/authorized_keys"`,
      [user],
      keys.map((key) => `${key}\n`).join(""),
    ),
};

/** As date(1) of GNU and of BusyBox takes it after `@`; the former only knows fractions. */
const secondsOf = (at: Date): string => String(Math.round(at.getTime() / 1000));

const counted = z.object({ bytes: z.number() });

/** ip-address(8) with `-json`; BusyBox's has none, and an error of it is told. */
const linkSchema = z.object({
  ifname: name,
  address: name.optional(),
  addr_info: z
    .array(z.object({ local: name, prefixlen: z.int().min(0).max(128) }))
    .max(maxListed)
    .default([]),
  stats64: z.object({ rx: counted, tx: counted }).optional(),
});

function readInterfaces(stdout: string): GuestInterface[] {
  const links = guestJson(
    "the list of its cards",
    z.array(linkSchema).max(maxListed),
    stdout,
  );
  return links.map(({ ifname, address, addr_info, stats64 }) => ({
    name: ifname,
    macAddress: address,
    addresses: addr_info.map(
      ({ local, prefixlen }) => `${local}/${String(prefixlen)}`,
    ),
    receivedBytes: stats64?.rx.bytes,
    sentBytes: stats64?.tx.bytes,
  }));
}

/** A line a login: name, terminal, time. Each user once, as the agent tells them. */
function readUsers(stdout: string): GuestUser[] {
  const names = stdout
    .split("\n")
    .map((line) => line.split(/\s/)[0] ?? "")
    .filter((name) => name !== "");
  return [...new Set(names)].map((user) => ({ user }));
}
