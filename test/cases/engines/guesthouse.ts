/**
 * The product, by its command line alone: a data folder of this run's own, `up`, `exec`, `down`. Registries are reached
 * by the proxy of the stand-ins, which a guest sees at 10.0.2.2.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { totalmem } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { cacheRoot } from "../../../scripts/lib/cache.mjs";
import type { ImageRegistry } from "../../../scripts/lib/imageRegistry.mjs";
import type { Case } from "../case.ts";
import type { Engine } from "../engine.ts";
import { dotfilesUrl } from "./native.ts";
import { ended } from "./namespaces.ts";

const upMs = 45 * 60_000;
const execMs = 10 * 60_000;
/** What `up` gives a VM for a container. */
const shape = ["--memory", memory(), "--disk", "64G"];

function memory(): string {
  const quarter = Math.floor(totalmem() / 4 / 1024 ** 2);
  return `${String(Math.max(2048, Math.min(4096, quarter)))}M`;
}

/** Of what `up --json` answers: where ports of the container are reached on this computer. */
const upSchema = z.looseObject({
  forwards: z
    .array(z.looseObject({ hostPort: z.number(), guestPort: z.number() }))
    .optional(),
});

export async function startGuesthouse(
  checkout: string,
  folder: string,
  registry: ImageRegistry,
): Promise<Engine> {
  const home = join(folder, "home");
  await mkdir(home, { recursive: true });
  const helper = join(checkout, "dist", "helper.js");
  const env = {
    ...process.env,
    GUESTHOUSE_HOME: home,
    GUESTHOUSE_IDLE_SECONDS: "600",
    GUESTHOUSE_WARM: "manual",
    GUESTHOUSE_IMAGE_CACHE: join(cacheRoot(), "images"),
    // What this computer is told of a proxy, its guests are told, too: so it is the address that they reach it at.
    ...registry.env(`http://10.0.2.2:${String(registry.port)}`),
  };
  const guesthouse = (
    args: readonly string[],
    timeoutMs: number,
    more: Readonly<Record<string, string>> = {},
  ): ReturnType<typeof ended> =>
    ended(process.execPath, [helper, ...args], {
      env: { ...env, ...more },
      timeoutMs,
    });
  // A clone in seconds for each case, where a boot would take a minute.
  const warm = await guesthouse(
    ["template", "warm-up", "containers", ...shape],
    upMs,
  );
  if (warm.code !== 0) throw new Error(warm.stderr);
  const place = ({ config }: Case): string[] =>
    config === undefined ? [] : ["--config", config];
  const ports = new Map<number, number>();
  return {
    name: "guesthouse",
    // The guest has limits of its own.
    unfit: () => undefined,
    up: async (one, workspace) => {
      const secrets = join(folder, "secrets.json");
      if (one.secrets) await writeFile(secrets, JSON.stringify(one.secrets));
      const { code, stdout, stderr } = await guesthouse(
        [
          ...["up", "--json", "--trust", ...place(one)],
          ...["--host-paths", "copy"],
          ...(one.secrets ? ["--secrets-file", secrets] : []),
          ...(one.dotfiles
            ? ["--dotfiles-repository", dotfilesUrl(one.name)]
            : []),
          ...["--", workspace],
        ],
        upMs,
        one.localEnv,
      );
      if (code !== 0)
        return {
          failure: stderr.trim().split("\n").slice(-5).join(" "),
          log: `${stdout}\n${stderr}`,
        };
      ports.clear();
      const answer = upSchema.safeParse(parsed(stdout));
      for (const { hostPort, guestPort } of answer.data?.forwards ?? [])
        ports.set(guestPort, hostPort);
      return {
        log: `${stdout}\n${stderr}`,
        reported: {},
        run: (command) =>
          guesthouse(
            ["exec", "-C", workspace, ...place(one), "--", ...command],
            execMs,
            one.localEnv,
          ),
      };
    },
    reach: (port) =>
      fetch(`http://localhost:${String(ports.get(port) ?? port)}/`, {
        signal: AbortSignal.timeout(30_000),
      }).then(
        (response) => response.text(),
        () => undefined,
      ),
    down: async (one, workspace) => {
      await guesthouse(
        ["down", "--delete", "--discard", ...place(one), "--", workspace],
        execMs,
      );
    },
    close: async () => {
      await guesthouse(["daemon", "stop"], 60_000);
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
