/*
 * One panel with a screen. It owns the connection between its page and the screen's socket: at most one at a time,
 * numbered, so that what comes late of an earlier one is known for that. It ends the connection when the page is hidden
 * and with the panel. `screens.ts` makes panels and hands them over.
 */
import { randomBytes } from "node:crypto";
import { l10n, Uri, type WebviewPanel } from "vscode";
import { type Bridge, bridgeTo } from "./bridge.ts";
import type { FromPage, NoticeAction, PageState, ToPage } from "./messages.ts";
import { pageOf } from "./page.ts";
import type { Sight, SubjectOf } from "./subjects.ts";

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
  let pageIsThere = false;
  let retry: NodeJS.Timeout | undefined;

  const post = (message: ToPage): void =>
    void panel.webview.postMessage(message);
  const link = createLink(post, {
    connected: () => tell(),
    ended() {
      tell();
      // The notice of a machine's end comes after its socket's, so this may be in vain for a moment.
      retry = setTimeout(reconcile, retryMs);
    },
  });

  const tell = (): void =>
    post({ kind: "notice", notice: subject.notice(link.isConnected()) });

  function reconcile(): void {
    clearTimeout(retry);
    const sight = subject.look();
    if (sight !== undefined) panel.title = titleOf(sight.name);
    if (!pageIsThere) return;
    link.follow(sight?.screen);
    tell();
  }

  const received = (message: FromPage): void => {
    switch (message.kind) {
      case "ready":
        pageIsThere = true;
        link.drop();
        reconcile();
        return;
      case "bytes":
        link.send(message.connection, message.bytes);
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
    link.drop();
  });
  panel.onDidDispose(() => {
    clearTimeout(retry);
    stopListening();
    link.drop();
  });
  loadPage(panel, state, extensionUri);
}

interface Link {
  readonly isConnected: () => boolean;
  /** Connects to this screen, unless it is connected to it already; lets go of another one. */
  readonly follow: (screen: Sight["screen"]) => void;
  /** From the page, if it means the connection that there is. */
  readonly send: (connection: number, bytes: Uint8Array) => void;
  readonly drop: () => void;
}

/** The connection between a page, which hears of it by `post`, and a screen. */
function createLink(
  post: (message: ToPage) => void,
  on: { readonly connected: () => void; readonly ended: () => void },
): Link {
  let current:
    | {
        readonly number: number;
        /** See `Sight`. */
        readonly life: string;
        readonly bridge: Bridge;
        connected: boolean;
      }
    | undefined;
  let count = 0;

  const drop = (): void => {
    current?.bridge.end();
    current = undefined;
  };

  function connect(path: string, life: string): void {
    const number = ++count;
    const bridge = bridgeTo(path, {
      connected() {
        if (current?.number !== number) return;
        current.connected = true;
        post({ kind: "connected", connection: number });
        on.connected();
      },
      bytes: (bytes) => post({ kind: "bytes", connection: number, bytes }),
      ended() {
        if (current?.number !== number) return;
        current = undefined;
        post({ kind: "ended", connection: number });
        on.ended();
      },
    });
    current = { number, life, bridge, connected: false };
  }

  return {
    drop,
    isConnected: () => current?.connected === true,
    follow(screen) {
      if (current !== undefined && current.life !== screen?.life) {
        post({ kind: "ended", connection: current.number });
        drop();
      }
      if (current === undefined && screen !== undefined)
        connect(screen.path, screen.life);
    },
    send(connection, bytes) {
      if (current?.number === connection) current.bridge.send(bytes);
    },
  };
}

function loadPage(
  { webview }: WebviewPanel,
  state: PageState,
  extensionUri: Uri,
): void {
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
