import { given } from "../../base/given.ts";
import type { Log } from "../../base/log.ts";
import { GuesthouseError } from "../../protocol/failure.ts";
import type { GoldenImage } from "../images/golden/goldenImage.ts";
import type { Images } from "../images/images.ts";
import { freezeAtRest } from "../snapshots/freeze.ts";
import type { Templates } from "../snapshots/templates.ts";
import type { Layout } from "../store/layout.ts";
import type { MachineRecord } from "../store/records.ts";
import { surveyHost } from "./boot/environment.ts";
import { launchMachine } from "./boot/launch.ts";
import type { StartFrom } from "./boot/startFrom.ts";
import { seedAgain } from "./identity/seedPending.ts";
import { mark } from "./roster/bootLog.ts";
import type { Entry, Live } from "./roster/entry.ts";
import type { MachineRegistry } from "./roster/registry.ts";
import { emptyLeftDisk, isFresh } from "./running/emptyDisk.ts";
import { book } from "./running/supervise.ts";
import { forgetWork } from "./running/unsaved.ts";
import { recoverMachine } from "./saved/recover.ts";
import type { Warm } from "./warm/warm.ts";

export interface LaunchingDeps {
  readonly layout: Layout;
  readonly registry: MachineRegistry;
  readonly images: Images;
  readonly templates: Templates;
  readonly warm: Warm;
  readonly log: Log;
}

/**
 * Starts the QEMU of a stopped machine, from the state that it is to go on from or by a boot; its caller holds the
 * machine's lock. Why it failed is booked before it is thrown.
 */
export async function launch(
  entry: Entry,
  deps: LaunchingDeps,
  signal: AbortSignal,
): Promise<Live> {
  const sinceMs = Date.now();
  deps.registry.enter(entry, { kind: "starting", stage: "clone", sinceMs });
  try {
    return await launchOrBoot(entry, deps, signal);
  } catch (error) {
    await book(entry, lastStopFor(error, signal), deps);
    throw error;
  }
}

async function launchOrBoot(
  entry: Entry,
  deps: LaunchingDeps,
  signal: AbortSignal,
): Promise<Live> {
  const { layout, registry, log } = deps;
  const image = await deps.images.resolve(entry.record.image.digest);
  const environment = await surveyHost(layout, image.architecture, log, signal);
  const begin = async (from: StartFrom): Promise<Live> => {
    if (from.kind === "cold") await seedAgain(entry, deps);
    const { record } = entry;
    return launchMachine({ record, image, environment, from }, deps, signal);
  };
  await emptyLeftDisk(layout.machine(entry.record.id), entry.record);
  await recoverMachine(entry.record, undefined, {
    layout,
    commit: (record) => registry.commit(entry, record),
  });
  await freezeForResume(entry, deps);
  await forgetWork(entry, registry);
  const from = startFrom(entry, deps);
  try {
    return await begin(from);
  } catch (error) {
    if (from.kind !== "template" || !doesNotFit(error)) throw error;
    await giveUpTemplate(entry, image, error, deps);
    return begin({ kind: "cold" });
  }
}

function lastStopFor(
  error: unknown,
  signal: AbortSignal,
): MachineRecord["lastStop"] {
  const failure = error instanceof GuesthouseError ? error.failure : undefined;
  if (signal.aborted || failure?.kind === "cancelled")
    return { reason: "requested" };
  return {
    reason: "startFailed",
    ...given({ failure }),
  };
}

/** A suspended machine's disk is what fits to its memory: it stays that until the guest has come back. */
async function freezeForResume(
  entry: Entry,
  { layout, registry }: LaunchingDeps,
): Promise<void> {
  const { resumeFrom, id } = entry.record;
  if (resumeFrom?.kind !== "state" || isFresh(entry.record)) return;
  await freezeAtRest(layout, layout.machine(id));
  await registry.rewrite(entry, {
    resumeFrom: { ...resumeFrom, diskFrozen: true },
  });
}

function startFrom(
  { record }: Entry,
  { layout, templates }: LaunchingDeps,
): StartFrom {
  const { resumeFrom } = record;
  if (resumeFrom === undefined) return { kind: "cold" };
  if (resumeFrom.kind === "state")
    return {
      kind: "state",
      path: layout.machine(record.id).state,
      way: resumeFrom.way,
      leases: resumeFrom.leases,
      savedWith: resumeFrom.savedWith,
    };
  const template = templates.find(resumeFrom.id);
  // Its disk stands on the template's layer, which is there in any case.
  return template === undefined
    ? { kind: "cold" }
    : {
        kind: "template",
        files: templates.files(template.id),
        network: template.network,
      };
}

/** QEMU said no to the state, by word or by ending itself. */
const doesNotFit = (error: unknown): boolean =>
  error instanceof GuesthouseError &&
  (error.failure.code === "machines.captureFailed" ||
    error.failure.code === "machines.startFailed");

/** The template's disk is complete: a machine that can't resume from its memory boots from it. */
async function giveUpTemplate(
  entry: Entry,
  image: GoldenImage,
  error: unknown,
  { layout, warm, log }: LaunchingDeps,
): Promise<void> {
  const { resumeFrom } = entry.record;
  log.warn("a template does not fit this host any more", {
    machine: entry.record.id,
    image: image.name,
    error,
  });
  if (resumeFrom?.kind === "template") await warm.reject(resumeFrom.id);
  await mark(
    layout.machine(entry.record.id).log,
    "the warm template could not be resumed: booting",
  );
}
