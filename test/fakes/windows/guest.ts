/*
 * The state of a guest with Windows that scripts change when they are played: drives (folders of this host, so that an SFTP
 * server may serve them too), who may use a file, registry, services, accounts, clock and the like. Tests look at it; only
 * what a script's cmdlets did is in it.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Failure, same, Table, tableOf } from "./values.ts";

/** Who owns a file and who may use it. Absent: as the folder around it, which lets in everybody. */
export interface Acl {
  owner: string;
  /** Nothing comes from the folder around it. */
  isProtected: boolean;
  allowed: { who: string; rights: string }[];
}

export interface Service {
  running: boolean;
  /** How often it was started since the guest was made. */
  starts: number;
  /** Why it can't be started. */
  broken?: string;
}

export interface Account {
  readonly name: string;
  readonly sid: string;
  readonly isAdministrator: boolean;
}

export interface ScheduledTask {
  readonly execute: string;
  readonly argument: string;
  readonly user: string;
  readonly atStartup: boolean;
  started: boolean;
}

export interface NetworkCard {
  readonly name: string;
  readonly index: number;
  /** As Windows writes it: `52-54-00-12-34-56`. */
  readonly macAddress: string;
  readonly addresses: readonly (readonly [address: string, prefix: number])[];
  readonly received: number;
  readonly sent: number;
}

export interface WindowsGuest {
  /** Folder of this host in which drives lie as `C:`. */
  readonly drives: string;
  /** By path in lower case. */
  readonly acls: Map<string, Acl>;
  /** Values by key. */
  readonly registry: Table;
  readonly machineVariables: Table;
  readonly userVariables: Table;
  readonly services: Map<string, Service>;
  readonly accounts: Account[];
  /** An account that was deleted is still in a group: then Windows lists none of it. */
  groupsAreUnreadable: boolean;
  readonly cards: NetworkCard[];
  /** Who has a desktop. */
  desktops: { readonly user: string; readonly domain: string }[];
  readonly tasks: Map<string, ScheduledTask>;
  /** Certificates by place. */
  readonly certificates: Map<string, string[]>;
  /** What the clock was set to; undefined while nobody did. */
  clock: Date | undefined;
  /** Why nobody may set it. */
  clockRefuses: string | undefined;
  readonly bootedAt: Date;
  computerName: string;
  /** From its next start on. */
  nextComputerName: string | undefined;
  /** Percent, for each time that somebody looks; the last one stays. */
  load: number[];
  sleptMs: number;
  /** Drives whose cache was written, each time with how long the guest had waited by then. */
  flushed: string[];
  /** Public key that sshd shows: what it read when it was started last. */
  shownHostKey: string | undefined;
  /** Programs of the guest: answer with their exit code. */
  readonly programs: Map<string, (call: ProgramCall) => number>;
}

export interface ProgramCall {
  readonly args: string;
  /** Of this host. */
  readonly folder: string;
  readonly variables: ReadonlyMap<string, unknown>;
  readonly say: (text: string) => void;
}

const sshFolder = String.raw`C:\ProgramData\ssh`;
export const administrators = "S-1-5-32-544";
const system = "S-1-5-18";

/** A Windows as its image leaves it: sshd runs and shows the image's host key. `drives` is made here where it isn't given. */
export function windowsGuest(
  drives = mkdtempSync(join(tmpdir(), "drives-")),
): WindowsGuest {
  const guest: WindowsGuest = {
    ...{ drives, acls: new Map<string, Acl>(), registry: new Table() },
    machineVariables: tableOf({
      ProgramData: String.raw`C:\ProgramData`,
      SystemDrive: "C:",
      SystemRoot: String.raw`C:\Windows`,
      Path: String.raw`C:\Windows`,
    }),
    userVariables: new Table(),
    services: new Map(
      ["sshd", "SessionEnv"].map((name) => [
        name,
        { running: true, starts: 1 },
      ]),
    ),
    ...{ accounts: [], groupsAreUnreadable: false },
    ...{ cards: [], desktops: [], tasks: new Map<string, ScheduledTask>() },
    certificates: new Map([["localmachine\\remote desktop", ["the image's"]]]),
    ...{ clock: undefined, clockRefuses: undefined },
    bootedAt: new Date("2026-03-01T12:00:00Z"),
    ...{ computerName: "IMAGE", nextComputerName: undefined },
    ...{ load: [0], sleptMs: 0, flushed: [], shownHostKey: undefined },
    programs: new Map(),
  };
  for (const name of ["ssh_host_ed25519_key", "ssh_host_rsa_key"]) {
    putFile(guest, `${sshFolder}\\${name}`, "the image's private key");
    putFile(guest, `${sshFolder}\\${name}.pub`, "the image's key\n");
    for (const path of [name, `${name}.pub`])
      guest.acls.set(lower(`${sshFolder}\\${path}`), {
        ...{ owner: administrators, isProtected: true },
        allowed: [system, administrators].map((who) => ({
          who,
          rights: "FullControl",
        })),
      });
  }
  readHostKeys(guest);
  return guest;
}

