import { join } from "node:path";
import { version } from "../../src/base/version.ts";
import type { RpcClient } from "../../src/rpc/call.ts";
import { ensureHelper, type LaunchOptions } from "../../src/rpc/launch.ts";
import { type Household, household } from "../vm/household.ts";

/** A household with the image that benches clone, and a connection to its helper as the editor has it. */
export interface BenchHouse {
  readonly house: Household;
  readonly client: RpcClient;
  [Symbol.asyncDispose](): Promise<void>;
}

/** How the editor starts the helper of a data folder. */
export const windowOf = (root: string, home: string): LaunchOptions => ({
  home,
  command: [process.execPath, join(root, "dist", "helper.js")],
  version,
  client: "window",
});

export async function benchHouse(root: string): Promise<BenchHouse> {
  const house = await household();
  await house.json(["image", "pull", "debian-12"]);
  const { client } = await ensureHelper(windowOf(root, house.home));
  return {
    house,
    client,
    async [Symbol.asyncDispose]() {
      client.close();
      await house[Symbol.asyncDispose]();
    },
  };
}

/** Runs one ssh command on the machine of this alias, which must succeed at the first try. */
export async function firstSsh(house: Household, alias: string): Promise<void> {
  const { exitCode, stderr } = await house.ssh(alias, ["true"]);
  if (exitCode !== 0)
    throw new Error(`the first ssh to ${alias} failed: ${stderr}`);
}

/** In milliseconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}
