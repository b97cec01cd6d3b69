import { randomBytes } from "node:crypto";
import { l10n, Uri, type WebviewPanel } from "vscode";
import { type Bridge, bridgeTo } from "./bridge.ts";
import type { FromPage, NoticeAction, PageState, ToPage } from "./messages.ts";
import { pageOf } from "./page.ts";
import type { SubjectOf } from "./subjects.ts";

export interface PanelDeps {
  readonly subjectOf: SubjectOf;
  readonly extensionUri: Uri;
  readonly onAct: (key: string, action: NoticeAction) => void;
  /** The user wants the clipboard's text typed; answers with what to press. */
  readonly onTypeClipboard: (
    layout: string,
    type: (strokes: ToPage & { kind: "type" }) => void,
  ) => void;
}

interface Link {
  readonly number: number;
  /** See `Sight`. */
  readonly life: string;
  readonly bridge: Bridge;
  connected: boolean;
}

const retryMs = 500;

/**
 * Keeps a panel on a screen: whenever its page is there and the QEMU of what it is about has a screen, they are
 * connected; else the page says why not. A page that is hidden is gone, and its connection with it: drawing what
 * nobody sees costs QEMU as much as drawing what somebody does, and the whole picture comes with the next connection.
 */
export function keepPanel(
  panel: WebviewPanel,
  state: PageState,
  { subjectOf, extensionUri, onAct, onTypeClipboard }: PanelDeps,
): void {
  const { subject: key } = state;
  const subject = subjectOf(key);
  let link: Link | undefined;
  let count = 0;
  let pageIsThere = false;
  let retry: NodeJS.Timeout | undefined;

  const post = (message: ToPage): void =>
    void panel.webview.postMessage(message);

  const drop = (): void => {
    link?.bridge.end();
    link = undefined;
  };

  function connect(path: string, life: string): void {
    const number = ++count;
    const bridge = bridgeTo(path, {
      connected() {
        if (link?.number !== number) return;
        link.connected = true;
        post({ kind: "connected", connection: number });
        tell();
      },
      bytes: (bytes) => post({ kind: "bytes", connection: number, bytes }),
      ended() {
        if (link?.number !== number) return;
        link = undefined;
        post({ kind: "ended", connection: number });
        tell();
        // The notice of a machine's end comes after its socket's, so this may be in vain for a moment.
        retry = setTimeout(reconcile, retryMs);
      },
    });
    link = { number, life, bridge, connected: false };
  }

  const tell = (): void =>
    post({
      kind: "notice",
      notice: subject.notice(link?.connected === true),
    });

  function reconcile(): void {
    clearTimeout(retry);
    const sight = subject.look();
    if (sight !== undefined) panel.title = titleOf(sight.name);
    if (!pageIsThere) return;
    const screen = sight?.screen;
    if (link !== undefined && link.life !== screen?.life) {
      post({ kind: "ended", connection: link.number });
      drop();
    }
    if (link === undefined && screen !== undefined)
      connect(screen.path, screen.life);
    tell();
  }

  const received = (message: FromPage): void => {
    switch (message.kind) {
      case "ready":
        pageIsThere = true;
        drop();
        reconcile();
        return;
      case "bytes":
        if (link?.number === message.connection)
          link.bridge.send(message.bytes);
        return;
      case "act":
        onAct(key, message.action);
        return;
      case "typeClipboard":
        onTypeClipboard(message.layout, post);
    }
  };

  const stopListening = subject.onDidChange(reconcile);
  panel.webview.onDidReceiveMessage(received);
  panel.onDidChangeViewState(() => {
    if (panel.visible) return;
    pageIsThere = false;
    drop();
  });
  panel.onDidDispose(() => {
    clearTimeout(retry);
    stopListening();
    drop();
  });

  const { webview } = panel;
  webview.options = webviewOptions(extensionUri);
  const resource = (...path: string[]): string =>
    webview.asWebviewUri(Uri.joinPath(extensionUri, ...path)).toString();
  webview.html = pageOf({
    nonce: randomBytes(16).toString("base64url"),
    cspSource: webview.cspSource,
    script: resource("dist", "screen.js"),
    style: resource("media", "screen.css"),
    state,
  });
}

export const titleOf = (name: string): string => l10n.t("{0} (screen)", name);

/** Scripts, and nothing of the disk but our own files. */
export const webviewOptions = (
  extensionUri: Uri,
): { enableScripts: true; localResourceRoots: Uri[] } => ({
  enableScripts: true,
  localResourceRoots: [
    Uri.joinPath(extensionUri, "dist"),
    Uri.joinPath(extensionUri, "media"),
  ],
});
