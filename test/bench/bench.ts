import { benchActivation } from "./activation.ts";
import { benchBundles } from "./bundles.ts";
import { benchColdClone } from "./coldClone.ts";
import { benchCopyIn } from "./copyIn.ts";
import { benchHelper } from "./helper.ts";
import { benchPool } from "./pool.ts";
import { benchLanding } from "./landing.ts";
import { benchManyMachines } from "./manyMachines.ts";
import { benchPeers } from "./peers.ts";
import { benchPrebuild } from "./prebuild.ts";
import type { Row } from "./report.ts";
import { benchSnapshots } from "./snapshots.ts";
import { benchWarmClone } from "./warmClone.ts";
import { printRows } from "./report.ts";

const benches: Readonly<
  Record<string, (root: string, flags: readonly string[]) => Promise<Row[]>>
> = {
  bundles: benchBundles,
  activation: benchActivation,
  helper: benchHelper,
  "cold-clone": benchColdClone,
  "warm-clone": benchWarmClone,
  pool: benchPool,
  snapshots: benchSnapshots,
  "copy-in": benchCopyIn,
  prebuild: benchPrebuild,
  landing: benchLanding,
  "many-machines": benchManyMachines,
  peers: benchPeers,
};

/** Runs the named benches one after the other, or all; prints one table. */
export async function runBenches(
  root: string,
  args: readonly string[],
): Promise<void> {
  const flags = args.filter((arg) => arg.startsWith("--"));
  const names = args.filter((arg) => !flags.includes(arg));
  const chosen = names.length === 0 ? Object.keys(benches) : names;
  const rows: Row[] = [];
  for (const name of chosen) {
    const bench = benches[name];
    if (bench === undefined)
      throw new Error(
        `no bench “${name}”; there are ${Object.keys(benches).join(", ")}`,
      );
    process.stderr.write(`${name} …\n`);
    rows.push(...(await bench(root, flags)));
  }
  printRows(rows);
}
