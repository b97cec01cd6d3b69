/**
 * The reference: the Dev Containers command line with a Docker engine natively on this computer. What it makes of a
 * case is what the product is held against.
 */
import { execFileSync } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  engineTree,
  referenceCli,
} from "../../../scripts/cases/engineTree.mjs";
import type { ImageRegistry } from "../../../scripts/lib/imageRegistry.mjs";
import { z } from "zod";
import type { Case } from "../case.ts";
import type { CameUp, DidNot, Engine } from "../engine.ts";
import type { Ended, Reported } from "../outcome.ts";
import { type Namespaces, startNamespaces } from "./namespaces.ts";

const upSeconds = 600;

/** The one line on stdout that `up` ends with. */
const upSchema = z.looseObject({
  outcome: z.enum(["success", "error"]),
  message: z.string().optional(),
  description: z.string().optional(),
  mergedConfiguration: z
    .looseObject({
      forwardPorts: z.array(z.union([z.number(), z.string()])).optional(),
      customizations: z
        .looseObject({
          vscode: z
            .array(
              z.looseObject({
                extensions: z.array(z.string()).optional(),
                settings: z.record(z.string(), z.unknown()).optional(),
              }),
            )
            .optional(),
        })
        .optional(),
    })
    .optional(),
});

export async function startNative(
  checkout: string,
  folder: string,
  registry: ImageRegistry,
): Promise<Engine> {
  const cli = await referenceCli(checkout);
  const inside = await startNamespaces({
    checkout,
    tree: await engineTree(),
    cli: cli.folder,
    folder,
    registry,
  });
  const limit = Number(
    execFileSync("sh", ["-c", "ulimit -Hn"], { encoding: "utf8" }).trim(),
  );
  return {
    name: `reference ${cli.version}`,
    unfit: ({ needs }) =>
      needs === "raised-limits" && limit < 500_000
        ? `this computer allows no more than ${String(limit)} open files`
        : undefined,
    up: (one, workspace) => up(inside, folder, one, workspace),
    reach: async (port) => {
      const { code, stdout } = await inside.run(
        ["curl", "-s", "--retry", "10", "--retry-all-errors"].concat([
          "--retry-delay",
          "1",
          `http://localhost:${String(port)}/`,
        ]),
        { cwd: "/", seconds: 30 },
      );
      return code === 0 ? stdout : undefined;
    },
    down: () => clear(inside),
    close: inside.close,
  };
}

async function up(
  inside: Namespaces,
  folder: string,
  one: Case,
  workspace: string,
): Promise<CameUp | DidNot> {
  const secrets = join(folder, `${one.name}.secrets.json`);
  if (one.secrets) await writeFile(secrets, JSON.stringify(one.secrets));
  const place = [
    ...["--workspace-folder", workspace],
    ...(one.config === undefined
      ? []
      : ["--config", join(workspace, one.config)]),
  ];
  const cli = (
    [verb = "", ...args]: readonly string[],
    seconds: number,
  ): Promise<Ended> =>
    inside.run(
      [
        ...["node", "/opt/devcontainers-cli/devcontainer.js", verb],
        ...place,
        ...args,
      ],
      { cwd: workspace, env: one.localEnv ?? {}, seconds },
    );
  const brought = await cli(
    [
      ...["up", "--no-lockfile", "--include-merged-configuration"],
      ...(one.secrets ? ["--secrets-file", secrets] : []),
      ...(one.dotfiles ? ["--dotfiles-repository", dotfilesUrl(one.name)] : []),
      ...(one.endless === true ? ["--skip-post-attach"] : []),
    ],
    upSeconds,
  );
  await rm(secrets, { force: true });
  const { stdout, stderr: log } = brought;
  const answer = upSchema.safeParse(parsed(stdout));
  if (!answer.success)
    return {
      failure:
        brought.code === 124
          ? `up hadn't ended after ${String(upSeconds)} s`
          : `up ended with ${String(brought.code)}: ${lastLine(log)}`,
      log,
    };
  const { outcome, message = "", description = "" } = answer.data;
  if (outcome !== "success")
    return { failure: `${description} ${message}`.trim(), log };
  // Ends with the engine.
  if (one.endless === true) void cli(["run-user-commands"], upSeconds);
  return {
    log,
    reported: reportedBy(answer.data),
    run: (command) => cli(["exec", ...command], 120),
  };
}

/** Where the harness puts the repository of dotfiles, as seen in the container. */
export const dotfilesUrl = (name: string): string =>
  `file:///workspaces/${name}/.dotfiles`;

function reportedBy({
  mergedConfiguration,
}: z.infer<typeof upSchema>): Reported {
  if (mergedConfiguration === undefined) return {};
  const parts = mergedConfiguration.customizations?.vscode ?? [];
  const settings: Record<string, unknown> = {};
  for (const part of parts) Object.assign(settings, part.settings);
  return {
    extensions: parts.flatMap(({ extensions = [] }) => extensions),
    settings,
    forwardPorts: mergedConfiguration.forwardPorts ?? [],
  };
}

/** This engine has nothing but cases: all but images and the build cache goes. */
async function clear(inside: Namespaces): Promise<void> {
  const script = [
    'containers=$(docker ps -aq); [ -z "$containers" ] || docker rm -f -v $containers',
    "docker network prune -f; docker volume prune -a -f",
    // What run-user-commands and sig-proxies of this case left.
    "pkill -u 1000 -f devcontainers-cli; pkill -u 1000 -x docker",
  ].join("\n");
  await inside.run(["sh", "-c", script], {
    cwd: "/",
    seconds: 120,
    asRoot: true,
  });
}

function parsed(stdout: string): unknown {
  try {
    return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
  } catch {
    return undefined;
  }
}

const lastLine = (text: string): string => text.trim().split("\n").at(-1) ?? "";
