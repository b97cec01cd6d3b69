import { connect, type Socket } from "node:net";
import type { Command } from "commander";
import { visible } from "../../base/visible.ts";
import { defaultHome } from "../../rpc/address.ts";
import { ensureHelper } from "../../rpc/launch.ts";
import { takeLease } from "../ssh/leases.ts";
import { layoutOf } from "../store/layout.ts";
import { launchOptions } from "./terminal/launchOptions.ts";
import { reportFailures } from "./terminal/reportFailures.ts";

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

/**
 * A landing that can't lead into its container says why in a line before the SSH banner (resources/guest/landing/relay.c),
 * which ssh keeps to itself.
 */
function tellRefusal(socket: Socket): void {
  let received = "";
  const look = (bytes: Buffer): void => {
    received += bytes.toString("latin1");
    const refusal = refusalIn(received);
    if (refusal === undefined) return;
    socket.off("data", look);
    if (refusal !== null)
      process.stderr.write(
        `guesthouse: ${visible(refusal)}\n  → Bring its folder up again (guesthouse up), or look at its services: guesthouse show.\n`,
      );
  };
  socket.on("data", look);
}

const refusalPrefix = "Guesthouse: ";
const longestRefusal = 1024;

/** The words of a refusal at the beginning of what a server sends; null when it's none, undefined while that's open. Pure. */
export function refusalIn(received: string): string | null | undefined {
  const begins = received.slice(0, refusalPrefix.length);
  if (!refusalPrefix.startsWith(begins)) return null;
  const end = received.indexOf("\n");
  if (end !== -1 && begins === refusalPrefix)
    return received.slice(refusalPrefix.length, end).trim();
  return received.length > longestRefusal ? null : undefined;
}

async function carry(host: string, port: number): Promise<void> {
  const socket = connect({ host, port, noDelay: true });
  tellRefusal(socket);
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
