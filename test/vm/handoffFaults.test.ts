import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Machine } from "../../src/protocol/machines.ts";
import { type Household, household } from "./household.ts";
import { runInGuest } from "./inGuest.ts";
import { shape, warmUp } from "./warmGuests.ts";

/* Guests that don't answer when they are told who they are. */

let house: Household;
let machine: Machine;

const inParent = async (command: string): Promise<void> => {
  await runInGuest(house, machine, command);
};

beforeAll(async () => {
  house = await household();
  await warmUp(house);
  machine = await house.json<Machine>(["create", "parent", ...shape]);
});

afterAll(async () => {
  await house[Symbol.asyncDispose]();
});

describe("handoff", () => {
  test("B37: where the guest's service is dead, its agent does the same", async () => {
    await inParent("sudo systemctl stop guesthouse-handoff");
    await house.json(["fork", machine.name, "by-agent"]);
    const fork = await house.machine("by-agent");
    expect(fork.state.kind).toBe("running");
    const { stdout } = await house.ssh(fork.alias, ["hostname"]);
    expect(stdout.trim()).toBe("by-agent");
    const log = await house.json<{ text: string }>(["log", "by-agent"]);
    expect(log.text).toContain("(by its agent)");
    await house.json(["delete", "by-agent"]);
  });

  test("an sshd that takes its time to listen again is waited for", async () => {
    const late = String.raw`#!/bin/sh\nsleep 12\nexec /usr/sbin/sshd.real "$@"\n`;
    await inParent(
      `sudo cp /usr/sbin/sshd /usr/sbin/sshd.real && printf '${late}' > late && chmod 755 late && sudo mv late /usr/sbin/sshd`,
    );
    const fork = await house.json<{ machine: Machine }>([
      ...["fork", machine.name, "late"],
    ]);
    await inParent("sudo mv /usr/sbin/sshd.real /usr/sbin/sshd");
    expect(fork.machine.state.kind).toBe("running");
    const { stdout } = await house.ssh(fork.machine.alias, ["hostname"]);
    expect(stdout.trim()).toBe("late");
    await house.json(["delete", "late"]);
  });

  test("B37: without an agent too, the machine is not ready and says why; a restart mends it", async () => {
    await inParent("sudo systemctl stop qemu-guest-agent");
    const forked = await house.guesthouse(["fork", machine.name, "nobody"]);
    expect(forked.exitCode).toBe(4);
    expect(forked.stderr).toMatch(
      /neither the guest's service nor its agent answered[^]*Restart the machine/,
    );
    const fork = await house.machine("nobody");
    expect(fork.state).toMatchObject({
      kind: "unready",
      diagnosis: { cause: "handoffFailed", stage: "resume" },
    });
    await house.json(["stop", "--force", "nobody"]);
    const mended = await house.json<Machine>(["start", "--cold", "nobody"]);
    expect(mended.runtime?.way).toBe("cold");
    const { stdout } = await house.ssh(mended.alias, ["hostname"]);
    expect(stdout.trim()).toBe("nobody");
    await house.json(["delete", "nobody"]);
    await inParent("sudo systemctl start qemu-guest-agent guesthouse-handoff");
  });
});
