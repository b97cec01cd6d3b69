/*
 * How services are found by what a person calls them, and how it's told that one isn't well: one wording for `up`, `logs` and
 * failures. Pure.
 */
import { visible } from "../../../base/visible.ts";
import type { Service } from "../../../protocol/containers.ts";
import { refused } from "../../../protocol/failure.ts";
import { isAmiss, titleOfService } from "../../../protocol/serviceHealth.ts";
import type { ListedService } from "./engine.ts";

/** What stands for the dev container, unless a service is called so. */
const mainName = "container";

/** By its Compose service, its container's name or the beginning of its id. Refuses with what there is. */
export function findService(
  services: readonly Service[],
  wanted: string | undefined,
): Service {
  const main = services.find(({ devContainer }) => devContainer);
  const found =
    wanted === undefined
      ? main
      : (services.find(({ service }) => service === wanted) ??
        services.find(
          ({ name, id }) =>
            name === wanted || (wanted.length >= 6 && id.startsWith(wanted)),
        ) ??
        (wanted === mainName ? main : undefined));
  if (found !== undefined) return found;
  if (services.length === 0)
    throw refused(
      "machines.wrongState",
      "There are no containers in this VM yet.",
      { remedy: "Bring its folder up first." },
    );
  const names = services.map((each) => visible(titleOfService(each)));
  throw refused(
    "request.invalid",
    `There is no ${wanted === undefined ? "dev container" : `service “${visible(wanted)}”`}; there ${names.length === 1 ? "is" : "are"}: ${names.join(", ")}.`,
    { remedy: "Give one of these names." },
  );
}

/** `exited with code 137`, `is unhealthy`, …: what follows its name. */
export function conditionOf({ state, exitCode, health }: Service): string {
  const code = exitCode === undefined ? "" : ` with code ${String(exitCode)}`;
  switch (state) {
    case "running":
      return health === undefined ? "is running" : `is ${health}`;
    case "exited":
      return `exited${code}`;
    case "restarting":
      return `exits${code} again and again`;
    case "created":
      return "was never started";
    case "dead":
      return "couldn't be removed by the engine";
    case "paused":
      return "is paused";
    case "removing":
      return "is being removed";
  }
}

const linesOf = (tail: readonly string[]): string =>
  tail.map((line) => `    ${visible(line)}`).join("\n");

/** What follows a sentence about a service. */
const lastWords = (tail: readonly string[]): string =>
  tail.length === 0 ? "" : ` Its last output:\n${linesOf(tail)}`;

/** A sentence for each service beside the dev container that isn't well, with how to see more. `told` are left out. */
export const mishapsOf = (
  listed: readonly ListedService[],
  machine: string,
  told: ReadonlySet<string> = new Set(),
): string[] =>
  listed
    .filter(
      ({ service }) =>
        !service.devContainer && isAmiss(service) && !told.has(service.id),
    )
    .map(({ service, tail }) => {
      const name = visible(titleOfService(service));
      return `The service “${name}” ${conditionOf(service)}. See its whole log with: guesthouse logs ${machine} ${name}.${lastWords(tail)}`;
    });

/** Why a container didn't come up, as far as one of its services is to blame: a sentence without its stop, and its output. */
export function blameOf(
  listed: readonly ListedService[],
): { readonly why: string; readonly tail: readonly string[] } | undefined {
  // A service that others wait for is to blame before those that were therefore never started.
  const amiss = listed.filter(({ service }) => isAmiss(service));
  const [first] = [
    ...amiss.filter(({ service }) => service.state !== "created"),
    ...amiss,
  ];
  return first === undefined
    ? undefined
    : {
        why: `the service “${visible(titleOfService(first.service))}” ${conditionOf(first.service)}`,
        tail: first.tail,
      };
}

/** All of them for the log, a line each. */
export const stateLines = (listed: readonly ListedService[]): string =>
  listed
    .map(
      ({ service, tail }) =>
        `${visible(titleOfService(service))} ${conditionOf(service)}\n${tail.length === 0 ? "" : `${linesOf(tail)}\n`}`,
    )
    .join("");
