import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  applyByAgent,
  openHandoff,
  type Handoff,
} from "../../../src/helper/guests/handoff.ts";
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
      await mkdir(join(guest.root, "proc/7"), { recursive: true });
      await guest.put(group, "19");
      // The second has ended meanwhile.
      await guest.put(held, "7\n8\n");
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
    };

    test("are called forward some seconds after the answer, not before", async () => {
      guest.serve();
      handoff.prepare({ hostname: "clone-2" });
      expect(await handoff.complete({ timeoutMs })).toMatchObject({
        kind: "applied",
      });
      expect(await guest.read(group)).toBe("19");
      await areCalledForward();
    });

    test("B37: are called forward where the agent applied the message", async () => {
      const message = handoff.prepare({ hostname: "clone-2" });
      await applyByAgent(await guest.serveAgent(), message, { timeoutMs });
      await areCalledForward();
    });
  },
);
