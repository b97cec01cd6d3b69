import RFB from "@novnc/novnc";
import type { Stroke } from "../../extension/screen/layouts.ts";
import type {
  FromPage,
  Notice,
  PageState,
  ToPage,
} from "../../extension/screen/messages.ts";
import { MessageChannelSocket } from "./channel.ts";

declare function acquireVsCodeApi(): {
  postMessage(message: FromPage): void;
  getState(): PageState | undefined;
  setState(state: PageState): void;
};

const api = acquireVsCodeApi();

function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`The page has no ${id}.`);
  return found;
}

const page = {
  screen: element("screen"),
  notice: element("notice"),
  text: element("text"),
  action: element("action") as HTMLButtonElement,
  fit: element("fit"),
  readOnly: element("readOnly"),
  keys: element("keys") as HTMLSelectElement,
  layout: element("layout") as HTMLSelectElement,
  size: element("size"),
};

interface Shown {
  readonly connection: number;
  readonly rfb: RFB;
  readonly channel: MessageChannelSocket;
}

let shown: Shown | undefined;
let state =
  api.getState() ??
  (JSON.parse(document.body.dataset["state"] ?? "{}") as PageState);

function change(wanted: Partial<PageState>): void {
  state = { ...state, ...wanted };
  api.setState(state);
  page.fit.setAttribute("aria-pressed", String(state.fit));
  page.readOnly.setAttribute("aria-pressed", String(state.readOnly));
  page.layout.value = state.layout;
  if (shown === undefined) return;
  shown.rfb.scaleViewport = state.fit;
  shown.rfb.viewOnly = state.readOnly;
}

function connected(connection: number): void {
  ended();
  const channel = new MessageChannelSocket((bytes) =>
    api.postMessage({ kind: "bytes", connection, bytes }),
  );
  const rfb = new RFB(page.screen, channel, { shared: true });
  rfb.background = "transparent";
  shown = { connection, rfb, channel };
  rfb.addEventListener("connect", () => {
    document.body.dataset["connected"] = "true";
    tellSize();
    rfb.focus();
  });
  rfb.addEventListener("disconnect", () => {
    if (shown?.connection === connection) ended();
  });
  change({});
}

function ended(): void {
  const was = shown;
  shown = undefined;
  delete document.body.dataset["connected"];
  // Where nothing connected, noVNC leaves its last picture for us to take away.
  was?.rfb.disconnect();
  page.screen.replaceChildren();
  page.size.textContent = "";
}

function notice(told: Notice | undefined): void {
  page.notice.hidden = told === undefined;
  page.text.textContent = told?.text ?? "";
  page.action.hidden = told?.action === undefined;
  page.action.textContent = told?.action?.label ?? "";
  page.action.disabled = false;
  page.action.onclick = () => {
    if (told?.action === undefined) return;
    page.action.disabled = true;
    api.postMessage({ kind: "act", action: told.action.id });
  };
}

const tellSize = (): void => {
  const canvas = page.screen.querySelector("canvas");
  page.size.textContent =
    canvas === null ? "" : `${String(canvas.width)} × ${String(canvas.height)}`;
};

/** Keys by their places, with the symbol left out: QEMU takes the place, and the guest's layout does the rest. */
const press = (code: string, down?: boolean): void =>
  shown?.rfb.sendKey(0, code, down);

function pressTogether(codes: readonly string[]): void {
  for (const code of codes) press(code, true);
  for (const code of codes.toReversed()) press(code, false);
}

/** A keyboard's buffer holds few keys, and a guest that is slow to empty it would lose the rest. */
const betweenStrokesMs = 15;

async function type(strokes: readonly Stroke[]): Promise<void> {
  for (const { code, shift, altGraph } of strokes) {
    if (shown === undefined || state.readOnly) return;
    pressTogether([
      ...(shift === true ? ["ShiftLeft"] : []),
      ...(altGraph === true ? ["AltRight"] : []),
      code,
    ]);
    await new Promise((resolve) => setTimeout(resolve, betweenStrokesMs));
  }
}

/** After a click in the bar the keyboard is the guest's again. */
const onPress = (id: string, act: () => void): void =>
  element(id).addEventListener("click", () => {
    act();
    shown?.rfb.focus();
  });

onPress("ctrlAltDel", () =>
  pressTogether(["ControlLeft", "AltLeft", "Delete"]),
);
onPress("typeClipboard", () =>
  api.postMessage({ kind: "typeClipboard", layout: state.layout }),
);
onPress("fit", () => change({ fit: !state.fit }));
onPress("readOnly", () => change({ readOnly: !state.readOnly }));
page.keys.addEventListener("change", () => {
  if (page.keys.value !== "") pressTogether(page.keys.value.split("+"));
  page.keys.value = "";
  shown?.rfb.focus();
});
page.layout.addEventListener("change", () =>
  change({ layout: page.layout.value }),
);
// The guest may choose another size at any time.
new MutationObserver(tellSize).observe(page.screen, {
  subtree: true,
  attributeFilter: ["width", "height"],
});

window.addEventListener("message", ({ data }: MessageEvent<ToPage>) => {
  switch (data.kind) {
    case "notice":
      notice(data.notice);
      return;
    case "connected":
      connected(data.connection);
      return;
    case "bytes":
      if (shown?.connection === data.connection) shown.channel.take(data.bytes);
      return;
    case "ended":
      if (shown?.connection === data.connection) ended();
      return;
    case "type":
      void type(data.strokes);
  }
});

change({});
api.postMessage({ kind: "ready" });
