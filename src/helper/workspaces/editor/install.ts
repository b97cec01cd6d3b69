import { createHash } from "node:crypto";
import * as z from "zod";
import type { ExecResult, SshSession } from "../../ssh/session.ts";
import { environmentFile } from "../guest/environment.ts";
import { remember } from "../guest/linuxGuest.ts";
import {
  memoryFile,
  profileScript,
  readSettingsScript,
  remoteEnvironmentFile,
  settingsFileOf,
  writeFilesScript,
} from "./guestScripts.ts";
import { mergeSettings, type Setting, settingsSchema } from "./settings.ts";

/** What a guest's editor server is to be told. */
export interface EditorSetup {
  readonly settings: readonly Setting[];
  readonly remoteEnv: Readonly<Record<string, string | null>>;
  /** The server's folder in the guest's home folder, as the client's editor has it: `.vscode-server`. */
  readonly serverFolder: string;
}

/** Servers of other editors, which get their settings where somebody has used them. */
const otherDataFolders = [
  ".vscode-server/data",
  ".vscode-server-insiders/data",
  ".vscodium-server/data",
  ".cursor-server/data",
  ".windsurf-server/data",
  ".local/share/code-server",
];

/** The mark that the guest keeps of it: the same wish is not looked at again. */
const markName = "editor";
const digestOf = (setup: EditorSetup): string =>
  createHash("sha256").update(JSON.stringify(setup)).digest("hex");

const memorySchema = z.record(z.string(), settingsSchema);
type Memory = z.infer<typeof memorySchema>;

/**
 * Writes the machine settings of the guest's editor servers and what login shells read of `remoteEnv`, unless that was
 * done before. Answers with sentences on what could not be done; a person's comfort stops no `up`.
 */
export async function setUpEditor(
  session: SshSession,
  setup: EditorSetup,
  marks: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<string[]> {
  const digest = digestOf(setup);
  const { settings, remoteEnv, serverFolder } = setup;
  const before = marks.get(markName);
  const isEmpty = settings.length === 0 && Object.keys(remoteEnv).length === 0;
  if (before === digest || (before === undefined && isEmpty)) return [];

  const folder = `${serverFolder}/data`;
  const others = otherDataFolders.filter((each) => each !== folder);
  const read = await session.exec(
    readSettingsScript([folder], others),
    {},
    signal,
  );
  if (read.code !== 0) return [notDone("read", read)];
  const answer = parseSettings(read.stdout, [folder, ...others]);
  if (answer === undefined)
    return [notDone("read", { ...read, stderr: "it answered something else" })];
  const { memory, files } = answer;
  const notes: string[] = [];
  const now: Memory = {};
  const written = new Map<string, string>();
  for (const [data, text] of files) {
    const file = settingsFileOf(data);
    const merged = mergeSettings(text, memory[file] ?? [], settings);
    if (merged === undefined) {
      now[file] = memory[file] ?? [];
      notes.push(
        `~/${file} in the guest is no JSON that can be read; the settings of the devcontainer.json are not in it.`,
      );
      continue;
    }
    now[file] = [...settings];
    if (merged !== text) written.set(file, merged);
  }
  written.set(memoryFile, JSON.stringify(now));
  written.set(remoteEnvironmentFile, environmentFile({}, {}, remoteEnv));
  const lines = [...written].map(
    ([path, text]) => `${path}\t${Buffer.from(text).toString("base64")}\n`,
  );
  const wrote = await session.exec(
    writeFilesScript(),
    { stdin: lines.join("") },
    signal,
  );
  if (wrote.code !== 0) return [...notes, notDone("write", wrote)];
  if (Object.keys(remoteEnv).length > 0) {
    const profiled = await session.exec(profileScript(), {}, signal);
    if (profiled.code !== 0)
      notes.push(
        `Login shells don't get remoteEnv: ${whyOf(profiled)}. Commands and terminals do.`,
      );
  }
  await remember(session, markName, digest, signal);
  return notes;
}

/**
 * Of `readSettingsScript`: what we remember, and each data folder with the text of its settings. Undefined for what it
 * would not print, other `folders` included, as what is written follows from it. Pure.
 */
export function parseSettings(
  printed: string,
  folders: readonly string[],
):
  | {
      readonly memory: Memory;
      readonly files: ReadonlyMap<string, string>;
    }
  | undefined {
  const files = new Map<string, string>();
  let memory: Memory = {};
  let folder: string | undefined;
  for (const line of printed.split("\n")) {
    if (line === "") continue;
    const [kind, value = "", ...more] = line.split("\t");
    if (more.length > 0) return undefined;
    if (kind === "folder" && folders.includes(value))
      files.set((folder = value), "");
    else if (!base64.test(value)) return undefined;
    else if (kind === "memory") memory = parseMemory(textOf(value));
    else if (kind === "text" && folder !== undefined)
      files.set(folder, textOf(value));
    else return undefined;
  }
  return { memory, files };
}

const base64 = /^[A-Za-z0-9+/]*={0,2}$/;
const textOf = (value: string): string =>
  Buffer.from(value, "base64").toString("utf8");

/** A guest may lose or change it; then everything that is set counts as its user's. */
function parseMemory(text: string): Memory {
  try {
    return memorySchema.parse(JSON.parse(text));
  } catch {
    return {};
  }
}

const whyOf = ({ code, stderr }: ExecResult): string =>
  stderr.trim() || `exit code ${String(code)}`;

const notDone = (verb: string, result: ExecResult): string =>
  `The editor's settings could not be ${verb === "read" ? "read" : "written"} in the guest: ${whyOf(result)}.`;
