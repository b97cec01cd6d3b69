import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Machine } from "../../src/protocol/machines.ts";
import { eventually, type Household, household } from "./household.ts";
import { runInGuest } from "./inGuest.ts";
import { describeNetworkHeal } from "./networkHeal.ts";
import { shape, warmUp } from "./warmGuests.ts";

/* Copies of a running machine, with its processes. */

let house: Household;
let machine: Machine;

const read = async (alias: string, command: string): Promise<string> =>
  (await runInGuest(house, { alias }, command)).trim();

beforeAll(async () => {
  house = await household();
  await warmUp(house);
  machine = await house.json<Machine>(["create", "parent", ...shape]);
});

afterAll(async () => {
  await house[Symbol.asyncDispose]();
});

describe("forks", () => {
  test("a counter goes on in parent and child, and an open connection to the parent survives", async () => {
    const { alias, name } = machine;
    await read(
      alias,
      "nohup sh -c 'i=0; until [ -e enough ]; do i=$((i+1)); echo $i > count; sleep 0.2; done' > /dev/null 2>&1 &",
    );
    const open = execa(
      "ssh",
      ["-F", house.sshConfig, alias, "while :; do cat count; sleep 0.5; done"],
      { reject: false, buffer: false },
    );
    let lines = 0;
    open.stdout.on("data", () => lines++);
    try {
      await eventually("the counter's start", 30_000, () =>
        Promise.resolve(lines > 2 ? true : undefined),
      );
      const before = Number(await read(alias, "cat count"));
      const { machine: child, pausedMs } = await house.json<{
        machine: Machine;
        pausedMs: number;
      }>(["fork", name, "gen-1"]);
      expect(child.runtime?.way).toBe("fork");
      expect(child.generation).toBe(machine.generation + 1);
      expect(child.parent?.name).toBe(name);
      expect(pausedMs).toBeGreaterThan(0);
      const seen = lines;
      await eventually("the open connection's going on", 20_000, () =>
        Promise.resolve(lines > seen + 2 ? true : undefined),
      );
      for (const each of [alias, child.alias]) {
        const first = Number(await read(each, "cat count"));
        expect(first).toBeGreaterThanOrEqual(before);
        await eventually("the counter's going on", 10_000, async () =>
          Number(await read(each, "cat count")) > first ? true : undefined,
        );
        // Each generation after would have to carry it on.
        await read(each, "touch enough && sync");
      }
    } finally {
      open.kill();
      await open;
    }
  });

  test("B5: five generations, each reachable and each itself", async () => {
    const facts = async (alias: string): Promise<string[]> =>
      (
        await read(
          alias,
          "hostname; cat /sys/class/net/e*/address; hostname -I; cat /etc/machine-id; od -An -N16 -tx1 /dev/urandom",
        )
      )
        .split("\n")
        .map((line) => line.trim());
    for (let generation = 2; generation <= 5; generation++) {
      await house.json([
        ...["fork", `gen-${String(generation - 1)}`],
        `gen-${String(generation)}`,
      ]);
      // Two generations at a time are enough to compare, and all that a small host carries.
      if (generation > 2)
        await house.json([
          ...["stop", "--force", `gen-${String(generation - 2)}`],
        ]);
    }
    const machines = await house.json<Machine[]>(["list"]);
    const last = machines.find(({ name }) => name === "gen-5")!;
    const fourth = machines.find(({ name }) => name === "gen-4")!;
    expect(last.generation).toBe(machine.generation + 5);
    const all = await Promise.all([facts(fourth.alias), facts(last.alias)]);
    expect(all[1][0]).toBe("gen-5");
    for (const [item, value] of all[0].entries())
      expect(all[1][item]).not.toBe(value);
  });

  describeNetworkHeal(() => ({ house, name: "gen-5" }));

  test("the parent of five generations can be deleted; they keep what they need", async () => {
    await house.json(["delete", "gen-3", "gen-2", "gen-1"]);
    await house.json(["stop", "--force", "gen-4"]);
    const machine = await house.json<Machine>(["start", "gen-4"]);
    expect(await read(machine.alias, "hostname; ls count")).toBe(
      "gen-4\ncount",
    );
    await house.json(["delete", "gen-4", "gen-5"]);
  });
});
