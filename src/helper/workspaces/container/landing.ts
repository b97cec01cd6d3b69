/*
 * Where connections to a container VM's alias end: inside its dev container, as its user. Finds out who that is, and tells the
 * landing in the VM (resources/guest/landing). Called by `up/container.ts` after each run of the reference implementation.
 */
import { createHash, randomUUID } from "node:crypto";
import * as z from "zod";
import { visible } from "../../../base/visible.ts";
import { failed } from "../../../protocol/failure.ts";
import type { SshSession } from "../../ssh/session.ts";
import type { Relay } from "../devcontainer/ports.ts";
import { substitute, type VariableValues } from "../devcontainer/variables.ts";
import { parseEnvironment, type Environment } from "../guest/environment.ts";
import { must } from "../guest/must.ts";
import { type EnginePorts, readRunning } from "./published.ts";
import {
  describeScript,
  landingReadyScript,
  landScript,
} from "./guestScripts.ts";

/** What connections end in. */
export interface ContainerUser {
  readonly user: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

export interface Described extends ContainerUser {
  /** Changes with each start of the container; 36 hex digits and hyphens, like a boot's id. */
  readonly startId: string;
  /** Its C library isn't the one that VS Code's server needs. */
  readonly isMusl: boolean;
  /** Nothing can be written into its own file system. */
  readonly isReadOnly: boolean;
  readonly environment: Environment;
  /** What it and its services publish in the VM. */
  readonly engine: EnginePorts;
}

/** Asks the container for its user, by name or number. */
export async function describeContainer(
  session: SshSession,
  container: string,
  user: string,
  signal: AbortSignal,
): Promise<Described> {
  const mark = randomUUID();
  const result = await session.exec(
    describeScript(container, user, mark),
    {},
    signal,
  );
  // A container without a shell can still be landed in: the landing brings its own.
  if (result.code !== 0 && !result.stdout.includes("started="))
    await must("looking at the container", Promise.resolve(result));
  return parseDescription(result.stdout, user, mark);
}

/** Pure. What the container says is taken only where it has the form of an answer. */
export function parseDescription(
  printed: string,
  user: string,
  mark: string,
): Described {
  const [head = "", environment = ""] = printed.split(mark);
  const said = head
    .split("\n")
    .map((line) => line.split("="))
    .map(([name = "", ...value]) => [name, value.join("=")] as const);
  const values = new Map(said);
  const [name = "", group = ""] = user.split(":");
  const entry = passwdEntry(values.get("passwd") ?? "");
  const fallback: ContainerUser = {
    user: name === "" ? "root" : name,
    uid: numberOr(name, 0),
    gid: numberOr(group, 0),
    home: "/",
    shell: "/bin/sh",
  };
  return {
    ...(entry ?? fallback),
    startId: startIdOf(values.get("started") ?? ""),
    isMusl: values.get("libc") === "musl",
    isReadOnly: values.get("readonly") === "yes",
    environment: parseEnvironment(environment),
    engine: {
      container: values.get("id") ?? "",
      network: values.get("network") ?? "",
      running: readRunning(
        said.flatMap(([each, value]) => (each === "running" ? [value] : [])),
      ),
    },
  };
}

function passwdEntry(line: string): ContainerUser | undefined {
  const [user = "", , uid = "", gid = "", , home = "", shell = ""] =
    line.split(":");
  if (!/^\d+$/.test(uid) || !/^\d+$/.test(gid) || user === "") return undefined;
  return {
    user,
    uid: Number(uid),
    gid: Number(gid),
    home: home.startsWith("/") ? home : "/",
    shell: shell.startsWith("/") ? shell : "/bin/sh",
  };
}

const numberOr = (text: string, fallback: number): number =>
  /^\d+$/.test(text) ? Number(text) : fallback;

/** In the form of a boot's id, as it stands for one where commands are remembered. */
export const startIdOf = (startedAt: string): string =>
  createHash("sha256")
    .update(startedAt)
    .digest("hex")
    .slice(0, 32)
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");

/** What the landing's commands print. */
const landingAnswer = z.looseObject({
  ok: z.boolean().optional(),
  message: z.string().optional(),
  container: z.string().optional(),
});

/** Leads connections into the container from now on. */
export async function land(
  session: SshSession,
  target: ContainerUser & {
    readonly container: string;
    readonly workspaceFolder: string;
    /** Ports of the VM that lead into it or to its services. */
    readonly relays: readonly Relay[];
    readonly environment: Environment;
  },
  signal: AbortSignal,
): Promise<void> {
  const { code, stdout, stderr } = await session.exec(
    landScript(),
    { stdin: JSON.stringify(target) },
    signal,
  );
  if (code === 0) return;
  const answer = readAnswer(stdout);
  throw failed(
    "workspaces.setupFailed",
    `SSH into the dev container couldn't be set up: ${visible(answer?.message ?? (stderr.trim() || `exit code ${String(code)}`))}.`,
    {
      remedy:
        "The VM and the container are kept, and the VM itself can be reached by its own alias. Try again.",
      actions: ["retry", "showLog"],
    },
  );
}

/** Whether connections lead into this container now. */
export async function isLanded(
  session: SshSession,
  container: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { code, stdout } = await session.exec(landingReadyScript(), {}, signal);
  const answer = code === 0 ? readAnswer(stdout) : undefined;
  return answer?.ok === true && answer.container === container;
}

function readAnswer(
  printed: string,
): z.output<typeof landingAnswer> | undefined {
  for (const line of printed.trimEnd().split("\n").reverse()) {
    try {
      return landingAnswer.parse(JSON.parse(line));
    } catch {
      // Something else was printed there.
    }
  }
  return undefined;
}

const remoteEnvSchema = z.record(z.string(), z.string().nullable());

/** `remoteEnv` of a merged configuration, with the container's variables filled in. Pure. */
export function remoteEnvOf(
  merged: Readonly<Record<string, unknown>> | undefined,
  containerEnv: Environment,
  values: VariableValues,
): Record<string, string | null> {
  const read = remoteEnvSchema.safeParse(merged?.["remoteEnv"] ?? {});
  return read.success ? substitute(read.data, { ...values, containerEnv }) : {};
}
