/*
 * The panels with screens. It owns them all: one for each machine and installation, found again by what it shows, and
 * those of a window come back with it. `main.ts` makes it; what happens inside a panel is in panel.ts.
 */
import {
  env,
  l10n,
  type Uri,
  ViewColumn,
  type WebviewPanel,
  window,
} from "vscode";
import type { Image } from "../../protocol/images.ts";
import type { Machine } from "../../protocol/machines.ts";
import type { Room } from "../window/commandIds.ts";
import { about } from "../failures/about.ts";
import { refuse } from "../failures/raise.ts";
import type { Call } from "../helper/connection.ts";
import { chooseOne, type ChooseMachines } from "../machines/choose.ts";
import { machinesViewId } from "../window/viewIds.ts";
import { withViewProgress } from "../window/progress.ts";
import type { Records } from "../helper/records.ts";
import { runTold } from "../failures/registerCommands.ts";
import { isLayoutName, layoutNames, typingOf } from "./layouts.ts";
import type { NoticeAction, PageState } from "./messages.ts";
import { keepPanel, type PanelDeps, titleOf, webviewOptions } from "./panel.ts";
import { keyOfImage, screenSubjects } from "./subjects.ts";

const panelType = "guesthouse.screen";

/** About half a minute of typing; who wants more than that wants a file. */
const longestTyping = 2_000;

export interface ScreensDeps {
  readonly call: Call;
  readonly choose: ChooseMachines;
  readonly machines: Records<Machine>;
  readonly images: Records<Image>;
  readonly loaded: () => Promise<void>;
  readonly extensionUri: Uri;
}

/** Panels with screens, one for each machine and installation; those of a window come back with it. */
export function createScreens(
  deps: ScreensDeps,
): Room<"guesthouse.openScreen" | "guesthouse.openImageScreen"> {
  const { choose, loaded, extensionUri } = deps;
  const panels = new Map<string, WebviewPanel>();
  const ofPanels = panelDeps(deps);

  const keep = (panel: WebviewPanel, state: PageState): void => {
    panels.set(state.subject, panel);
    panel.onDidDispose(() => {
      if (panels.get(state.subject) === panel) panels.delete(state.subject);
    });
    keepPanel(panel, state, ofPanels);
  };

  const show = (key: string, name: string): void => {
    const open = panels.get(key);
    if (open !== undefined) {
      open.reveal();
      return;
    }
    const panel = window.createWebviewPanel(
      panelType,
      titleOf(name),
      ViewColumn.Active,
      webviewOptions(extensionUri),
    );
    keep(panel, newState(key));
  };

  const serializer = window.registerWebviewPanelSerializer(panelType, {
    async deserializeWebviewPanel(panel, kept: unknown) {
      const state = stateFrom(kept);
      if (state === undefined) {
        panel.dispose();
        return;
      }
      // Without the helper the panel says that the VM is gone until it answers; the window tells why it doesn't.
      await loaded().catch(() => undefined);
      keep(panel, state);
    },
  });

  return {
    commands: {
      async "guesthouse.openScreen"(...args) {
        const machine = await chooseOne(choose, args, {
          title: l10n.t("Open Screen of VM"),
        });
        if (machine !== undefined) show(machine.id, machine.name);
      },
      "guesthouse.openImageScreen"(name) {
        if (typeof name === "string") show(keyOfImage(name), name);
        return Promise.resolve();
      },
    },
    dispose() {
      serializer.dispose();
      for (const panel of [...panels.values()]) panel.dispose();
    },
  };
}

const panelDeps = ({
  call,
  machines,
  images,
  extensionUri,
}: ScreensDeps): PanelDeps => ({
  subjectOf: screenSubjects(machines, images),
  extensionUri,
  onAct: (machine, action) =>
    void runTold(() =>
      withViewProgress(machinesViewId, () =>
        about({ kind: "machine", id: machine }, () =>
          act(call, machines, machine, action),
        ),
      ),
    ),
  onTypeClipboard: (layout, type) =>
    void runTold(async () =>
      type({ kind: "type", strokes: await clipboardStrokes(layout) }),
    ),
});

/** What helps a machine that shows no picture. */
async function act(
  call: Call,
  machines: Records<Machine>,
  machine: string,
  action: NoticeAction,
): Promise<void> {
  if (action === "addScreen") {
    if (machines.get(machine)?.runtime !== undefined)
      await call("machines.stop", { machine });
    await call("machines.set", { machine, screen: true });
  }
  await call("machines.start", { machine });
}

async function clipboardStrokes(
  layout: string,
): Promise<ReturnType<typeof typingOf>["strokes"]> {
  const text = await env.clipboard.readText();
  if (text.length > longestTyping)
    return refuse(
      "request.invalid",
      l10n.t(
        "The clipboard holds {0} characters; up to {1} are typed.",
        text.length,
        longestTyping,
      ),
      { remedy: l10n.t("Copy a file into the VM instead.") },
    );
  const { strokes, missing } = typingOf(
    text,
    isLayoutName(layout) ? layout : layoutNames[0],
  );
  if (missing.length > 0)
    return refuse(
      "request.invalid",
      l10n.t(
        "The clipboard holds characters that a {0} keyboard can't type: {1}",
        layout.toUpperCase(),
        missing.slice(0, 10).join(" "),
      ),
      { remedy: l10n.t("Nothing was typed. Choose the guest's layout.") },
    );
  return strokes;
}

const newState = (subject: string): PageState => ({
  subject,
  fit: true,
  readOnly: false,
  layout: layoutNames[0],
});

type Kept = { readonly [K in keyof PageState]?: unknown };

/** What a page kept, which an older version of ours may have written. */
function stateFrom(kept: unknown): PageState | undefined {
  if (typeof kept !== "object" || kept === null) return undefined;
  const { subject, fit, readOnly, layout }: Kept = kept;
  if (typeof subject !== "string") return undefined;
  return {
    subject,
    fit: fit !== false,
    readOnly: readOnly === true,
    layout: typeof layout === "string" ? layout : layoutNames[0],
  };
}
