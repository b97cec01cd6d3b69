import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { writeSeed } from "../../../src/helper/guests/seed/seed.ts";
import {
  ensureUserKey,
  generateHostKey,
} from "../../../src/helper/ssh/keys.ts";
import { layoutOf } from "../../../src/helper/store/layout.ts";
import type { Libvirt } from "./libvirt.ts";
import { startLibvirt } from "./libvirt.ts";
import { type Namespace, openNamespace } from "./namespace.ts";

/** The shape of every machine of the bench, ours and theirs. */
export const shape = { cpus: 2, memoryMiB: 768 };

/** Our golden image, as others can start it. */
export interface Golden {
  readonly disk: string;
  readonly kernel: string;
  readonly initrd: string;
  readonly kernelArguments: string;
}

export interface Reach {
  readonly user: string;
  readonly host: string;
  readonly port?: number;
}

/** What the peers share: one image, one seed, one key, one place to run in. */
export interface Stage {
  readonly folder: string;
  /** Kept from run to run when the environment names a folder for it (BENCH_PEERS). */
  readonly cache: string;
  readonly golden: Golden;
  readonly seed: string;
  readonly user: string;
  readonly key: string;
  readonly namespace: Namespace;
  /** Started for the first who asks. */
  readonly libvirt: () => Promise<Libvirt>;
  /** A copy of the golden disk that has booted once with our seed: what a user clones. Made for the first who asks. */
  readonly bootedDisk: () => Promise<string>;
  /** One ssh after the other until one succeeds. */
  readonly untilSsh: (reach: Reach) => Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function openStage(golden: Golden): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), "gh-peers-"));
  const cache = process.env["BENCH_PEERS"] ?? folder;
  const key = join(cache, "id_ed25519");
  const { publicKey } = await ensureUserKey({ folder: cache, identity: key });
  const seed = join(folder, "seed.iso");
  const user = "guest";
  await writeSeed(seed, {
    instanceId: "bench",
    hostname: "bench",
    user,
    authorizedKeys: [publicKey],
    hostKey: generateHostKey("bench"),
    network: { kind: "dhcp" },
  });
  const namespace = await openNamespace(folder, [
    "/etc/libvirt",
    "/var/lib/libvirt",
    "/var/cache/libvirt",
    "/var/log/libvirt",
  ]);
  let libvirt: Promise<Libvirt> | undefined;
  let booted: Promise<string> | undefined;
  const it: Stage = {
    folder,
    cache,
    golden,
    seed,
    user,
    key,
    namespace,
    libvirt: () => (libvirt ??= startLibvirt(it)),
    bootedDisk: () => (booted ??= bootOnce(it)),
    async untilSsh(reach) {
      const deadline = Date.now() + 180_000;
      while (!(await namespace.succeeds("ssh", sshArguments(key, reach)))) {
        if (Date.now() > deadline)
          throw new Error(`no ssh at ${reach.host} within three minutes`);
        await new Promise((wake) => setTimeout(wake, 50));
      }
    },
    async [Symbol.asyncDispose]() {
      await namespace[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return it;
}

export const sshArguments = (
  key: string,
  { user, host, port = 22 }: Reach,
  command: readonly string[] = ["true"],
): string[] => [
  ...["-F", "none", "-p", String(port), "-i", key],
  ...["-o", "BatchMode=yes", "-o", "ConnectTimeout=2"],
  // Peers don't know their guests' keys beforehand, so nothing is checked: the quicker way for them.
  ...["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"],
  ...["-o", "LogLevel=ERROR", `${user}@${host}`, ...command],
];

/** The golden disk and how it is started directly, as the helper of this data folder keeps it. */
export async function goldenOf(home: string, digest: string): Promise<Golden> {
  const { disk, kernel, initrd, record } = layoutOf(home).image(digest);
  const { directBoot } = JSON.parse(await readFile(record, "utf8")) as {
    directBoot?: { kernelArguments: string };
  };
  if (directBoot === undefined)
    throw new Error("our image has no kernel of its own");
  return { disk, kernel, initrd, kernelArguments: directBoot.kernelArguments };
}

async function bootOnce(stage: Stage): Promise<string> {
  const { namespace, key, user, folder } = stage;
  const libvirt = await stage.libvirt();
  const overlay = await libvirt.overlay("first", stage.golden.disk);
  const reach = { user, host: libvirt.address };
  await libvirt.define("first", overlay);
  await libvirt.virsh("start", "first");
  await stage.untilSsh(reach);
  const ssh = (...command: string[]): Promise<string> =>
    namespace.run("ssh", sshArguments(key, reach, command));
  await ssh("cloud-init", "status", "--wait");
  // The connection may end before the command has.
  await ssh("sudo", "systemctl", "--no-block", "poweroff").catch(() => "");
  while ((await libvirt.virsh("domstate", "first")) !== "shut off")
    await new Promise((wake) => setTimeout(wake, 200));
  await libvirt.virsh("undefine", "first");
  const disk = join(folder, "booted.qcow2");
  await execa("qemu-img", ["convert", "-O", "qcow2", overlay, disk]);
  await rm(overlay);
  return disk;
}

/** Writes a file of the stage and answers its path. */
export async function writeAt(
  stage: Stage,
  name: string,
  text: string,
): Promise<string> {
  const path = join(stage.folder, name);
  await writeFile(path, text);
  return path;
}
