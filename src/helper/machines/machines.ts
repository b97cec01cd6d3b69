import { faultPoint } from "../../base/faultPoint.ts";
import type { Log } from "../../base/log.ts";
import { failed, GuesthouseError } from "../../protocol/failure.ts";
import type { MachineState } from "../../protocol/machines.ts";
import type { GoldenImage } from "../images/goldenImage.ts";
import type { Images } from "../images/images.ts";
import { freezeAtRest } from "../snapshots/freeze.ts";
import type { Templates } from "../snapshots/templates.ts";
import type { Layout } from "../store/layout.ts";
import { adoptMachines } from "./adopt.ts";
import { mark } from "./bootLog.ts";
import { emptyLeftDisk, isFresh } from "./emptyDisk.ts";
import { surveyHost } from "./environment.ts";
import { launchMachine, type StartFrom } from "./launch.ts";
import { isLiving, refusal, type Verb } from "./lifecycle.ts";
import { followBoot, type ReachDeps } from "./reach.ts";
import type { Entry, Live } from "./entry.ts";
import type { MachineRegistry } from "./registry.ts";
import { settleMachine } from "./settle.ts";
import { monitorOf, resumePaused } from "./pause.ts";
import { seedAgain } from "./seedPending.ts";
import { stopMachine, type Ending } from "./stop.ts";
import { comeBack, forgetState } from "./comeBack.ts";
import { book, supervise, type SuperviseDeps } from "./supervise.ts";
import { type AskForWork, forgetWork, noteWork } from "./unsaved.ts";
import type { Warm } from "./warm.ts";

export interface MachinesDeps {
  readonly layout: Layout;
  readonly registry: MachineRegistry;
  readonly images: Images;
  readonly templates: Templates;
  readonly warm: Warm;
  readonly askForWork: AskForWork;
  readonly log: Log;
}

export interface StartOptions {
  readonly wait?: boolean | undefined;
  readonly timeoutMs?: number | undefined;
  /** Boot although a saved state waits. */
  readonly discardState?: boolean | undefined;
  /** Its QEMU, if that runs already, paused before it is told who it is. */
  readonly live?: Live | undefined;
}

/** The verbs that start, watch and end a machine's QEMU. */
export interface Machines {
  /** Takes over what an earlier helper left. Once, before anything else. */
  adopt(): Promise<void>;
  /** Starts a stopped machine; a living one is left as it is. With `wait`, answers once the guest is reached. */
  start(
    entry: Entry,
    options: StartOptions,
    signal: AbortSignal,
  ): Promise<void>;
  stop(
    entry: Entry,
    options: { force: boolean; graceMs?: number | undefined },
    signal: AbortSignal,
  ): Promise<Ending | "alreadyStopped">;
  pause(entry: Entry, signal: AbortSignal): Promise<void>;
  resume(entry: Entry, signal: AbortSignal): Promise<void>;
  /** Answers once the guest was reached in this boot; throws `machines.notReady` when its time is up. */
  untilReady(entry: Entry, signal: AbortSignal): Promise<void>;
  /** The living part, or the refusal of this verb in this state. */
  living(entry: Entry, verb: Verb): Live;
  readonly reachDeps: ReachDeps;
  /** Lets go of every machine without touching its guest. */
  leave(): void;
}

