import { showImage, showMachine } from "./progress.ts";
import type { Session } from "./session.ts";

/** Flags of commands that may wait until a guest is ready. */
export interface WaitFlags {
  readonly json?: boolean;
  readonly wait: boolean;
  readonly timeout?: number;
}

export const waiting = (
  flags: WaitFlags,
): { wait: boolean; timeoutMs?: number } => ({
  wait: flags.wait,
  ...(flags.timeout === undefined ? {} : { timeoutMs: flags.timeout * 1000 }),
});

/** Without the keys that the user did not give. */
export function given<T extends Record<string, unknown>>(
  values: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

/** Shows the way of a machine, and of the image that it may need first. Without a name: of the one that is made. */
export function watchMachine(
  { client, progress }: Session,
  name: string | undefined,
): void {
  let followed = name;
  client.onNotice("images.changed", ({ image }) => showImage(progress, image));
  client.onNotice("machines.changed", ({ machine }) => {
    if (machine.state.kind === "creating") followed ??= machine.name;
    if (machine.name === followed || machine.alias === followed)
      showMachine(progress, machine);
  });
}
