import { expect, test } from "vitest";
import { silentLog } from "../../../../../src/base/log.ts";
import { ContainerBoots } from "../../../../../src/helper/workspaces/container/boots.ts";
import type { Machine } from "../../../../../src/protocol/machines.ts";
import { machine } from "../../../extension/samples.ts";

const runtime = (
  startedAtMs: number,
  way: "cold" | "restored" = "cold",
): NonNullable<Machine["runtime"]> =>
  ({ startedAtMs, way }) as NonNullable<Machine["runtime"]>;
const container = { vmAlias: "gh-web-vm", vmUser: "debian" };
const running = (change: Partial<Machine> = {}): Machine =>
  machine({
    ...{ id: "web", state: { kind: "running", sinceMs: 0 }, container },
    runtime: runtime(1),
    ...change,
  });

function open(
  reached: () => Promise<undefined> = () => Promise.resolve(undefined),
) {
  const looks: string[] = [];
  const boots = new ContainerBoots({
    program: () => Promise.resolve(""),
    // One that has ended meanwhile isn't started for it.
    reach: {
      running: (id) => {
        looks.push(id);
        return reached();
      },
    },
    devContainer: () => undefined,
    mounts: () => Promise.resolve([]),
    log: silentLog,
  });
  return { boots, looks };
}
const { signal } = new AbortController();

test("each boot of a VM with a dev container is looked at once", async () => {
  const { boots, looks } = open();
  boots.changed(running());
  boots.changed(running());
  await boots.settled("web", signal);
  expect(looks).toEqual(["web"]);
  boots.changed(running({ runtime: runtime(2) }));
  expect(looks).toEqual(["web", "web"]);
});

test("a VM without one, one that still boots, and one that goes on from a saved state aren't looked at", async () => {
  const { boots, looks } = open();
  boots.changed(
    machine({ id: "web", state: running().state, runtime: runtime(1) }),
  );
  boots.changed(running({ state: { kind: "stopped", reason: "requested" } }));
  boots.changed(running({ runtime: runtime(1, "restored") }));
  await boots.settled("web", signal);
  expect(looks).toEqual([]);
});

test("whoever waits is let go with their signal, and a failure is nobody's", async () => {
  const stuck = open(() => new Promise(() => undefined));
  stuck.boots.changed(running());
  await stuck.boots.settled("web", AbortSignal.abort());
  await stuck.boots.close();
  const broken = open(() => Promise.reject(new Error("gone")));
  broken.boots.changed(running());
  await broken.boots.settled("web", signal);
});
