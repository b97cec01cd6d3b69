import { access } from "node:fs/promises";
import { installCodeServer } from "../../../scripts/lib/codeServer.mjs";
import { ensurePrograms } from "../../../scripts/lib/packages.mjs";
import { browserPrograms } from "../../../scripts/lib/programs.mjs";

export interface EditorTools {
  /** Node 24, which VS Code's server runs on. */
  node: string;
  /** The folder of the code-server package. */
  codeServer: string;
  chromium: string;
}

const chromiumPlaces = [
  process.env["CHROMIUM"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** The browser on this machine: the CHROMIUM variable, else where distributions put it. */
async function findChromium(): Promise<string | undefined> {
  for (const place of chromiumPlaces) {
    if (place === undefined) continue;
    const found = await access(place).then(
      () => true,
      () => false,
    );
    if (found) return place;
  }
  return undefined;
}

/**
 * Everything that a real VS Code needs here; downloads and builds it once into the cache folder (about a minute).
 * @throws when the browser or a compiler is missing and cannot be installed; the message names the remedy
 */
export async function installEditorTools(): Promise<EditorTools> {
  if ((await findChromium()) === undefined) {
    await ensurePrograms(browserPrograms, {
      purpose: "run VS Code in a browser",
    });
  }
  const { node, codeServer } = await installCodeServer();
  const chromium = await findChromium();
  if (chromium === undefined)
    throw new Error(
      "No Chromium: install it, or set CHROMIUM to a Chrome or Chromium binary.",
    );
  return { node, codeServer, chromium };
}
