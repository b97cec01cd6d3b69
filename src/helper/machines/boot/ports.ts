import { failed, GuesthouseError } from "../../../protocol/failure.ts";
import { type Forward, portInGuest } from "../../../protocol/forwards.ts";
import { freePortsLike } from "../../networks/ports.ts";
import { landingPort } from "../../ssh/config.ts";
import type { MachineRecord } from "../../store/records.ts";

export interface Ports {
  readonly sshPort: number;
  readonly forwards: Forward[];
}

export async function choosePorts(record: MachineRecord): Promise<Ports> {
  const open = record.forwards.filter(({ hostPort }) => hostPort === 0);
  const [sshPort = 0, ...rest] = await freePortsLike([
    0,
    ...open.map(preferredFor),
  ]);
  const forwards = record.forwards.map((forward) =>
    forward.hostPort === 0
      ? { ...forward, hostPort: rest.shift() ?? 0 }
      : forward,
  );
  return { sshPort, forwards };
}

/** People look for a server under the number that its project gives it. */
const preferredFor = (forward: Forward): number =>
  forward.guestPort < firstOrdinaryPort || portInGuest(forward) === landingPort
    ? 0
    : forward.guestPort;

/** Those below it are for root. */
const firstOrdinaryPort = 1024;

export const isPortTaken = (error: unknown): boolean =>
  error instanceof GuesthouseError &&
  error.failure.code === "machines.portTaken";

export const portTaken = (
  wanted: readonly Forward[],
  cause: unknown,
): GuesthouseError =>
  failed(
    "machines.portTaken",
    `A port of this host that the machine forwards is in use: ${wanted.map(({ hostPort }) => String(hostPort)).join(" or ")}.`,
    {
      remedy:
        "End the program that listens there, or give the machine another port.",
      actions: ["retry"],
      cause,
    },
  );
