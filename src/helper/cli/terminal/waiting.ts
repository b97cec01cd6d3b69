import type { Command } from "commander";
import { integerOption } from "./options.ts";
import { showImage, showMachine } from "./progress.ts";
import type { Session } from "./session.ts";

/** Flags of commands that may wait until a guest is ready. */
export interface WaitFlags {
  readonly json?: boolean;
  readonly wait: boolean;
  readonly timeout?: number;
}

/** The last options of such a command. */
export const addWaitOptions = (command: Command): Command =>
  command
    .option("--no-wait", "answer as soon as it has been started")
    .option(
      "--timeout <seconds>",
      "how long to wait for the guest",
      integerOption,
    )
    .option("--json", "print JSON");

export const waiting = (
  flags: WaitFlags,
): { wait: boolean; timeoutMs?: number } => ({
  wait: flags.wait,
  ...(flags.timeout === undefined ? {} : { timeoutMs: flags.timeout * 1000 }),
});

/** Shows how far the images are that somebody downloads or makes. */
export const watchImages = ({
  client,
  progress,
}: Pick<Session, "client" | "progress">): void =>
  void client.onNotice("images.changed", ({ image }) =>
    showImage(progress, image),
  );

/** Shows the stages of a machine, and of the image that it may need first. Without a name: of the one that is made. */
export function watchMachine(
  { client, progress }: Session,
  name: string | undefined,
): void {
  let followed = name;
  watchImages({ client, progress });
  client.onNotice("machines.changed", ({ machine }) => {
    if (machine.state.kind === "creating") followed ??= machine.name;
    if (machine.name === followed || machine.alias === followed)
      showMachine(progress, machine);
  });
}
