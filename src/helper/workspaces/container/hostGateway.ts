/*
 * What Docker's `host-gateway` means to containers in a VM: this computer, where its user lets the VM reach the loopback here,
 * else nothing. Left alone it would be the VM, which nobody means who writes it. Called by `up/container.ts`.
 */
import type { Machine } from "../../../protocol/machines.ts";
import { must } from "../guest/must.ts";
import type { SshSession } from "../../ssh/session.ts";
import { hostGatewayScript } from "./guestScripts.ts";

/** Where QEMU's user network shows a guest the loopback of this computer (documentation of `-netdev user`). */
const loopbackOfHost = "10.0.2.2";
/** Connections to the broadcast address fail at once, in every network. */
const nowhere = "255.255.255.255";

/** Sees to it before containers are made, which keep what they were told; answers with what the user should know. */
export async function provideHostGateway(
  { exec }: Pick<SshSession, "exec">,
  { name, hostLoopback }: Pick<Machine, "name" | "hostLoopback">,
  signal: AbortSignal,
): Promise<string[]> {
  await must(
    "telling the engine what host-gateway is",
    exec(
      hostGatewayScript(hostLoopback ? loopbackOfHost : nowhere),
      {},
      signal,
    ),
  );
  return hostLoopback
    ? []
    : [
        `The configuration wants to reach this computer (host-gateway), which this VM may not: the name leads nowhere. To allow it, stop the VM, run guesthouse set ${name} --host-loopback, start it and rebuild the container.`,
      ];
}
