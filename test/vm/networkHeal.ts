import { execa } from "execa";
import { describe, expect, test } from "vitest";
import type { Machine } from "../../src/protocol/machines.ts";
import { eventually, type Household } from "./household.ts";
import { runInGuest } from "./inGuest.ts";

export interface Patient {
  readonly house: Household;
  readonly name: string;
}

/** What the guest's service does about a network card that passes nothing (`resources/guest/handoff/heal.py`). */
export function describeNetworkHeal(the: () => Patient): void {
  const machine = (): Promise<Machine> =>
    the().house.json<Machine>(["show", the().name]);
  const card = "$(ls /sys/class/net | grep ^e | head -n 1)";
  const journal = async (): Promise<string> =>
    runInGuest(
      the().house,
      await machine(),
      "sudo journalctl -q -u guesthouse-handoff -o cat",
    );

  /** Does something to the card a moment after the connection that asked for it, and waits until ssh answers again. */
  const afterwards = async (command: string): Promise<void> => {
    const { house } = the();
    const { alias } = await machine();
    const login = (remote: string) =>
      execa(
        "ssh",
        ["-F", house.sshConfig, "-o", "ConnectTimeout=5", alias, remote],
        { reject: false, timeout: 20_000 },
      );
    await runInGuest(
      house,
      { alias },
      `touch waiting; sudo sh -c '(sleep 1; ${command}; rm waiting) >/dev/null 2>&1 &'`,
    );
    await eventually("the network's coming back", 120_000, async () =>
      (await login("test ! -e waiting")).exitCode === 0 ? true : undefined,
    );
  };

  describe("a network card that passes nothing", () => {
    test("B5: an open connection over a healthy card survives every look that is had at it", async () => {
      const { alias } = await machine();
      const open = execa("ssh", [
        ...["-F", the().house.sshConfig, alias],
        "sleep 25; echo still here",
      ]);
      expect((await open).stdout).toBe("still here");
      expect(await journal()).not.toContain("network card");
    });

    test("B5: one that was taken down comes up again, with its address and its way out", async () => {
      await afterwards(`ip link set dev ${card} down`);
      expect(await journal()).toContain("the network card is down: taken up");
      expect(
        await runInGuest(the().house, await machine(), "ip route"),
      ).toContain("default via");
    });

    test("B5: one that says it is well but never sends is taken anew by its driver", async () => {
      // Its next attempt would be the second one until it has seen that the first has helped.
      await eventually("the card to be found well", 60_000, async () => {
        const lines = (await journal()).split("\n");
        const last = lines.findLast((line) => line.includes("network card"));
        return last?.includes("is well again") === false ? undefined : true;
      });
      // A queue too short for any packet: the card's state, address and counters of errors stay as they are.
      await afterwards(`tc qdisc replace dev ${card} root bfifo limit 1`);
      const told = await journal();
      expect(told).toContain("gets no answer from its gateway: taken down");
      expect(told).toContain("its driver took it anew");
    });
  });
}
