import { substitute } from "../devcontainer/variables.ts";
import { applyEditor } from "../editor/apply.ts";
import { mergedCustomizations } from "../features/merge.ts";
import type { Resolution } from "../features/resolve.ts";
import type { GuestOfUp, Marks } from "./guestOfUp.ts";
import { setGitUp } from "./person.ts";
import type { UpRun } from "./run.ts";

/** Gives the guest the file's environment, and its editor what the file says for it. */
export async function setEnvironment(
  run: UpRun,
  { system, session }: GuestOfUp,
  {
    found,
    featuresEnv,
    marks,
  }: {
    readonly found: Resolution;
    readonly featuresEnv: Readonly<Record<string, string>>;
    readonly marks: Marks;
  },
  signal: AbortSignal,
): Promise<void> {
  const { entry, plan, params, deps } = run;
  const { file } = plan;
  await run.stage("environment", async () => {
    let remoteEnv = file.remoteEnv ?? {};
    run.tell(
      await system.writeEnvironment(
        session,
        { ...file, featuresEnv },
        (containerEnv) =>
          (remoteEnv = substitute(remoteEnv, {
            ...plan.variables,
            containerEnv,
          })),
        signal,
      ),
    );
    run.tell(leftOutOf(run, system, found));
    if (!system.can.editor) return;
    const customizations = mergedCustomizations(
      system.can.features ? found.features : [],
      file,
    );
    run.tell(
      await applyEditor(
        session,
        { workspaces: deps.workspaces, entry },
        {
          file: { ...file, customizations },
          remoteEnv,
          serverFolder: params.serverFolder,
          marks,
        },
        signal,
      ),
    );
    await setGitUp(run, session, marks, signal);
  });
}

/** What nobody has written for the guest's system yet. */
function leftOutOf(
  { plan, params }: Pick<UpRun, "plan" | "params">,
  { can, title }: GuestOfUp["system"],
  { features }: Resolution,
): string[] {
  const left = [
    ...(can.features || features.length === 0 ? [] : ["features"]),
    ...(can.editor || plan.file.customizations?.vscode === undefined
      ? []
      : ["customizations.vscode (settings, extensions)"]),
    ...(can.dotfiles || params.dotfiles === undefined ? [] : ["dotfiles"]),
    ...(can.gitCredentials || params.gitCredentials !== true
      ? []
      : ["git credentials of this computer"]),
  ];
  return left.length === 0
    ? []
    : [`Left out in a VM with ${title} so far: ${left.join(", ")}.`];
}
