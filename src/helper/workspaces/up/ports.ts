/*
 * What a machine's record says of its ports after an `up`: those that containers publish, and what the folder's file calls
 * them. Tells where a port isn't at its own number on this computer. Called by the stages that know the ports.
 */
import { visible } from "../../../base/visible.ts";
import { type Forward, portInGuest } from "../../../protocol/forwards.ts";
import type { Machine } from "../../../protocol/machines.ts";
import type { PublishedPort } from "../../store/records.ts";
import {
  attributesOf,
  nameOf,
  type PortsOfFile,
} from "../devcontainer/portAttributes.ts";
import type { UpRun } from "./run.ts";

/** Has them written down and carried, and tells what is to be told. */
export async function notePorts(
  { deps, plan, tell }: Pick<UpRun, "deps" | "plan" | "tell">,
  machine: Pick<Machine, "id">,
  {
    published,
    attributes,
  }: {
    readonly published: readonly PublishedPort[];
    readonly attributes: PortsOfFile;
  },
): Promise<void> {
  const named = [...plan.forwards, ...published].flatMap(
    ({ guestPort, host }) => nameOf(attributes, { guestPort, host }) ?? [],
  );
  const { runtime } = await deps.machines.notePorts(machine.id, {
    published: [...published],
    named,
  });
  tell(portNotes(runtime?.forwards ?? [], published, attributes));
}

/** A sentence on each port that has another number here and shouldn't: published, or required by the file. Pure. */
export const portNotes = (
  forwards: readonly Forward[],
  published: readonly PublishedPort[],
  attributes: PortsOfFile,
): string[] =>
  forwards.flatMap((forward) => {
    const { hostPort, guestPort, host, via } = forward;
    const isPublished = published.some(
      (each) =>
        each.port === via && each.guestPort === guestPort && each.host === host,
    );
    const number = isPublished ? portInGuest(forward) : guestPort;
    if (hostPort === number) return [];
    const where = `Port ${String(number)}${host === undefined ? "" : ` of ${visible(host)}`} is at 127.0.0.1:${String(hostPort)}`;
    const why =
      number < firstOrdinaryPort
        ? "ports below 1024 are for administrators"
        : `${String(number)} is taken on this computer`;
    if (attributesOf(attributes, forward).requireLocalPort === true)
      return [
        `Warning: ${where}, although the file requires its own number (requireLocalPort): ${why}. ${
          number < firstOrdinaryPort
            ? "Give the server a higher port."
            : "End the program that has it, then stop the VM and bring the folder up again."
        }`,
      ];
    return isPublished ? [`${where}: ${why}.`] : [];
  });

const firstOrdinaryPort = 1024;