export const removeGuest = ({ drives }: WindowsGuest): void =>
  rmSync(drives, { recursive: true, force: true });

export const addAccount = (
  guest: WindowsGuest,
  name: string,
  isAdministrator: boolean,
): Account => {
  const account = {
    ...{ name, isAdministrator },
    sid: `S-1-5-21-1-2-3-${String(1001 + guest.accounts.length)}`,
  };
  guest.accounts.push(account);
  guest.registry.set(
    String.raw`HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList` +
      `\\${account.sid}`,
    tableOf({ ProfileImagePath: `C:\\Users\\${name}` }),
  );
  return account;
};

/** One spelling for each path. */
export const lower = (path: string): string =>
  path.replaceAll("/", "\\").replace(/\\+$/, "").toLowerCase();

/** Where a path of the guest lies on this host; names that are there are found in either case. */
export function onHost(guest: WindowsGuest, path: string): string {
  if (!/^[a-z]:/i.test(path))
    throw new Failure(`Cannot find drive of “${path}”.`);
  return path
    .split(/[\\/]+/)
    .filter((name) => name !== "")
    .reduce((folder, name) => {
      const there = existsSync(folder) ? safeList(folder) : [];
      return join(folder, there.find((each) => same(each, name)) ?? name);
    }, guest.drives);
}

const safeList = (folder: string): string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
};

export const hasFile = (guest: WindowsGuest, path: string): boolean =>
  /^[a-z]:/i.test(path) && existsSync(onHost(guest, path));

export function readBytes(guest: WindowsGuest, path: string): Buffer {
  try {
    return readFileSync(onHost(guest, path));
  } catch {
    throw new Failure(`Could not find file '${path}'.`);
  }
}

/** Without the byte order mark, as Windows reads it. */
export const readText = (guest: WindowsGuest, path: string): string =>
  readBytes(guest, path)
    .toString("utf8")
    .replace(/^\ufeff/, "");

/** The folder around it must be there. */
export function writeBytes(
  guest: WindowsGuest,
  path: string,
  content: Uint8Array | string,
): void {
  try {
    writeFileSync(onHost(guest, path), content);
  } catch {
    throw new Failure(`Could not find a part of the path '${path}'.`);
  }
}

/** For whoever sets the scene: makes the folder, too. */
export function putFile(
  guest: WindowsGuest,
  path: string,
  content: Uint8Array | string,
): void {
  mkdirSync(dirname(onHost(guest, path)), { recursive: true });
  writeFileSync(onHost(guest, path), content);
}

/** sshd leaves a file aside that anybody but SYSTEM, Administrators and its owner may write to. */
export function isGuarded(
  { acls }: WindowsGuest,
  path: string,
  alsoAllowed: readonly string[] = [],
): boolean {
  const acl = acls.get(lower(path));
  const fit = [system, administrators, ...alsoAllowed];
  return (
    acl !== undefined &&
    acl.isProtected &&
    fit.includes(acl.owner) &&
    acl.allowed.every(({ who }) => fit.includes(who)) &&
    acl.allowed.some(({ who }) => who === system)
  );
}

/** What sshd does at its start. */
export function readHostKeys(guest: WindowsGuest): void {
  const key = `${sshFolder}\\ssh_host_ed25519_key`;
  guest.shownHostKey =
    hasFile(guest, key) && isGuarded(guest, key)
      ? readText(guest, `${key}.pub`).trim()
      : undefined;
}

/** Public key lines by which sshd lets a user in; it takes either kind of line end. */
export function letsIn(guest: WindowsGuest, name: string): string[] {
  const account = guest.accounts.find((each) => each.name === name);
  if (account === undefined) return [];
  const [path, own] = account.isAdministrator
    ? [`${sshFolder}\\administrators_authorized_keys`, []]
    : [`C:\\Users\\${name}\\.ssh\\authorized_keys`, [account.sid]];
  if (!hasFile(guest, path) || !isGuarded(guest, path, own)) return [];
  return readText(guest, path)
    .split(/\r?\n/)
    .filter((line) => line !== "");
}