export function createMachines(deps: MachinesDeps): Machines {
  const { layout, registry, images, templates, warm, log } = deps;
  let left = false;
  const reachDeps: ReachDeps = {
    layout,
    registry,
    log,
    expectedBootSeconds: async (digest) =>
      (await images.resolve(digest).catch(() => undefined))
        ?.expectedBootSeconds,
  };
  const superviseDeps: SuperviseDeps = {
    layout,
    registry,
    log,
    leaving: () => left,
    onReset: (entry, live) => rewatch(entry, live),
  };

  function rewatch(entry: Entry, live: Live): void {
    live.watch.abort();
    live.watch = new AbortController();
    live.handles = {
      ...live.handles,
      startedAtMs: Date.now(),
      readySinceMs: undefined,
      boot: [{ stage: "firmware", atMs: 0 }],
    };
    entry.boot = live.handles.boot;
    registry.enter(entry, {
      kind: "starting",
      stage: "firmware",
      sinceMs: Date.now(),
    });
    void followBoot(entry, live, reachDeps);
  }

  async function launch(entry: Entry, signal: AbortSignal): Promise<Live> {
    const sinceMs = Date.now();
    registry.enter(entry, { kind: "starting", stage: "clone", sinceMs });
    try {
      const image = await images.resolve(entry.record.image.digest);
      const environment = await surveyHost(
        layout,
        image.architecture,
        log,
        signal,
      );
      const begin = async (from: StartFrom): Promise<Live> => {
        if (from.kind === "cold") await seedAgain(entry, { layout, registry });
        return launchMachine(
          entry.record,
          image,
          environment,
          { layout, log },
          from,
          signal,
        );
      };
      await emptyLeftDisk(layout.machine(entry.record.id), entry.record);
      entry.record = await settleMachine(layout, entry.record, undefined);
      await freezeForResume(entry);
      await forgetWork(entry, registry);
      const from = startFrom(entry);
      try {
        return await begin(from);
      } catch (error) {
        if (from.kind !== "template" || !doesNotFit(error)) throw error;
        await bootInstead(entry, image, error);
        return await begin({ kind: "cold" });
      }
    } catch (error) {
      const cancelled =
        signal.aborted ||
        (error instanceof GuesthouseError &&
          error.failure.kind === "cancelled");
      const lastStop = cancelled
        ? ({ reason: "requested" } as const)
        : {
            reason: "startFailed" as const,
            ...(error instanceof GuesthouseError
              ? { failure: error.failure }
              : {}),
          };
      await book(entry, lastStop, { registry, log });
      throw error;
    }
  }

  /** A suspended machine's disk is what fits to its memory: it stays that until the guest has come back. */
  async function freezeForResume(entry: Entry): Promise<void> {
    const { resumeFrom, id } = entry.record;
    if (resumeFrom?.kind !== "state" || isFresh(entry.record)) return;
    await freezeAtRest(layout, layout.machine(id));
    await registry.rewrite(entry, {
      resumeFrom: { ...resumeFrom, diskFrozen: true },
    });
  }

  function startFrom({ record }: Entry): StartFrom {
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

  /** The template's disk is complete: a machine that can't resume from its memory boots from it. */
  async function bootInstead(
    entry: Entry,
    image: GoldenImage,
    error: unknown,
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

  /** A new machine had to boot: the next one of its kind shall not have to. */
  function warmUpFor({ record }: Entry): void {
    images
      .resolve(record.image.digest)
      .then((image) => warm.onColdStart(record, image))
      .catch((error: unknown) =>
        log.info("no template is made", { machine: record.id, error }),
      );
  }

  const machines: Machines = {
    reachDeps,
    adopt: () =>
      adoptMachines({
        layout,
        registry,
        log,
        onLiving: (entry, live, booting) => {
          supervise(entry, live, superviseDeps);
          if (booting) void followBoot(entry, live, reachDeps);
        },
      }),

    async start(
      entry,
      { wait, timeoutMs, discardState, live: waiting },
      signal,
    ) {
      await registry.locks.run(entry.record.id, async () => {
        if (isLiving(entry.state) && entry.state.kind !== "paused") return;
        throwIfRefused("start", entry);
        if (discardState === true) await forgetState(entry, reachDeps);
        const live = waiting ?? (await launch(entry, signal));
        faultPoint("clone.launched", live.handles.pid);
        entry.live = live;
        entry.boot = live.handles.boot;
        registry.enter(entry, {
          kind: "starting",
          stage: live.handles.boot[0]?.stage ?? "firmware",
          sinceMs: live.handles.startedAtMs,
        });
        supervise(entry, live, superviseDeps);
        if (live.handles.way !== "cold")
          void comeBack(entry, live, reachDeps, timeoutMs);
        else {
          // A boot begins anew; what it might have resumed from is of another time.
          await forgetState(entry, reachDeps);
          const isNew = entry.record.lastStop.reason === "created";
          void followBoot(entry, live, reachDeps, timeoutMs).then(() => {
            if (isNew && entry.state.kind === "running") warmUpFor(entry);
          });
        }
      });
      if (wait !== false) await machines.untilReady(entry, signal);
    },

    async stop(entry, options, signal) {
      if (!options.force) await noteWork(entry, deps, signal);
      return registry.locks.run(entry.record.id, async () => {
        if (entry.state.kind === "stopped") return "alreadyStopped";
        const live = machines.living(entry, "stop");
        return stopMachine(
          entry,
          live,
          options,
          { layout, registry, log },
          signal,
        );
      });
    },

    pause: (entry, signal) =>
      registry.locks.run(entry.record.id, async () => {
        const live = machines.living(entry, "pause");
        await monitorOf(entry.record.name, live).execute("stop");
        await registry.until(entry, ({ kind }) => kind === "paused", signal);
      }),

    resume: (entry, signal) =>
      registry.locks.run(entry.record.id, () =>
        resumePaused(entry, machines.living(entry, "resume"), registry, signal),
      ),

    async untilReady(entry, signal) {
      const state = await registry.until(entry, isSettled, signal);
      if (state.kind !== "running") throw notReady(entry, state);
    },

    living(entry, verb) {
      throwIfRefused(verb, entry);
      if (entry.live === undefined)
        throw refusal(verb, entry.record.name, {
          kind: "stopped",
          reason: "crashed",
        }) as Error;
      return entry.live;
    },

    leave() {
      left = true;
      for (const { live } of registry.entries()) {
        live?.watch.abort();
        live?.qmp?.close();
      }
    },
  };
  return machines;
}

/** Throws the lifecycle's refusal, if any. */
export function throwIfRefused(verb: Verb, entry: Entry): void {
  const error = refusal(verb, entry.record.name, entry.state);
  if (error !== undefined) throw error;
}

/** QEMU said no to the state, by word or by ending itself. */
const doesNotFit = (error: unknown): boolean =>
  error instanceof GuesthouseError &&
  (error.failure.code === "machines.captureFailed" ||
    error.failure.code === "machines.startFailed");

const isSettled = (state: MachineState): boolean =>
  state.kind !== "starting" && state.kind !== "creating";

function notReady(entry: Entry, state: MachineState): GuesthouseError {
  const { name } = entry.record;
  if (state.kind === "unready")
    return failed(
      "machines.notReady",
      `“${name}” runs but was not reached within ${String(Math.round(state.diagnosis.waitedMs / 1000))} s: ${state.diagnosis.hint}`,
      {
        remedy:
          "Look at its console and diagnosis; the machine and its log are kept.",
        actions: ["openConsole", "showDiagnosis", "retry", "delete"],
      },
    );
  if (
    (state.kind === "stopped" || state.kind === "paused") &&
    state.failure !== undefined
  )
    return new GuesthouseError(state.failure);
  return failed(
    "machines.startFailed",
    `“${name}” is ${state.kind} and can't be reached.`,
    {
      remedy: "Look at its boot log, then start it again.",
      actions: ["showLog", "retry"],
    },
  );
}
