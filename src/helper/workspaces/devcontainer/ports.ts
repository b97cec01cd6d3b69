import { given } from "../../../base/given.ts";
import { visible } from "../../../base/visible.ts";
import type { Forward } from "../../../protocol/forwards.ts";
import type { Devcontainer } from "./model.ts";
import { isIgnored, type PortOf, type PortsOfFile } from "./portAttributes.ts";
import type { ConfigWarning } from "./review.ts";

/**
 * Forwards of `forwardPorts`, each from whatever port of the loopback is free: a number that the host's own servers may
 * take one day would keep the VM from starting. Pure.
 */
export function forwardsOf({
  forwardPorts = [],
  ...attributes
}: ForwardsOfFile): {
  readonly forwards: Forward[];
  readonly warnings: ConfigWarning[];
} {
  const warnings: ConfigWarning[] = [];
  const guestPorts = new Set<number>();
  for (const [index, port] of forwardPorts.entries()) {
    const property = `forwardPorts[${String(index)}]`;
    const number = guestPort(port);
    if (number === undefined)
      warnings.push({
        property,
        message: `forwardPorts: “${visible(String(port))}” is no port of the guest; it is not forwarded.`,
      });
    else if (isIgnored(attributes, { guestPort: number }))
      warnings.push(ignoredWarning(property, port));
    // sshd's is forwarded anyway.
    else if (number !== 22) guestPorts.add(number);
  }
  return {
    forwards: [...guestPorts].map(forwardOf),
    warnings,
  };
}

function guestPort(port: number | string): number | undefined {
  const [, text] =
    /^(?:(?:localhost|127\.0\.0\.1):)?(\d+)$/.exec(String(port)) ?? [];
  return portOf(text);
}

/** A port in a dev container, or of one of its services, that a VM's port leads to. */
export interface Relay {
  /** The VM's. */
  readonly listen: number;
  /** As the container's name resolution knows it. */
  readonly host: string;
  readonly port: number;
}

/**
 * `forwardPorts` of a dev container, also of its services (`db:5432`), through the landing. Each takes a port of the VM that
 * nothing else has: those by its own number are for what containers publish there. Pure.
 */
export function containerPorts({
  forwardPorts = [],
  ...attributes
}: ForwardsOfFile): {
  readonly forwards: Forward[];
  readonly relays: Relay[];
  readonly warnings: ConfigWarning[];
} {
  const found = new Map<string, PortOf>();
  const warnings: ConfigWarning[] = [];
  for (const [index, wanted] of forwardPorts.entries()) {
    const property = `forwardPorts[${String(index)}]`;
    const [, host = "localhost", text] =
      /^(?:([A-Za-z0-9._-]+):)?(\d+)$/.exec(String(wanted)) ?? [];
    const guestPort = portOf(text);
    if (guestPort === undefined) {
      warnings.push({
        property,
        message: `forwardPorts: “${visible(String(wanted))}” isn't a port; it isn't forwarded.`,
      });
      continue;
    }
    const port =
      host === "localhost" || host === ownHost
        ? { guestPort }
        : { guestPort, host };
    if (isIgnored(attributes, port))
      warnings.push(ignoredWarning(property, wanted));
    else found.set(`${port.host ?? ""}:${String(guestPort)}`, port);
  }
  const relays = [...found.values()].map(
    ({ guestPort, host = ownHost }, at) => ({
      listen: firstRelayPort + at,
      ...{ host, port: guestPort },
    }),
  );
  const forwards = [...found.values()].map(
    ({ guestPort, host }, at): Forward => ({
      ...forwardOf(guestPort),
      via: firstRelayPort + at,
      ...given({ host }),
    }),
  );
  return { forwards, relays, warnings };
}

type ForwardsOfFile = Pick<Devcontainer, "forwardPorts"> & PortsOfFile;

const ignoredWarning = (
  property: string,
  port: number | string,
): ConfigWarning => ({
  property,
  message: `forwardPorts: “${visible(String(port))}” isn't forwarded, as its portsAttributes say "onAutoForward": "ignore".`,
});

const ownHost = "127.0.0.1";

/** Above the numbers that Linux and the engine give away by themselves. */
const firstRelayPort = 61_000;

const forwardOf = (guestPort: number): Forward => ({
  hostPort: 0,
  guestPort,
  protocol: "tcp",
});

function portOf(text: string | undefined): number | undefined {
  const number = Number(text ?? 0);
  return number > 0 && number < 65_536 ? number : undefined;
}
