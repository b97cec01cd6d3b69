import type { HandlersOf } from "../../../protocol/contract.ts";
import type { poolMethods } from "../../../protocol/pool.ts";
import type { Pool } from "./pool.ts";

/** The contract's `pool.*`. */
export function poolHandlers(pool: Pool): HandlersOf<keyof typeof poolMethods> {
  return {
    "pool.list": async () => ({ pools: await pool.list() }),
    "pool.set": async ({ image, count }) => ({
      pool: await pool.set(image, count),
    }),
  };
}
