import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { poolFaults } from "../../src/helper/machines/pool/member.ts";
import { findQemu } from "../../src/helper/qemu/process.ts";
import type { Machine } from "../../src/protocol/machines.ts";
import type { PoolState } from "../../src/protocol/pool.ts";
import type { Template } from "../../src/protocol/templates.ts";
import { eventually, type Household, isGone } from "./household.ts";
import { runInGuest } from "./inGuest.ts";
import { shape } from "./warmGuests.ts";

const fillMs = 180_000;

const setPool = (house: Household, count: number): Promise<PoolState> =>
  house.json<PoolState>(["pool", "set", "debian-12", String(count)]);

async function poolOf(
  house: Household,
  ready: number,
): Promise<PoolState | undefined> {
  return eventually(`${String(ready)} in the pool`, fillMs, async () => {
    const [pool] = await house.json<PoolState[]>(["pool", "list"]);
    return pool?.ready === ready ? pool : undefined;
  });
}

/** Numbers of the processes and folders of machines that the list doesn't show: those of the pool. */
async function unlisted(
  house: Household,
): Promise<{ pids: number[]; folders: string[] }> {
  const listed = await house.json<Machine[]>(["list"]);
  const pids = new Set(listed.map(({ runtime }) => runtime?.pid));
  const ids = new Set(listed.map(({ id }) => id));
  const processes = await findQemu(join(house.home, "run"));
  const folders = await readdir(join(house.home, "machines"));
  return {
    pids: processes.map(({ pid }) => pid).filter((pid) => !pids.has(pid)),
    folders: folders.filter((name) => !ids.has(name)),
  };
}

const isFromPool = async ({ logPath }: Machine): Promise<boolean> =>
  (await readFile(logPath, "utf8")).includes("from the pool");

async function factsOf(house: Household, machine: Machine): Promise<string[]> {
  const text = await runInGuest(
    house,
    machine,
    "hostname; cat /sys/class/net/e*/address; hostname -I; cat /etc/machine-id; sudo awk 1 /etc/ssh/ssh_host_ed25519_key.pub; od -An -N16 -tx1 /dev/urandom; getent hosts $(hostname)",
  );
  return text.split("\n").map((line) => line.trim());
}

/** Clones that wait for a name. `others` are machines of the same template. */
export function describePool(
  the: () => {
    readonly house: Household;
    readonly template: Template;
    readonly others: readonly Machine[];
  },
): void {
  describe("the pool", () => {
    let pooled: Machine[];

    test("keeps as many as it is told, which no list shows but the template's", async () => {
      const { house, template } = the();
      await setPool(house, 2);
      const pool = await poolOf(house, 2);
      expect(pool?.template).toBe(template.id);
      const shown = await house.json<Template[]>(["template", "list"]);
      expect(shown[0]?.pool).toMatchObject({ wanted: 2, ready: 2 });
      expect(shown[0]?.pool?.memoryBytes).toBeGreaterThan(20 * 1024 ** 2);
      expect((await unlisted(house)).pids).toHaveLength(2);
    });

    test("B4: two machines that it gives at once are nobody but themselves, and their clocks are right", async () => {
      const { house, others } = the();
      pooled = await Promise.all(
        ["swift", "fleet"].map((name) =>
          house.json<Machine>(["create", name, ...shape]),
        ),
      );
      for (const machine of pooled) {
        expect(machine.state.kind).toBe("running");
        expect(await isFromPool(machine)).toBe(true);
        expect(machine.boot.map(({ stage }) => stage)).toEqual([
          ...["clone", "resume", "handoff", "ready"],
        ]);
        const before = Date.now();
        const clock = Number(await runInGuest(house, machine, "date +%s%3N"));
        expect(clock).toBeGreaterThan(before - 500);
        expect(clock).toBeLessThan(Date.now() + 500);
      }
      const all = [...pooled, ...others];
      const facts = await Promise.all(all.map((one) => factsOf(house, one)));
      for (const [i, each] of facts.entries()) {
        expect(each[0]).toBe(all[i]?.name);
        expect(each[6]).toContain(all[i]?.name);
      }
      for (let item = 0; item < 6; item++)
        expect(new Set(facts.map((each) => each[item])).size).toBe(all.length);
    });

    test("B1: the seed that its QEMU has open is its own, for a guest that reboots by itself", async () => {
      const { house } = the();
      for (const machine of pooled) {
        const seed = await runInGuest(
          house,
          machine,
          "sudo mount -o ro LABEL=cidata /mnt && cat /mnt/meta-data /mnt/user-data && sudo umount /mnt",
        );
        expect(seed).toContain(`"local-hostname": "${machine.name}"`);
        expect(seed).toContain(`"instance-id": "guesthouse-${machine.id}"`);
        expect(seed).not.toContain("xxx");
        // It has met this identity by the handoff only: its first boot from the disk takes the seed.
        const record: unknown = JSON.parse(
          await readFile(
            join(house.home, "machines", machine.id, "machine.json"),
            "utf8",
          ),
        );
        expect(record).toHaveProperty("seedPending", true);
      }
      await house.json(["delete", ...pooled.map(({ name }) => name)]);
    });

    test("it fills again; one whose QEMU was killed is not given to anybody", async () => {
      const { house } = the();
      await poolOf(house, 2);
      for (const pid of (await unlisted(house)).pids)
        process.kill(pid, "SIGKILL");
      const machine = await house.json<Machine>(["create", "sound", ...shape]);
      expect(machine.runtime?.way).toBe("warm");
      expect(await isFromPool(machine)).toBe(false);
      await house.json(["delete", "sound"]);
    });

    test("zero ends them all, the one that is coming up, too", async () => {
      const { house } = the();
      await setPool(house, 0);
      expect(await unlisted(house)).toEqual({ pids: [], folders: [] });
      const [template] = await house.json<Template[]>(["template", "list"]);
      expect(template?.pool).toBeUndefined();
    });

    test.each(poolFaults)(
      "kill -9 of the helper at %s leaves nothing behind (B14, B15)",
      async (fault) => {
        const { house } = the();
        const before = await findQemu(join(house.home, "run"));
        await house.guesthouseWithFault(fault, [
          ...["pool", "set", "debian-12", "1"],
        ]);
        const { pid } = JSON.parse(
          await readFile(join(house.home, "helper.json"), "utf8"),
        ) as { pid: number };
        if (fault === "pool.taken") {
          await poolOf(house, 1);
          const broken = await house.guesthouse(["create", "struck", ...shape]);
          expect(broken.exitCode).not.toBe(0);
        }
        await eventually("the helper's end", fillMs, async () =>
          (await isGone(pid)) ? true : undefined,
        );
        const left = await findQemu(join(house.home, "run"));
        expect(left).toHaveLength(before.length + 1);
        // Told to the next helper first of all, so that it doesn't fill while this looks.
        await setPool(house, 0);
        expect(await unlisted(house)).toEqual({ pids: [], folders: [] });
        const machines = await house.json<Machine[]>(["list"]);
        expect(machines.map(({ name }) => name)).not.toContain("struck");
      },
    );
  });
}
