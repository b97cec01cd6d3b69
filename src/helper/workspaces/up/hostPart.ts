/*
 * What a dev container has of this computer, seen to in the VM before it is made: copies or empty folders for paths of this
 * computer, the Compose file that names them, and where `host-gateway` leads. Called by `container.ts`.
 */
import { stat } from "node:fs/promises";
import type { SshSession } from "../../ssh/session.ts";
import { overridePath } from "../container/composeParts.ts";
import {
  composeOverrideScript,
  hostPathsScript,
  thereAndNotEmptyScript,
} from "../container/guestScripts.ts";
import { provideHostGateway } from "../container/hostGateway.ts";
import { hostPathsFolder } from "../container/hostPaths.ts";
import { copyPathIn } from "../copying/copy.ts";
import { must } from "../guest/must.ts";
import type { ContainerOfUp } from "./guestOfUp.ts";
import type { UpRun } from "./run.ts";

export async function provideHostPart(
  run: UpRun,
  of: ContainerOfUp,
  signal: AbortSignal,
): Promise<void> {
  const { guest, container } = of;
  await provideHostPaths(run, of, signal);
  const override = container.compose?.override;
  if (override !== undefined)
    await must(
      "writing the Compose file with the VM's paths",
      guest.session.exec(
        composeOverrideScript(overridePath),
        { stdin: JSON.stringify(override) },
        signal,
      ),
    );
  if (container.usesHostGateway)
    run.tell(await provideHostGateway(guest.session, guest.machine, signal));
}

/** Once in a VM's life: a copy of what the host has, or an empty folder. What is there already stays. */
async function provideHostPaths(
  { deps, log }: UpRun,
  {
    guest: { session, machine },
    container: { hostPaths, decided },
  }: ContainerOfUp,
  signal: AbortSignal,
): Promise<void> {
  if (hostPaths.length === 0) return;
  const onHost =
    decided?.wish === "copy"
      ? await present(hostPaths.map(({ host }) => host))
      : new Set<string>();
  const copied = hostPaths.filter(({ host }) => onHost.has(host));
  const empty = hostPaths.filter(({ host }) => !onHost.has(host));
  const made = await must(
    "making folders for paths of this computer",
    session.exec(
      hostPathsScript([
        hostPathsFolder,
        ...empty.map(({ guest: path }) => path),
      ]),
      {},
      signal,
    ),
  );
  const there = new Set(made.stdout.split("\n"));
  for (const { host, guest: target } of empty)
    if (!there.has(target)) log.note(`${host}: an empty folder in the VM`);
  for (const { host, guest: target } of copied) {
    if (await isThere(session, target, signal)) continue;
    await copyPathIn(
      session,
      { source: host, target },
      deps.onCopied(machine.id),
      signal,
    );
    log.note(`${host}: copied into the VM`);
  }
}

async function present(paths: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>();
  for (const path of paths)
    if ((await stat(path).catch(() => undefined)) !== undefined)
      found.add(path);
  return found;
}

/** An empty folder, from when the user wanted no more, makes room. */
const isThere = async (
  session: SshSession,
  path: string,
  signal: AbortSignal,
): Promise<boolean> =>
  (await session.exec(thereAndNotEmptyScript(path), {}, signal)).code === 0;
