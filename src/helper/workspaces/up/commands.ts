import { dotfilesFailed, planDotfiles } from "../editor/dotfiles.ts";
import type { Devcontainer } from "../devcontainer/model.ts";
import type { FeatureHooks } from "../features/merge.ts";
import { commandFailure } from "../guest/failure.ts";
import type { GuestMemory } from "../guest/linuxGuest.ts";
import { type RunStep, runSteps } from "../guest/steps.ts";
import { type DueCommand, dueCommands, isAfter } from "./due.ts";
import type { GuestOfUp } from "./guestOfUp.ts";
import { dotfilesMark, setGitUp } from "./person.ts";
import type { UpRun } from "./run.ts";

/** What an `up` comes by, for whoever waits for it. */
export interface Milestones {
  /** Called before the first command that an editor need not wait for. */
  readonly onOpenable: () => void;
  /** Called once `postAttachCommand`, the last of all, goes on for so long that it may be a server. */
  readonly onLingering: () => void;
}

const lingersAfterMs = 10_000;

/** Whether they went well or not, nobody waits for them any more. */
const withDotfiles = new Map([[dotfilesMark, "once"]]);

/**
 * Runs the commands that are due, each of which the guest remembers when it went well. Throws a `CommandFailure` at the
 * first that fails, unless it is the dotfiles.
 */
export async function runCommands(
  run: UpRun,
  guest: GuestOfUp,
  {
    file,
    hooks,
    memory,
    milestones: { onOpenable, onLingering },
  }: {
    /** Whose commands are run, after those of the hooks. */
    readonly file: Devcontainer;
    readonly hooks: readonly FeatureHooks[];
    readonly memory: GuestMemory;
    readonly milestones: Milestones;
  },
  signal: AbortSignal,
): Promise<void> {
  const { entry, plan, params, deps } = run;
  const { system, session } = guest;
  const { workspaceFolder } = entry.record.made ?? plan.placing;
  const dotfiles = planDotfiles(
    system.can.dotfiles ? params.dotfiles : undefined,
  );
  const runStep = system.runner(
    session,
    workspaceFolder,
    params.secrets,
    dotfiles.hidden,
  );
  deps.workspaces.noteMishap(entry, undefined);
  const commands = dueCommands(file, memory.marks, memory.bootId, {
    hooks,
    dotfiles: dotfiles.steps,
    last: plan.last,
    steps: system.stepsOf,
  });
  let opened = false;
  for (const due of commands) {
    if (!opened && isAfter(due.name, file.waitFor)) {
      opened = true;
      onOpenable();
    }
    const timer =
      due.name === "postAttachCommand"
        ? setTimeout(onLingering, deps.lingersAfterMs ?? lingersAfterMs)
        : undefined;
    try {
      await run.stage(due.name, async () => {
        await runDue(run, due, { guest, runStep }, signal);
        if (due.name === dotfilesMark)
          await setGitUp(run, session, withDotfiles, signal);
      });
    } finally {
      clearTimeout(timer);
    }
  }
}

async function runDue(
  { entry, deps, log, tell }: UpRun,
  { name, title, steps, mark }: DueCommand,
  {
    guest: { system, session },
    runStep,
  }: { readonly guest: GuestOfUp; readonly runStep: RunStep },
  signal: AbortSignal,
): Promise<void> {
  if (title !== name) log.note(title);
  const outcome = await runSteps(steps, runStep, log, signal);
  if (outcome.code !== 0 && name === "dotfiles") {
    const mishap = dotfilesFailed(outcome.code, log.path);
    deps.workspaces.noteMishap(entry, mishap);
    tell([mishap]);
    return;
  }
  if (outcome.code !== 0) throw commandFailure(title, outcome, log.path);
  if (mark !== undefined)
    await system.remember(session, mark.name, mark.value, signal);
}
