import { createHash } from "node:crypto";
import { basename, posix, win32 } from "node:path";
import { given } from "../../../base/given.ts";

/** What the variables of a file stand for. */
export interface VariableValues {
  /** Path of the folder on the host. */
  readonly localWorkspaceFolder: string;
  /** Not known yet while the folder in the guest is being computed itself. */
  readonly containerWorkspaceFolder?: string | undefined;
  readonly devcontainerId: string;
  /** The variables of the host that the client passed on. */
  readonly localEnv: Readonly<Record<string, string | undefined>>;
  /** The guest's environment; only for `remoteEnv`. */
  readonly containerEnv?: Readonly<Record<string, string>> | undefined;
}

const pattern = /\$\{([^}]*)\}/g;

/**
 * Puts the variables' values into every string value; names of properties stay as they are. What is unknown, or not
 * known at this time, is left as it stands. Replaced text is not looked at again, so a value can't smuggle a variable in.
 */
export function substitute<T>(value: T, values: VariableValues): T {
  return mapStrings(value, (text) =>
    text.replace(pattern, (whole, expression: string) =>
      resolve(expression, values, whole),
    ),
  ) as T;
}

/** The same for `${containerEnv:NAME}` alone, where everything else is filled in already. */
export const fillContainerEnv = <T>(
  value: T,
  containerEnv: Readonly<Record<string, string>>,
): T =>
  mapStrings(value, (text) =>
    text.replace(pattern, (whole, expression: string) => {
      const [kind, ...rest] = expression.split(":");
      return kind === "containerEnv"
        ? variable(containerEnv, rest, whole)
        : whole;
    }),
  ) as T;

/** Is there a `${containerEnv:NAME}` to fill in? */
export const namesContainerEnv = (value: unknown): boolean =>
  JSON.stringify(value ?? null).includes("${containerEnv:");

/** Names of the host's variables that a file reads, in order, each once. */
export function localVariables(value: unknown): string[] {
  const names = new Set<string>();
  mapStrings(value, (text) => {
    for (const [, expression = ""] of text.matchAll(pattern)) {
      const [kind, name] = expression.split(":");
      if ((kind === "localEnv" || kind === "env") && name !== undefined)
        names.add(name);
    }
    return text;
  });
  return [...names];
}

/**
 * `${devcontainerId}`: unique for a folder and its file, the same after a rebuild. Source: "Label-based Computation" of
 * the specification's page on the dev container id.
 */
export function devcontainerId(
  folder: string,
  configPath: string,
  branch?: string,
): string {
  // Sorted keys, no spaces.
  const labels = JSON.stringify({
    ...given({ "guesthouse.branch": branch }),
    "devcontainer.config_file": configPath,
    "devcontainer.local_folder": folder,
  });
  const digest = createHash("sha256").update(labels, "utf8").digest("hex");
  return BigInt(`0x${digest}`).toString(32).padStart(52, "0");
}

function resolve(
  expression: string,
  values: VariableValues,
  unresolved: string,
): string {
  const [name = "", ...rest] = expression.split(":");
  switch (name) {
    case "localEnv":
    case "env":
      return variable(values.localEnv, rest, unresolved);
    case "containerEnv":
      return values.containerEnv === undefined
        ? unresolved
        : variable(values.containerEnv, rest, unresolved);
    case "localWorkspaceFolder":
      return values.localWorkspaceFolder;
    case "localWorkspaceFolderBasename":
      return basename(values.localWorkspaceFolder);
    case "containerWorkspaceFolder":
      return values.containerWorkspaceFolder ?? unresolved;
    case "containerWorkspaceFolderBasename":
      return values.containerWorkspaceFolder === undefined
        ? unresolved
        : lastName(values.containerWorkspaceFolder);
    case "devcontainerId":
      return values.devcontainerId;
    default:
      return unresolved;
  }
}

/** `NAME`, or `NAME:default`, whose default may hold colons. */
function variable(
  environment: Readonly<Record<string, string | undefined>>,
  [name, ...fallback]: readonly string[],
  unresolved: string,
): string {
  if (name === undefined || name === "") return unresolved;
  const value = Object.hasOwn(environment, name)
    ? environment[name]
    : undefined;
  return value ?? fallback.join(":");
}

function mapStrings(value: unknown, map: (text: string) => string): unknown {
  if (typeof value === "string") return map(value);
  if (Array.isArray(value)) return value.map((item) => mapStrings(item, map));
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [
        name,
        mapStrings(inner, map),
      ]),
    );
  return value;
}

const lastName = (folder: string): string =>
  /^[a-z]:\\/i.test(folder) ? win32.basename(folder) : posix.basename(folder);
