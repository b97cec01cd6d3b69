import { abortAfter } from "../../../base/deadline.ts";
import type { Log } from "../../../base/log.ts";
import type { GuesthouseError } from "../../../protocol/failure.ts";
import { refused, toFailure } from "../../../protocol/failure.ts";
import type { UnsavedWork } from "../../../protocol/machines.ts";
import type { Entry } from "../roster/entry.ts";
import type { MachineRegistry } from "../roster/registry.ts";

/** Asks a guest that runs now for what only it has; undefined when no folder was copied into it. */
export type AskForWork = (
  id: string,
  signal: AbortSignal,
) => Promise<UnsavedWork | undefined>;

export interface UnsavedDeps {
  readonly registry: MachineRegistry;
  readonly askForWork: AskForWork;
  readonly log: Log;
}

/** An emulated guest needs seconds for a large repository; one that hangs shall not keep its machine from stopping. */
const askMs = 60_000;

/**
 * Before a running machine is stopped: what its workspace holds is asked a last time and kept with the record, since a
 * stopped guest can't be asked. What can't be learnt stays unknown. Never throws but the signal's reason.
 */
export async function noteWork(
  entry: Entry,
  { registry, askForWork, log }: UnsavedDeps,
  signal: AbortSignal,
): Promise<void> {
  const { folder, id } = entry.record;
  if (folder === undefined || entry.state.kind !== "running") return;
  try {
    const within = abortAfter(askMs, signal);
    const work = await askForWork(id, within);
    await registry.rewrite(entry, { folder: { ...folder, work } });
  } catch (error) {
    signal.throwIfAborted();
    log.info("what work the guest holds is not known", { machine: id, error });
  }
}

/** From a start on, what was known of the work may be out of date. */
export async function forgetWork(
  entry: Entry,
  registry: MachineRegistry,
): Promise<void> {
  const { folder } = entry.record;
  if (folder?.work === undefined) return;
  await registry.rewrite(entry, { folder: { ...folder, work: undefined } });
}

/**
 * Refuses with `machines.unsavedWork` when deleting this machine would lose work. A running guest is asked; of another
 * one counts what was found when it was last stopped. Where nothing is known, that is said and refused, too.
 */
export async function demandSaved(
  entry: Entry,
  { askForWork }: Pick<UnsavedDeps, "askForWork">,
  signal: AbortSignal,
): Promise<void> {
  const { folder, id, name } = entry.record;
  if (folder === undefined) return;
  if (entry.state.kind !== "running") {
    if (folder.work === undefined) throw unknown(entry, notRunning);
    if (isUnsaved(folder.work)) throw unsaved(name, folder.work);
    return;
  }
  let work: UnsavedWork | undefined;
  try {
    const within = abortAfter(askMs, signal);
    work = await askForWork(id, within);
  } catch (error) {
    signal.throwIfAborted();
    throw unknown(entry, toFailure(error).message);
  }
  if (work !== undefined && isUnsaved(work)) throw unsaved(name, work);
}

const notRunning =
  "It does not run and nobody could ask it before it was last stopped.";

const isUnsaved = ({ fileCount, commitCount }: UnsavedWork): boolean =>
  fileCount + commitCount > 0;

function unknown({ record }: Entry, why: string): GuesthouseError {
  return refused(
    "machines.unsavedWork",
    `Whether “${record.name}” holds work in ${record.folder?.guest ?? ""} that is nowhere else is not known. ${why}`,
    {
      remedy: "Start it and bring its work back, or delete it with --discard.",
      actions: ["bringBack"],
    },
  );
}

function unsaved(name: string, work: UnsavedWork): GuesthouseError {
  return refused("machines.unsavedWork", unsavedText(name, work), {
    remedy:
      "Bring it back (guesthouse bring-back), or delete the machine with --discard.",
    actions: ["bringBack"],
  });
}

const namedHere = 8;

/** The sentence with the list. Pure. */
export function unsavedText(name: string, work: UnsavedWork): string {
  const parts = [
    part("file", work.fileCount, work.files),
    part("commit", work.commitCount, work.commits),
  ].filter((text) => text !== undefined);
  return `“${name}” holds work that is nowhere else: ${parts.join("; ")}.`;
}

function part(
  word: string,
  count: number,
  names: readonly string[],
): string | undefined {
  if (count === 0) return undefined;
  const shown = names.slice(0, namedHere);
  const more = count - shown.length;
  return `${String(count)} ${word}${count === 1 ? "" : "s"} (${shown.join(", ")}${more > 0 ? `, and ${String(more)} more` : ""})`;
}
