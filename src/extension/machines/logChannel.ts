import { type OutputChannel, window } from "vscode";
import { createLogFeed, type LogFeed, type LogFeedPorts } from "./logFeed.ts";

/** An output channel that is fed by a log of the helper's. */
export interface LogChannel {
  readonly channel: OutputChannel;
  readonly feed: LogFeed;
}

/** `makeClean` makes what every text goes through; a log that begins anew gets a new one. */
export function openLogChannel(
  title: string,
  read: LogFeedPorts["read"],
  makeClean: () => (text: string) => string = () => (text) => text,
): LogChannel {
  const channel = window.createOutputChannel(`Guesthouse: ${title}`, "log");
  let clean = makeClean();
  const feed = createLogFeed({
    read,
    write: (text) => channel.append(clean(text)),
    restart: () => {
      channel.clear();
      clean = makeClean();
    },
  });
  return { channel, feed };
}

/** A log that can't be read now is read with the next connection; it is no reason to disturb. */
export const quietly = ({ feed }: LogChannel): Promise<void> =>
  feed.catchUp().catch(() => undefined);
