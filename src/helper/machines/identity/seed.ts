/*
 * The seed and the host key of a machine: what its guest takes its identity from at a boot. Both are made here and
 * written from its record, so they can be written again at any time. Called by whatever makes, renames or boots a
 * machine.
 */
import { readFile } from "node:fs/promises";
import { given } from "../../../base/given.ts";
import { replaceFile } from "../../../base/files.ts";
import type { GuestSystem } from "../../../protocol/images.ts";
import { hostSettings } from "../../guests/seed/hostSettings.ts";
import {
  type SeedWriting,
  writeSeed,
  writeVolume,
} from "../../guests/seed/seed.ts";
import { windowsSeedFiles } from "../../guests/seed/windowsSeed.ts";
import {
  ensureUserKey,
  generateHostKey,
  type KeyPair,
} from "../../ssh/keys.ts";
import { pinHostKey } from "../../ssh/knownHosts.ts";
import type { Layout } from "../../store/layout.ts";
import type { MachineRecord } from "../../store/records.ts";

/** Makes a machine's host key, tells its seed of it and pins it; answers with the record that names it. */
export async function giveHostKey(
  record: MachineRecord,
  layout: Layout,
): Promise<MachineRecord> {
  const hostKey = generateHostKey(record.alias);
  const named = { ...record, hostPublicKey: hostKey.publicKey };
  await replaceFile(layout.machine(record.id).hostKey, hostKey.privateKey);
  await writeMachineSeed(named, hostKey, layout);
  await pinHostKey(layout.ssh.knownHosts, record.alias, hostKey.publicKey);
  return named;
}

/** Writes the seed of a machine from its record. */
export async function writeMachineSeed(
  record: MachineRecord,
  hostKey: KeyPair,
  layout: Layout,
  writing: SeedWriting = "replace",
): Promise<void> {
  const { publicKey } = await ensureUserKey(layout.ssh);
  const path = layout.machine(record.id).seed;
  const keys = { hostKey, authorizedKeys: [publicKey] };
  await writeSeedFor[record.os](record, keys, path, writing);
}

type WriteSeed = (
  record: MachineRecord,
  keys: { readonly hostKey: KeyPair; readonly authorizedKeys: string[] },
  path: string,
  writing: SeedWriting,
) => Promise<void>;

/** What a guest finds in its seed, by what runs in it. */
const writeSeedFor: Readonly<Record<GuestSystem, WriteSeed>> = {
  linux: async (record, keys, path, writing) => {
    const { caCertificates, proxy, timezone } = await hostSettings();
    const spec = {
      instanceId: record.instanceId,
      hostname: record.name,
      user: record.user,
      ...keys,
      macAddress: record.macAddress,
      network: { kind: "dhcp" } as const,
      caCertificates,
      ...given({ proxy, timezone }),
    };
    await writeSeed(path, spec, writing);
  },
  // It reads none, its agent tells it who it is at each boot; unless it was generalized and waits for one.
  windows: async (record, { authorizedKeys }, path, writing) => {
    if (record.generalized !== true) return;
    const { instanceId, name, user } = record;
    const about = { instanceId, name, user, authorizedKeys };
    await writeVolume(path, name, () => windowsSeedFiles(about), writing);
  },
};

/** Writes the seed of a machine again whose host key stays the one that it has. */
export async function rewriteMachineSeed(
  record: MachineRecord,
  layout: Layout,
  writing?: SeedWriting,
): Promise<void> {
  const privateKey = await readFile(layout.machine(record.id).hostKey, "utf8");
  const hostKey = { privateKey, publicKey: record.hostPublicKey };
  await writeMachineSeed(record, hostKey, layout, writing);
}
