import { readFile } from "node:fs/promises";
import { uptime } from "node:os";
import * as z from "zod";
import { readJson, writeJson } from "../../base/jsonFile.ts";
import type { Log } from "../../base/log.ts";

/** What was found out about this host by trying, kept in one file under keys of our choice. */
export interface TrialMemory<T> {
  recall(key: string): Promise<T | undefined>;
  /** Never throws: the next start tries again. */
  remember(key: string, result: T): Promise<void>;
}

const maxRemembered = 8;

export function trialMemory<T>(
  path: string,
  schema: z.ZodType<T>,
  log: Log,
): TrialMemory<T> {
  const file = z.object({
    trials: z.array(z.object({ key: z.string(), result: schema })),
  });
  const read = async (): Promise<z.infer<typeof file>["trials"]> => {
    const found = await readJson(path, (value) => file.parse(value));
    // Missing or damaged: the trial is made again.
    return found.kind === "read" ? found.value.trials : [];
  };
  return {
    async recall(key) {
      return (await read()).find((trial) => trial.key === key)?.result;
    },
    async remember(key, result) {
      const others = (await read()).filter((trial) => trial.key !== key);
      try {
        await writeJson(path, {
          trials: [{ key, result }, ...others].slice(0, maxRemembered),
        });
      } catch (error) {
        log.warn("A trial could not be remembered", { path, error });
      }
    },
  };
}

/** Changes with every boot of the host. */
export async function bootSession(): Promise<string> {
  if (process.platform === "linux")
    return (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  // Rounded: both clocks drift a little. A wrong guess costs one more trial.
  const bootedAtMs = Date.now() - uptime() * 1000;
  return String(Math.round(bootedAtMs / 600_000));
}
