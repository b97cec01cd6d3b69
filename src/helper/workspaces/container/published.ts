/*
 * Which ports the containers of a workspace publish in its VM, as the engine says once they run: `runArgs`, `appPort` and
 * Compose's `ports` in all their forms come to the same there. Decides which of them this computer is to have beside those of
 * `forwardPorts`. Called by `up/ports.ts`. Pure.
 */
import { given } from "../../../base/given.ts";
import type { PublishedPort } from "../../store/records.ts";
import {
  isIgnored,
  type PortOf,
  type PortsOfFile,
} from "../devcontainer/portAttributes.ts";
import type { Relay } from "../devcontainer/ports.ts";

/** A container of the workspace that runs. */
export interface RunningContainer {
  readonly id: string;
  /** Compose's, both absent for a container by itself. */
  readonly project?: string;
  readonly service?: string;
  readonly ports: readonly EnginePort[];
}

export interface EnginePort {
  readonly protocol: string;
  /** Of the VM; absent where a server on all addresses has it. */
  readonly address?: string;
  readonly port: number;
  /** The container's. */
  readonly guestPort: number;
}

/** What the engine says of the workspace's containers. */
export interface EnginePorts {
  /** The dev container's id, and its network: `bridge`, `host`, `container:ID`. */
  readonly container: string;
  readonly network: string;
  readonly running: readonly RunningContainer[];
}

/** `docker ps` for `readRunning`: one container a line. */
export const runningFormat =
  '{{.ID}}|{{.Label "com.docker.compose.project"}}|{{.Label "com.docker.compose.service"}}|{{.Ports}}';

/** What `docker ps` printed by `runningFormat`. A line without that form says nothing. */
export const readRunning = (lines: readonly string[]): RunningContainer[] =>
  lines.flatMap((line) => {
    const [, id, project = "", service = "", ports = ""] =
      /^([0-9a-f]{12,64})\|([^|]*)\|([^|]*)\|(.*)$/.exec(line) ?? [];
    if (id === undefined) return [];
    return [
      {
        id,
        ...(project === "" ? {} : { project }),
        ...(service === "" ? {} : { service }),
        ports: withoutTwins(
          ports.split(",").flatMap((each) => readPorts(each.trim())),
        ),
      },
    ];
  });

const most = 65_536;

/** A port on all addresses is listed for IPv6 as well, and by another number where the engine chose it. */
const withoutTwins = (ports: readonly EnginePort[]): EnginePort[] =>
  ports.filter(
    ({ address, protocol, guestPort }) =>
      address !== loopback6 ||
      !ports.some(
        (other) =>
          other.address === undefined &&
          other.protocol === protocol &&
          other.guestPort === guestPort,
      ),
  );

const loopback6 = "::1";
/** What a connection within the VM takes for it; absent: its IPv4 loopback. */
const addressOf = (host: string): string | undefined => {
  const address = host.replace(/^\[(.*)\]$/, "$1");
  if (address === "" || address === "0.0.0.0") return undefined;
  return address === "::" ? loopback6 : address;
};

/** `0.0.0.0:8080->80/tcp`, `127.0.0.1:3000-3005->3000-3005/tcp`, `:::53->53/udp`, `[::]:…`; `5432/tcp` isn't published. */
function readPorts(text: string): EnginePort[] {
  const [, host = "", first, last = first, guest, protocol = "tcp"] =
    /^(?:(.*):)?(\d+)(?:-(\d+))?->(\d+)(?:-\d+)?\/([a-z]+)$/.exec(text) ?? [];
  if (first === undefined || guest === undefined) return [];
  const address = addressOf(host);
  const count = Number(last) - Number(first) + 1;
  return Array.from(
    { length: Math.max(0, Math.min(count, most)) },
    (_, at) => ({
      protocol,
      ...given({ address }),
      port: Number(first) + at,
      guestPort: Number(guest) + at,
    }),
  ).filter(({ port, guestPort }) => port < most && guestPort < most);
}

export interface DecidedPorts {
  readonly published: readonly PublishedPort[];
  readonly relays: readonly Relay[];
  readonly notes: readonly string[];
}

/** More than a landing takes relays, and more than anybody looks at. */
const mostPorts = 256;

/**
 * Each published TCP port once. One that `forwardPorts` names too is one forward: where another service publishes the number,
 * its relay leads there, as it would with the engine on this computer.
 */
export function decidePorts(
  engine: EnginePorts,
  wanted: readonly Relay[],
  file: PortsOfFile,
): DecidedPorts {
  const published = new Map<number, PublishedPort>();
  const relays = [...wanted];
  const notes = new Set<string>();
  const own = engine.running.find(({ id }) => isSame(id, engine.container));
  for (const container of engine.running.filter(
    (each) =>
      each === own ||
      (own?.project !== undefined && each.project === own.project),
  ))
    for (const { protocol, port, guestPort, address } of container.ports) {
      const isOwn =
        container === own ||
        engine.network === `container:${container.id}` ||
        (engine.network.startsWith("container:") &&
          isSame(container.id, engine.network.slice("container:".length)));
      const host = isOwn ? undefined : container.service;
      if (protocol !== "tcp") {
        notes.add(
          `Port ${String(port)}/${protocol} is published in the VM only: ${protocol.toUpperCase()} isn't forwarded to this computer.`,
        );
        continue;
      }
      if (isIgnored(file, { host, guestPort }) || published.has(port)) continue;
      if (relays.some((relay) => leadsTo(relay, { host, guestPort }, port)))
        continue;
      const same = relays.findIndex(
        (relay) => relay.host === ownHost && relay.port === port,
      );
      const relay = relays[same];
      if (relay !== undefined && host !== undefined && hasNames(engine)) {
        relays[same] = { listen: relay.listen, host, port: guestPort };
        notes.add(
          `Port ${String(port)} of forwardPorts leads to the service ${host}, which publishes it.`,
        );
        continue;
      }
      published.set(port, {
        address: address ?? "127.0.0.1",
        ...{ port, guestPort },
        ...given({ host }),
      });
    }
  const all = [...published.values()].sort((a, b) => a.port - b.port);
  if (all.length > mostPorts)
    notes.add(
      `The containers publish ${String(all.length)} ports in the VM; the first ${String(mostPorts)} are forwarded to this computer.`,
    );
  return { published: all.slice(0, mostPorts), relays, notes: [...notes] };
}

const ownHost = "127.0.0.1";

/** To this very port of the same container; one that is published by another number is to be had by that as well. */
const leadsTo = (
  relay: Relay,
  { host = ownHost, guestPort }: PortOf,
  port: number,
): boolean =>
  relay.port === guestPort && relay.host === host && port === guestPort;

/** Services know each other by name in networks of their own only. */
const hasNames = ({ network }: EnginePorts): boolean =>
  !["host", "none", "bridge", "default"].includes(network);

const isSame = (one: string, other: string): boolean =>
  one !== "" &&
  other !== "" &&
  (one.startsWith(other) || other.startsWith(one));
