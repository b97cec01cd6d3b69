import { unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { findPasst } from "../../src/helper/networks/passtProcess.ts";
import type { HelperStatus } from "../../src/protocol/helper.ts";
import type { Machine } from "../../src/protocol/machines.ts";
import { eventually, isGone } from "./household.ts";
import type { Tenants } from "./tenants.ts";

/** Killed helpers, killed QEMUs, lost files. Ends with machine two deleted. */
export function describeCrashes(the: () => Tenants): void {
  const house = () => the().house;
  const one = () => the().one;
  const two = () => the().two;

  describe("crashes", () => {
    test("kill -9 of the helper: the next command adopts the guest and a counter over ssh never stopped (B14, B20)", async () => {
      const counter = execa(
        "ssh",
        [
          "-F",
          house().sshConfig,
          one().alias,
          "i=0; while :; do i=$((i+1)); echo $i; sleep 0.2; done",
        ],
        { reject: false, buffer: false },
      );
      const seen: number[] = [];
      counter.stdout.on("data", (chunk: Buffer) =>
        seen.push(...chunk.toString().trim().split("\n").map(Number)),
      );
      try {
        await eventually("the counter's start", 30_000, () =>
          Promise.resolve(seen.length > 3 ? true : undefined),
        );
        const { pid } = await house().json<HelperStatus>(["daemon", "status"]);
        process.kill(pid, "SIGKILL");
        await eventually("the helper's end", 5_000, async () =>
          (await isGone(pid)) ? true : undefined,
        );
        const before = seen.length;
        const adopted = await house().machine("one");
        expect(adopted.state.kind).toBe("running");
        expect(adopted.runtime?.pid).toBe(one().runtime?.pid);
        await eventually("the counter's going on", 10_000, () =>
          Promise.resolve(seen.length > before + 3 ? true : undefined),
        );
        expect(seen).toEqual(seen.map((_, i) => i + 1));
      } finally {
        counter.kill();
        await counter;
      }
    });

    test.each(["deleted", "corrupt"])(
      "handles file %s while the helper is away: nothing leaks, the guest is adopted (B15)",
      async (how) => {
        const handles = join(
          house().home,
          "machines",
          one().id,
          "handles.json",
        );
        const before = await house().machine("one");
        await house().guesthouse(["daemon", "stop"]);
        if (how === "deleted") await unlink(handles);
        else await writeFile(handles, "{ not json");
        const after = await house().machine("one");
        expect(after.runtime?.pid).toBe(before.runtime?.pid);
        expect(after.runtime?.sshPort).toBe(before.runtime?.sshPort);
        expect((await house().ssh(one().alias, ["true"])).exitCode).toBe(0);
      },
    );

    test("kill -9 of QEMU: the state says so within two seconds, everything is cleaned, start works (B15)", async () => {
      const pid = (await house().machine("two")).runtime!.pid;
      process.kill(pid, "SIGKILL");
      const stopped = await eventually("the stopped state", 2_000, async () => {
        const machine = await house().machine("two");
        return machine.state.kind === "stopped" ? machine : undefined;
      });
      expect(stopped.state).toMatchObject({
        kind: "stopped",
        reason: "crashed",
      });
      const left = await execa("ls", [
        join(house().home, "run"),
        join(house().home, "machines", two().id),
      ]);
      expect(left.stdout).not.toMatch(
        new RegExp(`${two().id}\\.|handles|qemu\\.pid`),
      );
      expect(await findPasst(`${house().home}/run/${two().id}.net`)).toEqual(
        [],
      );
      expect((await house().json<Machine>(["start", "two"])).state.kind).toBe(
        "running",
      );
    });

    test("after a reboot of the host, a stale pid that belongs to somebody else is not touched (B15)", async () => {
      await house().json(["stop", "two"]);
      await house().guesthouse(["daemon", "stop"]);
      const foreign = execa("sleep", ["600"], { reject: false });
      try {
        const folder = join(house().home, "machines", two().id);
        await writeFile(join(folder, "qemu.pid"), `${String(foreign.pid)}\n`);
        const handles = {
          pid: foreign.pid,
          startTime: "1",
          startedAtMs: 1,
          accelerator: "tcg",
          acceleratorReason: "",
          sshPort: 1,
          forwards: [],
          network: { backend: "user", hostLoopbackReachable: true },
          logOffset: 0,
          boot: [],
        };
        await writeFile(join(folder, "handles.json"), JSON.stringify(handles));
        expect((await house().machine("two")).state).toEqual({
          kind: "stopped",
          reason: "hostRestarted",
        });
        await house().json(["delete", "two"]);
        expect(await isGone(foreign.pid!)).toBe(false);
      } finally {
        foreign.kill();
        await foreign;
      }
    });
  });
}
