import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  applyByAgent,
  openHandoff,
  type Handoff,
} from "../../../src/helper/guests/handoff/handoff.ts";
import { type HandoffGuest, handoffGuest, missing } from "./handoffGuest.ts";

const held = "run/guesthouse-stepped-back";
const group = "proc/7/autogroup";
const timeoutMs = 5_000;

describe.skipIf(missing)(
  `processes that stepped back for the first login (skipped where ${missing ?? "something is missing"})`,
  () => {
    let guest: HandoffGuest;
    let handoff: Handoff;
    beforeEach(async () => {
      guest = await handoffGuest();
      for (const process of ["7", "8"])
        await mkdir(join(guest.root, "proc", process), { recursive: true });
      await guest.put(group, "/autogroup-7 nice 19\n");
      await guest.put("proc/8/autogroup", "/autogroup-8 nice 5\n");
      await guest.put(held, "");
      handoff = await openHandoff(guest.fifo);
    });
    afterEach(async () => {
      handoff.close();
      await guest.close();
    });
    const areCalledForward = async (): Promise<void> => {
      await expect.poll(() => guest.read(group), { timeout: 10_000 }).toBe("0");
      await expect
        .poll(() => guest.read(held).catch(() => "gone"))
        .toBe("gone");
      // It was somebody else's wish.
      expect(await guest.read("proc/8/autogroup")).toContain("nice 5");
    };

    test("are called forward some seconds after the answer, not before", async () => {
      guest.serve();
      handoff.send({ hostname: "clone-2" });
      expect(await handoff.awaitOutcome({ timeoutMs })).toMatchObject({
        kind: "applied",
      });
      expect(await guest.read(group)).toContain("nice 19");
      await areCalledForward();
    });

    test("those that stand still are woken before that", async () => {
      const sleeper = spawn("sleep", ["60"]);
      await once(sleeper, "spawn");
      const isStopped = async (): Promise<boolean> =>
        (await readFile(`/proc/${String(sleeper.pid)}/stat`, "utf8")).includes(
          ") T ",
        );
      try {
        sleeper.kill("SIGSTOP");
        await expect.poll(isStopped).toBe(true);
        await guest.put(held, `${String(sleeper.pid)}\n`);
        guest.serve();
        handoff.send({ hostname: "clone-2" });
        await handoff.awaitOutcome({ timeoutMs });
        await expect.poll(isStopped, { timeout: 2_500 }).toBe(false);
        expect(await guest.read(group)).toContain("nice 19");
        await areCalledForward();
      } finally {
        sleeper.kill("SIGKILL");
      }
    });

    test("B37: are called forward where the agent applied the message", async () => {
      const message = handoff.send({ hostname: "clone-2" });
      await applyByAgent(await guest.serveAgent(), message, { timeoutMs });
      await areCalledForward();
    });
  },
);
