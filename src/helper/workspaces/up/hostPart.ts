/*
 * What a dev container has of this computer, seen to in the VM before it is made: mounts, copies or empty folders for paths
 * of this computer, the Compose file that names them, and where `host-gateway` leads. Called by `container.ts`.
 */
import { stat } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { visible } from "../../../base/visible.ts";
import type { SshSession } from "../../ssh/session.ts";
import { overridePath } from "../container/composeParts.ts";
import {
  composeOverrideScript,
  externalsScript,
  hostPathsScript,
  thereAndNotEmptyScript,
  unmountScript,
} from "../container/guestScripts.ts";
import { provideHostGateway } from "../container/hostGateway.ts";
import { hostPathsFolder } from "../container/hostPaths.ts";
import { copyPathIn } from "../copying/copy.ts";
import { must } from "../guest/must.ts";
import type { ShareSpec } from "../share/mountShare.ts";
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
  await provideExternals(run, of, signal);
  if (container.usesHostGateway)
    run.tell(await provideHostGateway(guest.session, guest.machine, signal));
}

/** On a computer with an engine somebody has made them, often by `initializeCommand`; the VM doesn't have them. */
async function provideExternals(
  { tell }: UpRun,
  { guest: { session }, container: { networks, volumes } }: ContainerOfUp,
  signal: AbortSignal,
): Promise<void> {
  if (networks.length + volumes.length === 0) return;
  const { stdout } = await must(
    "making the networks and volumes that the configuration expects to be there",
    session.exec(externalsScript({ networks, volumes }), {}, signal),
  );
  const made = stdout.split("\n").filter((name) => name !== "");
  if (made.length > 0)
    tell([
      `Made in the VM, as the configuration expects them to be there: ${made.map(visible).join(", ")}.`,
    ]);
}

/** What is at a path here; `other` is a socket or a device, which no file stands in for. */
type Kind = "folder" | "file" | "other" | "nothing";

/** Once in a VM's life: what the host has, in the way that was decided. What is there already stays. */
async function provideHostPaths(
  run: UpRun,
  { guest, container: { hostPaths, decided } }: ContainerOfUp,
  signal: AbortSignal,
): Promise<void> {
  const { session, machine } = guest;
  const { deps, log } = run;
  const wish = decided?.wish ?? "empty";
  const all = await Promise.all(
    hostPaths.map(async (path) => ({ ...path, kind: await kindOf(path.host) })),
  );
  const isMounted = ({ kind }: { readonly kind: Kind }): boolean =>
    kind === "folder" && (wish === "share" || wish === "share-readonly");
  const isCopied = ({ kind }: { readonly kind: Kind }): boolean =>
    wish !== "empty" &&
    (kind === "file" || (kind === "folder" && wish === "copy"));
  await mountHostPaths(
    run,
    guest,
    all.filter(isMounted).map(({ host, guest: target }) => ({
      ...{ folder: host, target },
      readonly: wish === "share-readonly",
    })),
    signal,
  );
  if (all.length === 0) return;
  const empty = all.filter((path) => !isMounted(path) && !isCopied(path));
  const made = await must(
    "making folders for paths of this computer",
    session.exec(
      hostPathsScript({
        folders: [
          hostPathsFolder,
          ...empty
            .filter(({ kind }) => kind !== "file")
            .map(({ guest: path }) => path),
        ],
        files: empty
          .filter(({ kind }) => kind === "file")
          .map(({ guest: path }) => path),
      }),
      {},
      signal,
    ),
  );
  const there = new Set(made.stdout.split("\n"));
  for (const { host, guest: target, kind } of empty)
    if (!there.has(target))
      log.note(
        `${host}: an empty ${kind === "file" ? "file" : "folder"} in the VM`,
      );
  const useless = empty.filter(({ kind }) => kind === "other");
  if (useless.length > 0 && wish !== "empty")
    run.tell([
      `Sockets and devices of this computer can't be reached from the VM: ${useless.map(({ host }) => visible(host)).join(", ")}.`,
    ]);
  for (const { host, guest: target } of all.filter(isCopied)) {
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

/** The record first: what it names is mounted again after each boot, and what it doesn't name isn't. */
async function mountHostPaths(
  { entry, deps, log }: UpRun,
  { session, machine }: ContainerOfUp["guest"],
  wanted: readonly ShareSpec[],
  signal: AbortSignal,
): Promise<void> {
  const { made } = entry.record;
  const before = made?.hostShares ?? [];
  if (made !== undefined && !isDeepStrictEqual(before, wanted)) {
    await deps.workspaces.rewrite(entry, {
      made: {
        ...made,
        hostShares: wanted.length === 0 ? undefined : [...wanted],
      },
    });
    const gone = before.filter(
      (one) => !wanted.some((other) => isDeepStrictEqual(one, other)),
    );
    if (gone.length > 0) {
      for (const { target } of gone)
        await deps.shares?.release(machine.id, target);
      await must(
        "taking away mounts of folders of this computer",
        session.exec(
          unmountScript(gone.map(({ target }) => target)),
          {},
          signal,
        ),
      );
    }
  }
  if (wanted.length === 0) return;
  await deps.shares?.ensure(machine.id, signal);
  for (const { folder, readonly } of wanted)
    log.note(
      `${folder}: mounted in the VM${readonly ? ", for reading only" : ""}`,
    );
}

async function kindOf(path: string): Promise<Kind> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return "nothing";
  if (found.isDirectory()) return "folder";
  return found.isFile() ? "file" : "other";
}

/** An empty folder, from when the user wanted no more, makes room. */
const isThere = async (
  session: SshSession,
  path: string,
  signal: AbortSignal,
): Promise<boolean> =>
  (await session.exec(thereAndNotEmptyScript(path), {}, signal)).code === 0;
