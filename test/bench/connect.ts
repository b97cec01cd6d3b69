import { join } from "node:path";
import { version } from "../../src/base/version.ts";
import type { RpcClient } from "../../src/rpc/call.ts";
import { ensureHelper } from "../../src/rpc/launch.ts";
import type { Household } from "../vm/household.ts";

/** A connection as a window has it, to a helper that makes templates only when it is asked to. */
export async function connectHelper(
  root: string,
  house: Household,
): Promise<RpcClient> {
  const { client } = await ensureHelper({
    home: house.home,
    command: [process.execPath, join(root, "dist", "helper.js")],
    env: { GUESTHOUSE_WARM: "manual", GUESTHOUSE_IDLE_SECONDS: "600" },
    version,
    client: "window",
  });
  return client;
}

/** Milliseconds that the work took. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** The first ssh command, with the key that is pinned for this machine; it must succeed. */
export async function firstSsh(house: Household, alias: string): Promise<void> {
  const { exitCode, stderr } = await house.ssh(alias, ["true"]);
  if (exitCode !== 0) throw new Error(`ssh to ${alias} failed: ${stderr}`);
}
