/**
 * Looks into a container by one script, as each call costs seconds in an emulated guest, and compares what is seen with
 * what a case expects. Independent of who brought the container up.
 */
import type { Case, Check, Expectation, Expected } from "./case.ts";

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What the engine says about what came up, beside the container itself; unknown parts are not compared. */
export interface Reported {
  readonly extensions?: readonly string[];
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly forwardPorts?: readonly (number | string)[];
}

/** As the user of the container, in the workspace folder and with its environment. */
export type RunInContainer = (command: readonly string[]) => Promise<Ended>;

/** Begins a part of the probe's output, before its name. */
const part = "\u001e";
/** Stands before the exit code, after a part's text. */
const codeMark = "\u001f";

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** The path for `sh`: `~/` is the user's home. */
const shellPath = (path: string): string =>
  path.startsWith("~/") ? `"$HOME"/${quoted(path.slice(2))}` : quoted(path);

/** Parts by name → what the shell runs. */
function questions(expected: Expectation): Map<string, string> {
  const asked = new Map([
    ["user", "id -un"],
    ["home", 'printf %s "$HOME"'],
    ["workspaceFolder", "pwd"],
    // Field 5 is where something is mounted.
    ["mounts", "cut -d ' ' -f 5 /proc/self/mountinfo"],
  ]);
  for (const name of Object.keys(expected.env ?? {}))
    asked.set(`env ${name}`, `printf %s "\${${name}-(not set)}"`);
  for (const path of Object.keys(expected.files ?? {}))
    asked.set(`file ${path}`, `cat ${shellPath(path)}`);
  expected.checks?.forEach(({ run }, index) =>
    asked.set(`check ${String(index)}`, run),
  );
  return asked;
}

/** The script that asks all of it, for `sh -c`. */
export const probeScript = (expected: Expectation): string =>
  [...questions(expected)]
    .map(
      ([name, run]) =>
        `printf '\\036%s\\n' ${quoted(name)}; sh -c ${quoted(run)} 2>&1 </dev/null; printf '\\037%s' $?`,
    )
    .join("\n");

/** What the script wrote, by part; a part that never came is missing. */
export function partsOf(
  output: string,
): Map<string, { text: string; code: number }> {
  const parts = new Map<string, { text: string; code: number }>();
  for (const piece of output.split(part).slice(1)) {
    const line = piece.indexOf("\n");
    const end = piece.lastIndexOf(codeMark);
    if (line < 0 || end < 0) continue;
    parts.set(piece.slice(0, line), {
      text: piece.slice(line + 1, end).trim(),
      code: Number.parseInt(piece.slice(end + 1), 10),
    });
  }
  return parts;
}

const fits = (text: string, expected: Expected): boolean =>
  typeof expected === "string" ? text === expected.trim() : expected.test(text);

const shown = (text: string): string => {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
};

/** Expectations with their defaults filled in. */
export function placesOf({
  name,
  expected,
}: Pick<Case, "name" | "expected">): Record<
  "user" | "home" | "workspaceFolder",
  string
> {
  const user = expected.user ?? "root";
  return {
    user,
    home: expected.home ?? (user === "root" ? "/root" : `/home/${user}`),
    workspaceFolder: expected.workspaceFolder ?? `/workspaces/${name}`,
  };
}

/** Looks by one call, and answers with what differs; nothing when all is as expected. */
export async function differences(
  one: Case,
  run: RunInContainer,
  reported: Reported,
): Promise<string[]> {
  const { expected } = one;
  const { code, stdout, stderr } = await run([
    "sh",
    "-c",
    probeScript(expected),
  ]);
  const parts = partsOf(stdout);
  if (parts.size === 0)
    return [
      `nothing runs in the container (${String(code)}): ${shown(stderr || stdout)}`,
    ];
  return [
    ...seenDifferences(one, parts),
    ...(expected.checks ?? []).flatMap((check, index) =>
      checkDifference(check, parts.get(`check ${String(index)}`)),
    ),
    ...reportedDifferences(expected, reported),
  ];
}

function seenDifferences(
  one: Case,
  parts: ReadonlyMap<string, { text: string }>,
): string[] {
  const { expected } = one;
  const texts: [string, Expected][] = [
    ...Object.entries(placesOf(one)),
    ...Object.entries(expected.env ?? {}).map(
      ([name, text]): [string, Expected] => [`env ${name}`, text],
    ),
    ...Object.entries(expected.files ?? {}).map(
      ([path, text]): [string, Expected] => [`file ${path}`, text],
    ),
  ];
  const mounted = new Set(parts.get("mounts")?.text.split("\n"));
  return [
    ...texts.flatMap(([name, wanted]) => {
      const text = parts.get(name)?.text;
      if (text !== undefined && fits(text, wanted)) return [];
      return [
        `${name} is “${shown(text ?? "missing")}”, expected ${String(wanted)}`,
      ];
    }),
    ...(expected.mounts ?? [])
      .filter((path) => !mounted.has(path))
      .map((path) => `nothing is mounted at ${path}`),
  ];
}

function checkDifference(
  { what, prints, code = 0 }: Check,
  seen: { text: string; code: number } | undefined,
): string[] {
  if (seen === undefined) return [`${what}: not looked at`];
  if (seen.code === code && (prints === undefined || fits(seen.text, prints)))
    return [];
  return [
    `${what}: exit code ${String(seen.code)}, “${shown(seen.text)}”${prints === undefined ? "" : `, expected ${String(prints)}`}`,
  ];
}

function reportedDifferences(
  { extensions = [], settings = {}, forwardPorts = [] }: Expectation,
  reported: Reported,
): string[] {
  return [
    ...lacking("extension", extensions, reported.extensions),
    ...lacking("forwarded port", forwardPorts, reported.forwardPorts),
    ...Object.entries(settings)
      .filter(
        ([name, value]) =>
          reported.settings !== undefined &&
          JSON.stringify(reported.settings[name]) !== JSON.stringify(value),
      )
      .map(
        ([name]) =>
          `setting ${name} is ${JSON.stringify(reported.settings?.[name])}`,
      ),
  ];
}

const lacking = (
  what: string,
  wanted: readonly (string | number)[],
  there: readonly (string | number)[] | undefined,
): string[] =>
  wanted
    .filter((one) => there !== undefined && !there.includes(one))
    .map((one) => `${what} ${String(one)} is missing`);
