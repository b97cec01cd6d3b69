import { connect } from "node:net";
import type { Command } from "commander";
import { defaultHome } from "../../rpc/address.ts";
import { ensureHelper } from "../../rpc/launch.ts";
import { takeLease } from "../ssh/leases.ts";
import { layoutOf } from "../store/layout.ts";
import { launchOptions } from "./launchOptions.ts";
import { reportFailures } from "./reportFailures.ts";

/** `guesthouse proxy`, for those who look for it; what ssh runs is loaded without the other commands (src/helper/main.ts). */
export function addProxyCommand(program: Command): void {
  program
    .command("proxy")
    .argument("<name>")
    .description("carry an ssh connection (used by ssh itself)")
    .action(proxy);
}

/**
 * ssh's ProxyCommand: brings the machine up when it is stopped, then carries bytes between standard input and output
 * and the guest's sshd. Any number may run at once.
 */
export async function proxy(name: string): Promise<void> {
  // Before the machine is brought up, so that it can't be taken for idle in between.
  // A lease that finds no room on the disk keeps nobody from connecting.
  const { leases } = layoutOf(defaultHome());
  const leasing = takeLease(leases, name).catch(() => undefined);
  let endpoint: { host: string; port: number } | undefined;
  await reportFailures({}, async (signal) => {
    const { client } = await ensureHelper(launchOptions(), signal);
    try {
      await leasing;
      endpoint = await client.call("ssh.prepare", { machine: name }, signal);
    } finally {
      client.close();
    }
  });
  if (endpoint !== undefined) await carry(endpoint.host, endpoint.port);
  await (await leasing)?.release();
}

async function carry(host: string, port: number): Promise<void> {
  const socket = connect({ host, port, noDelay: true });
  process.stdin.pipe(socket);
  socket.pipe(process.stdout);
  await new Promise<void>((resolve) => {
    socket.once("error", (error) => {
      process.stderr.write(`guesthouse: ${error.message}\n`);
      process.exitCode = 1;
    });
    socket.once("close", () => {
      process.stdin.destroy();
      resolve();
    });
    // ssh has gone: nobody reads any more.
    process.stdout.once("error", () => socket.destroy());
  });
}
