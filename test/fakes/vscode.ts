/**
 * The little of the editor's API that code without a window needs: translation that keeps the English text, and the
 * classes that are made before anything is shown.
 */
export const l10n = {
  t(
    message: string | { message: string; args?: unknown[] },
    ...args: readonly unknown[]
  ): string {
    const text = typeof message === "string" ? message : message.message;
    return text.replaceAll(/\{(\d+)\}/g, (whole, index: string) =>
      Number(index) < args.length ? String(args[Number(index)]) : whole,
    );
  },
};

/** What an output channel holds and whether anybody sees it. */
export interface FakeChannel {
  text: string;
  shown: boolean;
  disposed: boolean;
}

/** Output channels by name, the newest of each. */
export const channels = new Map<string, FakeChannel>();

export const window = {
  createOutputChannel(name: string) {
    const channel: FakeChannel = { text: "", shown: false, disposed: false };
    channels.set(name, channel);
    return {
      append: (text: string) => (channel.text += text),
      appendLine: (text: string) => (channel.text += `${text}\n`),
      clear: () => (channel.text = ""),
      show: () => (channel.shown = true),
      dispose: () => (channel.disposed = true),
    };
  },
};
