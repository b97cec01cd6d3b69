import { l10n } from "vscode";
import { layoutNames } from "./layouts.ts";
import type { PageState } from "./messages.ts";

/** Combinations that the editor or the system would keep for itself, by the places of their keys. */
const combinations = [
  "ControlLeft+AltLeft+Delete",
  "ControlLeft+AltLeft+F1",
  "ControlLeft+AltLeft+F2",
  "ControlLeft+AltLeft+F7",
  "AltLeft+Tab",
  "AltLeft+F4",
  "MetaLeft",
  "Escape",
];

const shown = (combination: string): string =>
  combination
    .replace("ControlLeft", "Ctrl")
    .replace("AltLeft", "Alt")
    .replace("MetaLeft", "⊞")
    .replace("Delete", "Del");

export interface PageParts {
  readonly nonce: string;
  /** Of the webview: where its own files come from. */
  readonly cspSource: string;
  readonly script: string;
  readonly style: string;
  readonly state: PageState;
}

/** The panel's page. It loads its own script and style, and nothing from anywhere else. Pure but for the translation. */
export function pageOf({
  nonce,
  cspSource,
  script,
  style,
  state,
}: PageParts): string {
  // noVNC makes pictures (JPEG rectangles) and the pointer's shape of data URLs.
  const policy = `default-src 'none'; img-src data:; style-src ${cspSource}; script-src 'nonce-${nonce}'`;
  const layouts = layoutNames.map((name) => option(name, name.toUpperCase()));
  const keys = combinations.map((keys) => option(keys, shown(keys)));
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="UTF-8">
<meta http-equiv="Content-Security-Policy" content="${escaped(policy)}">
<link rel="stylesheet" href="${escaped(style)}">
</head>
<body data-state="${escaped(JSON.stringify(state))}">
<div id="bar" role="toolbar">
<button id="ctrlAltDel">Ctrl+Alt+Del</button>
<select id="keys" aria-label="${escaped(l10n.t("Send keys"))}">${option("", l10n.t("Send Keys…"))}${keys.join("")}</select>
<button id="typeClipboard" title="${escaped(l10n.t("Types the clipboard's text, key by key, as the layout beside says."))}">${escaped(l10n.t("Type Clipboard"))}</button>
<select id="layout" title="${escaped(l10n.t("The guest's keyboard layout, for text that is typed. Your own keys are sent by their place, whatever the layout."))}">${layouts.join("")}</select>
<button id="fit" aria-pressed="true">${escaped(l10n.t("Fit"))}</button>
<button id="readOnly" aria-pressed="false">${escaped(l10n.t("Read Only"))}</button>
<span id="size" role="status"></span>
</div>
<div id="screen"></div>
<div id="notice" role="status" hidden><p id="text"></p><button id="action"></button></div>
<script type="module" nonce="${nonce}" src="${escaped(script)}"></script>
</body>
</html>`;
}

const option = (value: string, text: string): string =>
  `<option value="${escaped(value)}">${escaped(text)}</option>`;

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

const escaped = (text: string): string =>
  text.replaceAll(/[&<>"]/g, (character) => entities[character] ?? "");
