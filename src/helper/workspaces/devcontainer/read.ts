import { createHash } from "node:crypto";
import { readFile, realpath, stat } from "node:fs/promises";
import { visible } from "../../../base/visible.ts";
import { refused, type GuesthouseError } from "../../../protocol/failure.ts";
import { dirname } from "node:path";
import { type ComposeFacts, readComposeFiles } from "./composeFiles.ts";
import { findConfigs } from "../../../base/devcontainerFiles.ts";
import { chooseConfig, insideFolder } from "./find.ts";
import { parseJsonc } from "./jsonc.ts";
import { type Devcontainer, devcontainerSchema } from "./model.ts";
import { withoutOlderNames } from "./olderNames.ts";
import { type ConfigWarning, reviewProperties } from "./review.ts";
import { localVariables } from "./variables.ts";

/** A branch's files; only those of configurations, until it is completed. */
export interface Tree {
  readonly folder: string;
  complete(signal?: AbortSignal): Promise<void>;
}

/** A folder's configuration as its file has it: variables stand in it still. */
export interface Configuration {
  /** Real path of the folder, by which the workspace is known; its files are in `tree`, where that is given. */
  readonly folder: string;
  /** The workspace is a branch of the folder's repository, whatever is checked out there. */
  readonly branch?: string;
  /** Where a branch's files are, for as long as they are needed. */
  readonly tree?: Tree;
  /** Relative to the folder; undefined when it has none and defaults are used. */
  readonly path: string | undefined;
  readonly file: Devcontainer;
  /** SHA-256 of the file's bytes, as hex; of an empty object where there is none. */
  readonly digest: string;
  readonly warnings: readonly ConfigWarning[];
  /** Of the Compose files that it names. */
  readonly compose?: ComposeFacts;
  /** Names of the host's variables that it and its Compose files read. */
  readonly localVariables: readonly string[];
}

/** No person writes a larger one, and a parser is no place for one that somebody else made. */
const largestBytes = 1024 * 1024;

/**
 * Finds, reads and checks a folder's devcontainer.json. Nothing is written, nothing is run. Refuses with
 * `request.invalid` (no folder), `workspaces.configAmbiguous`, `workspaces.configMissing`, `workspaces.configInvalid`
 * (naming line and property) and `workspaces.outsideFolder`.
 */
export async function readConfiguration(
  folder: string,
  wanted?: string,
): Promise<Configuration> {
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory() !== true)
    throw refused("request.invalid", `${folder} is not a folder.`, {
      remedy: "Give the path of an existing folder.",
    });
  const root = await realpath(folder);
  const path = chooseConfig(await findConfigs(root), wanted);
  if (path === undefined) return { ...parse("{}", ""), folder: root, path };
  const real = await insideFolder(root, path);
  const about = await stat(real);
  if (!about.isFile()) throw invalid(path, "it is no file");
  if (about.size > largestBytes)
    throw invalid(path, `it is larger than ${String(largestBytes)} bytes`);
  const text = await readFile(real, "utf8");
  return withCompose({ ...parse(text, path), folder: root, path });
}

async function withCompose(read: Configuration): Promise<Configuration> {
  const { dockerComposeFile: named } = read.file;
  if (named === undefined) return read;
  const compose = await readComposeFiles(
    named,
    read.folder,
    dirname(read.path ?? ""),
  );
  const names = new Set([...read.localVariables, ...compose.variables]);
  return { ...read, compose, localVariables: [...names] };
}

/** From the file's text. Pure. */
function parse(
  text: string,
  path: string,
): Omit<Configuration, "folder" | "path"> {
  const document = parseJsonc(text.replace(/^\ufeff/, ""));
  if (document.error !== undefined) throw invalid(path, document.error);
  const checked = devcontainerSchema.safeParse(document.value);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    const place = (issue?.path ?? []).map((part) =>
      typeof part === "symbol" ? String(part) : part,
    );
    throw invalid(
      path,
      `line ${String(document.lineOf(place))}: ${place.join(".") || "the file"}: ${issue?.message ?? "wrong"}`,
    );
  }
  return {
    file: withoutOlderNames(checked.data),
    digest: createHash("sha256").update(text).digest("hex"),
    warnings: reviewProperties(checked.data),
    localVariables: localVariables(checked.data),
  };
}

const invalid = (path: string, detail: string): GuesthouseError =>
  refused(
    "workspaces.configInvalid",
    `${visible(path)} can't be read: ${visible(detail)}.`,
    {
      remedy: "Correct the file, then try again.",
      actions: ["retry"],
    },
  );
