import { describe, expect, test } from "vitest";
import { parseDescription } from "../../../../../src/helper/workspaces/container/landing.ts";
import { mergedPorts } from "../../../../../src/helper/workspaces/container/merged.ts";
import {
  decidePorts,
  type EnginePorts,
  readRunning,
} from "../../../../../src/helper/workspaces/container/published.ts";
import type { Relay } from "../../../../../src/helper/workspaces/devcontainer/ports.ts";

const id = (digit: string): string => digit.repeat(64);
const line = (digit: string, labels: string, ports: string): string =>
  `${id(digit)}|${labels}|${ports}`;
const engine = (
  lines: readonly string[],
  network = "shop_default",
): EnginePorts => ({
  ...{ container: id("a"), network },
  running: readRunning(lines),
});
const decide = (
  lines: readonly string[],
  relays: readonly Relay[] = [],
  network?: string,
) => decidePorts(engine(lines, network), relays, {});

describe("ports that containers publish", () => {
  test("in every form that the engine lists: both families, ranges, loopback, one address, none", () => {
    const { published, notes } = decide([
      line("a", "shop|app", "127.0.0.1:5000->5000/tcp, 5432/tcp"),
      line(
        "b",
        "shop|web",
        "0.0.0.0:8080->80/tcp, :::8080->80/tcp, 0.0.0.0:3000-3001->4000-4001/tcp, [::]:3000-3001->4000-4001/tcp, 0.0.0.0:5353->53/udp, 172.17.0.1:99->99/tcp",
      ),
      line("c", "shop|six", ":::7000->7000/tcp"),
    ]);
    expect(
      published.map(({ address, port, guestPort, host }) =>
        [address, port, guestPort, host].join(" "),
      ),
    ).toEqual([
      "172.17.0.1 99 99 web",
      "127.0.0.1 3000 4000 web",
      "127.0.0.1 3001 4001 web",
      "127.0.0.1 5000 5000 ",
      "::1 7000 7000 six",
      "127.0.0.1 8080 80 web",
    ]);
    expect(notes).toEqual([
      "Port 5353/udp is published in the VM only: UDP isn't forwarded to this computer.",
    ]);
  });

  test("a number that the engine chose differs for IPv6, and is one port", () => {
    const { published } = decide([
      line("a", "|", "0.0.0.0:32768->80/tcp, :::32769->80/tcp"),
    ]);
    expect(published.map(({ port }) => port)).toEqual([32_768]);
  });

  test("only those of the workspace's containers", () => {
    const { published } = decide([
      line("a", "|", "0.0.0.0:1->1/tcp"),
      line("b", "other|web", "0.0.0.0:2->2/tcp"),
      line("c", "|", "0.0.0.0:3->3/tcp"),
    ]);
    expect(published.map(({ port }) => port)).toEqual([1]);
    expect(readRunning(["nonsense", "$(x)|a|b|0.0.0.0:1->1/tcp"])).toEqual([]);
    expect(
      readRunning([line("a", "|", "0.0.0.0:9->99999/tcp")])[0]?.ports,
    ).toEqual([]);
  });

  const relay = (host: string, port: number): Relay => ({
    ...{ listen: 61_000, host, port },
  });

  test("what forwardPorts forwards already is one forward", () => {
    const web = line("b", "shop|web", "0.0.0.0:80->80/tcp");
    const app = line("a", "shop|app", "0.0.0.0:3000->3000/tcp");
    const relays = [relay("web", 80), relay("127.0.0.1", 3000)];
    expect(decide([app, web], relays)).toEqual({
      ...{ published: [], relays, notes: [] },
    });
    // By another number it is to be had by that, too.
    const other = line("b", "shop|web", "0.0.0.0:8080->80/tcp");
    expect(decide([app, other], relays).published).toMatchObject([
      { port: 8080, guestPort: 80, host: "web" },
    ]);
  });

  test("a number of forwardPorts that a service publishes leads to the service", () => {
    const lines = [
      line("a", "shop|app", ""),
      line("b", "shop|db", "0.0.0.0:5432->5432/tcp, :::5432->5432/tcp"),
    ];
    const { published, relays, notes } = decide(lines, [
      relay("127.0.0.1", 5432),
    ]);
    expect(published).toEqual([]);
    expect(relays).toEqual([relay("db", 5432)]);
    expect(notes).toHaveLength(1);
  });

  test("a service whose network the dev container is in is the dev container itself", () => {
    const { relays, published } = decide(
      [
        line("a", "shop|app", ""),
        line("b", "shop|db", "0.0.0.0:5432->5432/tcp"),
      ],
      [relay("127.0.0.1", 5432)],
      `container:${id("b")}`,
    );
    expect(relays).toEqual([relay("127.0.0.1", 5432)]);
    expect(published).toEqual([]);
  });

  test("a port that the file wants left alone isn't forwarded", () => {
    const running = engine([
      line("a", "shop|app", "0.0.0.0:1->1/tcp, 0.0.0.0:2->2/tcp"),
    ]);
    const attributes = {
      portsAttributes: { "1": { onAutoForward: "ignore" as const } },
      otherPortsAttributes: { onAutoForward: "ignore" as const },
    };
    expect(
      decidePorts(running, [], attributes).published.map(({ port }) => port),
    ).toEqual([2]);
  });

  test("they're read from the container's description", () => {
    const { engine: described } = parseDescription(
      `started=x\nnetwork=host\nid=${id("a")}\nrunning=${line("a", "p|s", "1/tcp")}\nrunning=${line("b", "p|t", "")}\npasswd=\nMARK`,
      "root",
      "MARK",
    );
    expect(described).toMatchObject({ container: id("a"), network: "host" });
    expect(described.running.map(({ service }) => service)).toEqual(["s", "t"]);
  });
});

test("of a merged file's attributes, those without the specification's form are left out", () => {
  expect(
    mergedPorts({
      portsAttributes: { "1": { label: "One" }, "2": { label: 5 } },
      otherPortsAttributes: { onAutoForward: "loudly" },
    }),
  ).toEqual({ portsAttributes: { "1": { label: "One" } } });
  expect(mergedPorts({ portsAttributes: 5 })).toEqual({});
});
