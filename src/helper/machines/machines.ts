/*
 * The verbs that start, watch and end machines, put together from their files. Made once; `leave` lets go of every
 * machine without touching its guest. Called by the handlers and by the rooms that need a machine to run.
 */
import type { Images } from "../images/images.ts";
import { adoptMachines } from "./adopt.ts";
import { type BootDeps, followBoot, followReset } from "./boot/followBoot.ts";
import type { LaunchingDeps } from "./launchStopped.ts";
import { untilReady } from "./ready.ts";
import type { Entry, Live } from "./roster/entry.ts";
import { livingPart, type Verb } from "./roster/lifecycle.ts";
import { pauseMachine, resumeMachine } from "./running/pause.ts";
import { type Ending, stopMachine, type StopOptions } from "./running/stop.ts";
import { supervise, type SuperviseDeps } from "./running/supervise.ts";
import type { AskForWork } from "./running/unsaved.ts";
import { startMachine, type StartOptions } from "./start.ts";

export interface MachinesDeps extends LaunchingDeps {
  readonly askForWork: AskForWork;
}

/** The verbs that start, watch and end a machine's QEMU. */
export interface Machines {
  /** Takes over what an earlier helper left. Once, before anything else. */
  readonly adopt: () => Promise<void>;
  /** Starts a stopped machine; a living one is left as it is. With `wait`, answers once the guest is reached. */
  readonly start: (
    entry: Entry,
    options: StartOptions,
    signal: AbortSignal,
  ) => Promise<void>;
  readonly stop: (
    entry: Entry,
    options: StopOptions,
    signal: AbortSignal,
  ) => Promise<Ending | "alreadyStopped">;
  readonly pause: (entry: Entry, signal: AbortSignal) => Promise<void>;
  readonly resume: (entry: Entry, signal: AbortSignal) => Promise<void>;
  /** Answers once the guest was reached in this boot; throws `machines.notReady` when its time is up. */
  readonly untilReady: (entry: Entry, signal: AbortSignal) => Promise<void>;
  /** The living part, or the refusal of this verb in this state. */
  readonly living: (entry: Entry, verb: Verb) => Live;
  readonly bootDeps: BootDeps;
  /** Lets go of every machine without touching its guest. */
  readonly leave: () => void;
}

export function createMachines(deps: MachinesDeps): Machines {
  const { layout, registry, images, log } = deps;
  let left = false;
  const boot: BootDeps = {
    layout,
    registry,
    log,
    expectedBootSeconds: (digest) => expectedBootSeconds(images, digest),
  };
  const supervision: SuperviseDeps = {
    layout,
    registry,
    log,
    leaving: () => left,
    onReset: (entry, live) => followReset(entry, live, boot),
  };
  const starting = { ...deps, boot, supervision };
  return {
    bootDeps: boot,
    adopt: () =>
      adoptMachines({
        layout,
        registry,
        log,
        onLiving: (entry, live, booting) => {
          supervise(entry, live, supervision);
          if (booting) void followBoot(entry, live, boot);
        },
      }),
    start: (entry, options, signal) =>
      startMachine(entry, options, starting, signal),
    stop: (entry, options, signal) => stopMachine(entry, options, deps, signal),
    pause: (entry, signal) => pauseMachine(entry, registry, signal),
    resume: (entry, signal) => resumeMachine(entry, registry, signal),
    untilReady: (entry, signal) => untilReady(entry, registry, signal),
    living: livingPart,
    leave: () => {
      left = true;
      for (const { live } of registry.entries()) {
        live?.watch.abort();
        live?.qmp?.close();
      }
    },
  };
}

const expectedBootSeconds = async (
  images: Images,
  digest: string,
): Promise<number | undefined> =>
  (await images.resolve(digest).catch(() => undefined))?.expectedBootSeconds;
