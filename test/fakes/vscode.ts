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

/** An address, as far as it is told apart by scheme and path. */
export class Uri {
  readonly scheme: string;
  readonly path: string;
  constructor(scheme: string, path: string) {
    this.scheme = scheme;
    this.path = path;
  }
  toString(): string {
    return `${this.scheme}://${this.path}`;
  }
  static file(path: string): Uri {
    return new Uri("file", path);
  }
  static joinPath(base: { scheme?: string; fsPath: string }, path: string) {
    return new Uri(base.scheme ?? "file", `${base.fsPath}/${path}`);
  }
}

/** What an output channel holds and whether anybody sees it. */
export interface FakeChannel {
  text: string;
  shown: boolean;
  disposed: boolean;
}

/** Output channels by name, the newest of each. */
export const channels = new Map<string, FakeChannel>();

/** Modal questions that were asked, and the buttons that will be pressed, in order; undefined closes one. */
export const asked: { message: string; detail: string | undefined }[] = [];
export const presses: (string | undefined)[] = [];

export const ProgressLocation = { Notification: 15 };

/** Commands that were executed, with their arguments. */
export const executed: unknown[][] = [];
export const commands = {
  executeCommand(...command: unknown[]) {
    executed.push(command);
    return Promise.resolve();
  },
};

/** Forgets what was asked, pressed and executed. */
export function forget(): void {
  for (const list of [asked, presses, executed]) list.length = 0;
}

/** Where the window is, and what is open in it. */
export const env: { remoteName: string | undefined } = {
  remoteName: undefined,
};
export const workspace: {
  workspaceFolders: {
    uri: { authority: string; fsPath: string; path?: string; scheme?: string };
  }[];
  onDidSaveTextDocument: (listener: (document: { uri: Uri }) => void) => {
    dispose: () => void;
  };
} = {
  workspaceFolders: [],
  onDidSaveTextDocument(listener) {
    saveListeners.add(listener);
    return { dispose: () => void saveListeners.delete(listener) };
  },
};
const saveListeners = new Set<(document: { uri: Uri }) => void>();

/** The user saves this file. */
export const save = (uri: Uri): void => {
  for (const listener of saveListeners) listener({ uri });
};

/** Picks that were shown: what each row says. The next of `presses` is the label that is picked. */
export const picks: string[][] = [];

export const window = {
  showQuickPick(
    items: readonly { label: string; description?: string; detail?: string }[],
  ) {
    picks.push(
      items.map(({ label, description = "", detail = "" }) =>
        [label, description, detail].join(" · "),
      ),
    );
    const wanted = presses.shift();
    return Promise.resolve(items.find(({ label }) => label === wanted));
  },
  withProgress: <T>(
    _: unknown,
    work: (
      progress: { report: () => void },
      token: {
        isCancellationRequested: boolean;
        onCancellationRequested: (listener: () => void) => void;
      },
    ) => Promise<T>,
  ): Promise<T> =>
    work(
      { report: () => undefined },
      {
        isCancellationRequested: false,
        onCancellationRequested: () => undefined,
      },
    ),
  showWarningMessage(message: string, options: { detail?: string }) {
    asked.push({ message, detail: options.detail });
    return Promise.resolve(presses.shift());
  },
  showInformationMessage(message: string, ...buttons: string[]) {
    asked.push({ message, detail: buttons.join(", ") });
    return Promise.resolve(presses.shift());
  },
  showErrorMessage(message: string, ...buttons: string[]) {
    asked.push({ message, detail: buttons.join(", ") });
    return Promise.resolve(presses.shift());
  },
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
