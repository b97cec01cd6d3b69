/*
 * What is asked of a VM's container engine, over a connection to the VM: one short program (resources/guest/containers) that
 * speaks to the engine's socket. What it prints comes out of a guest and is checked. Called by `services.ts`, `boots.ts` and
 * `up/container.ts`.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { type Service, serviceSchema } from "../../../protocol/containers.ts";
import { shellCommand } from "../../ssh/quote.ts";
import type { SshSession } from "../../ssh/session.ts";
import { must } from "../guest/must.ts";

/** The program's text. */
export type EngineProgram = () => Promise<string>;

/** Of the product's `resources/`. */
export const engineProgramIn =
  (resources: string): EngineProgram =>
  () =>
    readFile(join(resources, "guest", "containers", "engine.py"), "utf8");

/** A session in the VM, and what is run over it. */
export interface Engine {
  readonly session: SshSession;
  readonly program: EngineProgram;
}

/** A service, and the last lines of its log where it doesn't run well and they were asked for. */
export interface ListedService {
  readonly service: Service;
  readonly tail: readonly string[];
}

/** The line that runs the program in the VM. */
export const engineCommand = (
  program: string,
  args: readonly string[],
): string => shellCommand(["python3", "-IS", "-c", program, ...args]);

async function ask(
  what: string,
  { session, program }: Engine,
  args: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  const line = engineCommand(await program(), args);
  const { stdout } = await must(what, session.exec(line, {}, signal));
  return stdout;
}

const labelNames = {
  project: "com.docker.compose.project",
  service: "com.docker.compose.service",
  oneOff: "com.docker.compose.oneoff",
  folder: "devcontainer.local_folder",
} as const;

const listedSchema = z.array(
  z.looseObject({
    id: z.string().regex(/^[0-9a-f]{12,64}$/),
    name: z.string(),
    image: z.string(),
    state: serviceSchema.shape.state,
    /** For people: `Up 5 minutes (healthy)`, `Exited (137) 3 minutes ago`. */
    status: z.string(),
    labels: z.record(z.string(), z.string()),
    tail: z.array(z.string()).optional(),
  }),
);
type Listed = z.output<typeof listedSchema>[number];

/**
 * The containers of the VM's workspace, the dev container first. `dev` is its id, where it is known. `tailLines` of their
 * logs come with those that don't run well.
 */
export async function listServices(
  engine: Engine,
  dev: string | undefined,
  tailLines: number,
  signal: AbortSignal,
): Promise<ListedService[]> {
  const args = ["list", String(tailLines)];
  const printed = await ask("listing the containers", engine, args, signal);
  return servicesIn(printed, dev);
}

/** Pure. Containers that were started otherwise, as from within the dev container, are nobody's service. */
export const servicesIn = (
  printed: string,
  dev: string | undefined,
): ListedService[] =>
  servicesAmong(listedSchema.parse(JSON.parse(printed)), dev);

function servicesAmong(
  all: readonly Listed[],
  dev: string | undefined,
): ListedService[] {
  const main =
    all.find(({ id }) => id === dev) ??
    all.find(({ labels }) => labels[labelNames.folder] !== undefined);
  const project = main?.labels[labelNames.project];
  const isOfProject = ({ labels }: Listed): boolean =>
    labels[labelNames.oneOff] !== "True" &&
    (main === undefined
      ? labels[labelNames.project] !== undefined
      : project !== undefined && labels[labelNames.project] === project);
  return all
    .filter((each) => each === main || isOfProject(each))
    .map((each) => ({
      service: serviceOf(each, each === main),
      tail: each.tail ?? [],
    }))
    .sort(({ service: a }, { service: b }) =>
      a.devContainer === b.devContainer
        ? (a.service ?? a.name).localeCompare(b.service ?? b.name)
        : Number(b.devContainer) - Number(a.devContainer),
    );
}

function serviceOf(
  { id, name, image, state, status, labels }: Listed,
  devContainer: boolean,
): Service {
  const service: Service = { id, name, image, state, devContainer };
  const inCompose = labels[labelNames.service];
  if (inCompose !== undefined) service.service = inCompose;
  const exitCode = /^(?:Exited|Restarting) \((\d+)\)/.exec(status)?.[1];
  if (exitCode !== undefined) service.exitCode = Number(exitCode);
  const health = /\((?:health: )?(starting|healthy|unhealthy)\)/.exec(status);
  if (state === "running" && health !== null)
    service.health = health[1] as NonNullable<Service["health"]>;
  return service;
}

const startedSchema = z.looseObject({
  startedAt: z.string().optional(),
  containers: listedSchema.optional(),
});

/** What finds the dev container where its id isn't known, as in a fork. */
export const anyDevContainer = "-";

/** How a container is started. */
export interface ContainerStart {
  readonly when: "boot" | "always";
  /** Where folders of this computer were mounted since the engine started others by itself. */
  readonly mounted?: readonly string[];
  /** The services after that are asked for as well, with as many lines as `listServices` takes. */
  readonly tailLines?: number;
}

/** A container that runs. */
export interface Started {
  /** Its start's time as the engine spells it. */
  readonly startedAt: string;
  /** Empty where they weren't asked for. */
  readonly services: readonly ListedService[];
}

/**
 * Starts the dev container, and what Compose has beside it: `boot` only if the VM's last shutdown ended it, `always` also
 * if it ended since. Those that run and don't see what is `mounted` are started again. Undefined when it isn't there or
 * doesn't run.
 */
export async function startContainer(
  engine: Engine,
  container: string,
  { when, mounted = [], tailLines }: ContainerStart,
  signal: AbortSignal,
): Promise<Started | undefined> {
  const lines = tailLines === undefined ? "-" : String(tailLines);
  const args = ["start", container, when, lines, ...mounted];
  const printed = await ask("starting the container", engine, args, signal);
  const { startedAt = "", containers = [] } = startedSchema.parse(
    JSON.parse(printed),
  );
  return startedAt === ""
    ? undefined
    : { startedAt, services: servicesAmong(containers, container) };
}
