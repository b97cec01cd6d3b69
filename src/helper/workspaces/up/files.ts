import type { Machine } from "../../../protocol/machines.ts";
import { bringBackTo, filesOf, sourceIn } from "../known/source.ts";
import type { ShareSpec } from "../share/mountShare.ts";
import { shareOf } from "../share/ofWorkspace.ts";
import type { GuestOfUp, Marks } from "./guestOfUp.ts";
import { filesCameWith, freshMarks } from "./prebuiltMarks.ts";
import type { UpRun } from "./run.ts";

/** Sees to the mount of a workspace that has one; answers undefined for one whose files are copied. */
export async function mountFiles(
  { entry, deps, log, stage }: UpRun,
  machine: Machine,
  signal: AbortSignal,
): Promise<ShareSpec | undefined> {
  const share = shareOf(entry.record.made);
  if (share === undefined || deps.shares?.isMounted(machine.id) === true)
    return share;
  await stage("files", async () => {
    await deps.shares?.ensure(machine.id, signal);
    log.note(
      `${share.folder} is mounted at ${share.target}${share.readonly ? ", for reading only" : ""}`,
    );
  });
  return share;
}

/** Copies the folder's files, once in a VM's life. Answers with what the guest remembers after that. */
export async function copyFiles(
  run: UpRun,
  { machine, system, session }: GuestOfUp,
  marks: Marks,
  signal: AbortSignal,
): Promise<Marks> {
  if (marks.get("files") === "once") return marks;
  const { entry, configuration, plan, deps, log } = run;
  const { target } = entry.record.made ?? plan.placing;
  return run.stage("files", async () => {
    await filesOf(configuration, signal);
    const folder = sourceIn(configuration, plan.placing.source);
    const copied = await system.copyIn(
      session,
      {
        folder,
        target,
        marks,
        // What a prebuild's commands made of the files is nobody's work.
        overwrite: filesCameWith(marks) !== undefined,
        ...(deps.diskLender === undefined
          ? {}
          : { disk: deps.diskLender(machine.id) }),
      },
      deps.onCopied(machine.id),
      signal,
    );
    run.tell(copied.notes ?? []);
    const { files, guestFolder } = copied;
    const fresh = await freshMarks(session, { folder, marks }, log, signal);
    await system.remember(session, "files", "once", signal);
    await deps.machines.noteFolder(machine.id, {
      ...bringBackTo(configuration, plan.placing.source),
      guest: guestFolder,
    });
    log.note(`${String(files)} files copied to ${guestFolder}`);
    return fresh;
  });
}
