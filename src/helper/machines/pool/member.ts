/*
 * One clone that waits in the pool: made, brought to rest and paused, or ended with all that there was of it. Until it is
 * handed out it has a machine's folder but no record, so a helper that finds it removes it. Called by the pool only.
 */
import { copyFile, rm } from "node:fs/promises";
import { sleep } from "../../../base/deadline.ts";
import { faultPoint } from "../../../base/faultPoint.ts";
import { makePrivateFolder, replaceFile } from "../../../base/files.ts";
import type { Log } from "../../../base/log.ts";
import { failed } from "../../../protocol/failure.ts";
import type { GuestSystem } from "../../../protocol/images.ts";
import type { GoldenImage } from "../../images/golden/goldenImage.ts";
import { endProcess, waitForExit } from "../../qemu/process.ts";
import {
  emptyOverlay,
  type TemplateRecord,
  type Templates,
} from "../../snapshots/templates.ts";
import { ensureUserKey, generateHostKey } from "../../ssh/keys.ts";
import { connectSsh } from "../../ssh/session.ts";
import type { Layout } from "../../store/layout.ts";
import { type MachineRecord, removeFolder } from "../../store/records.ts";
import { freeAddress } from "../identity/addresses.ts";
import { mark } from "../roster/bootLog.ts";
import { writeMachineSeed } from "../identity/seed.ts";
import type { Live } from "../roster/entry.ts";
import { surveyHost } from "../boot/environment.ts";
import { sentenceOf } from "../identity/identity.ts";
import { launchMachine } from "../boot/launch.ts";
import { removeLeftovers } from "../roster/leftovers.ts";
import { newIdentity } from "../identity/names.ts";
import type { MachineRegistry } from "../roster/registry.ts";
import { handOff, namelessIdentity } from "../saved/resume.ts";

/** A clone that waits to become a machine: paused, and itself in everything but its name. */
export interface PoolMember {
  readonly template: string;
  /** As it will be, without a name; not on disk before it has one. */
  readonly record: MachineRecord;
  readonly live: Live;
}

export interface MemberDeps {
  readonly layout: Layout;
  readonly registry: MachineRegistry;
  readonly templates: Templates;
  readonly log: Log;
}

/** Steps of a pooled clone, from its folder to its machine's record, that a test may end the helper at. */
export const poolFaults = [
  "pool.launched",
  "pool.ready",
  "pool.taken",
] as const;

/** The longest host name: the seed gets room for any. */
const nobody = "x".repeat(63);

/**
 * What still goes on in a guest after its handoff: a new lease is asked for, and after three seconds the handoff's
 * service writes its files out. Then it need not be done after its machine was taken.
 */
const restMs = 4_000;

/**
 * A record for a clone of this template, with an identity that no other machine has but without a name. Its address is
 * set aside until `dropMember` or a machine has it.
 */
export function nameless(
  { id, image, shape }: TemplateRecord,
  os: GuestSystem,
  registry: MachineRegistry,
): MachineRecord {
  const guestAddress = freeAddress(registry.takenAddresses());
  registry.setAddressAside(guestAddress);
  return {
    format: 1,
    ...newIdentity("", new Set()),
    name: nobody,
    image,
    os,
    generation: 0,
    ...shape,
    createdAt: new Date().toISOString(),
    guestAddress,
    checkpoints: [],
    hostPublicKey: "",
    agentForwarding: false,
    hostLoopback: false,
    screen: shape.screen ?? false,
    forwards: [],
    resumeFrom: { kind: "template", id },
    lastStop: { reason: "created" },
  };
}

export interface MemberWish {
  /** From `nameless`. */
  readonly draft: MachineRecord;
  readonly template: TemplateRecord;
  readonly image: GoldenImage;
}

/**
 * Resumes a clone, lets it take on all of its identity but its name, logs in once, so that an emulator has translated
 * what a login runs, and pauses it. It has a machine's folder without a record: after a crash it is one that was never
 * finished (`adopt.ts`). Nothing stays behind when it fails.
 */
export async function fillMember(
  { draft, template, image }: MemberWish,
  deps: MemberDeps,
  signal: AbortSignal,
): Promise<PoolMember> {
  const { layout, templates, log } = deps;
  const files = layout.machine(draft.id);
  let live: Live | undefined;
  try {
    await makePrivateFolder(files.folder);
    await makePrivateFolder(layout.logs);
    await copyFile(emptyOverlay(templates.files(template.id)), files.disk);
    const hostKey = generateHostKey();
    const record = { ...draft, hostPublicKey: hostKey.publicKey };
    await replaceFile(files.hostKey, hostKey.privateKey);
    await writeMachineSeed(record, hostKey, layout);
    const environment = await surveyHost(
      layout,
      image.architecture,
      log,
      signal,
    );
    live = await launchMachine(
      {
        record: { ...record, name: "guesthouse-pool" },
        ...{ image, environment },
        from: {
          kind: "template",
          files: templates.files(template.id),
          network: template.network,
        },
      },
      deps,
      signal,
    );
    faultPoint("pool.launched");
    const outcome = await handOff(
      await namelessIdentity(record, layout),
      { record, live, layout, onContinued: () => undefined },
      signal,
    );
    if (outcome.kind !== "applied") throw notItself(sentenceOf(outcome));
    await logIn(record, live, layout, signal);
    await sleep(restMs, signal);
    await live.qmp?.execute("stop");
    await mark(files.log, "waits in the pool");
    faultPoint("pool.ready");
    return { template: template.id, record, live: { ...live, pooled: true } };
  } catch (error) {
    await dropMember(draft, live, deps);
    throw error;
  }
}

async function logIn(
  { user, hostPublicKey }: MachineRecord,
  live: Live,
  layout: Layout,
  signal: AbortSignal,
): Promise<void> {
  const { privateKey } = await ensureUserKey(layout.ssh);
  const session = await connectSsh(
    {
      host: "127.0.0.1",
      port: live.handles.sshPort,
      user,
      privateKey,
      hostKey: hostPublicKey,
    },
    {},
    signal,
  );
  try {
    await session.exec("exit 0", {}, signal);
  } finally {
    session.close();
  }
}

/** Ends a pooled clone and removes all that there was of it. */
export async function dropMember(
  { id, guestAddress }: MachineRecord,
  live: Live | undefined,
  { layout, registry, log }: MemberDeps,
): Promise<void> {
  const files = layout.machine(id);
  try {
    live?.qmp?.close();
    if (live !== undefined && (await endProcess(live.handles, "SIGKILL")))
      await waitForExit(live.handles, 5_000);
    await removeLeftovers(files);
    await rm(files.log, { force: true });
    await removeFolder(files.folder);
  } catch (error) {
    log.warn("a pooled clone could not be removed", { machine: id, error });
  }
  registry.releaseAddress(guestAddress);
}

const notItself = (why: string): Error =>
  failed("machines.handoffFailed", `A clone for the pool is no good: ${why}.`, {
    remedy: "Machines of this image resume or boot one by one instead.",
  });
