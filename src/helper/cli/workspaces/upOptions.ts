import { given } from "../../../base/given.ts";
import { readFile, stat } from "node:fs/promises";
import { type Command, Option } from "commander";
import type { ParsedParams, Result } from "../../../protocol/contract.ts";
import { refused } from "../../../protocol/failure.ts";
import { type FilesWay, filesWays } from "../../../protocol/filesWays.ts";

/** What up, rebuild and prebuild ask alike. */
export interface WishFlags {
  readonly image?: string;
  readonly trust?: boolean;
  readonly skipInitialize?: boolean;
  readonly cold?: boolean;
  readonly direct?: boolean;
  readonly hostPaths?: "refuse" | "empty" | FilesWay;
}

export const addWishOptions = (command: Command): Command =>
  command
    .option("-i, --image <image>", "image to clone, instead of the file's")
    .option("--trust", "run the file's initializeCommand on this computer")
    .option("--skip-initialize", "go on without its initializeCommand")
    .option("--cold", "boot it even where a warm template could be resumed")
    .option("--direct", "use the VM itself, without the file's container")
    .addOption(
      new Option(
        "--host-paths <what>",
        "for paths of this computer that a container mounts (default: refuse)",
      ).choices(["refuse", "empty", ...filesWays]),
    );

/** The same as parameters of `workspaces.up`, for the file that was read. */
export const wishParams = (
  {
    digest,
    localVariables,
  }: Pick<Result<"workspaces.read">, "digest" | "localVariables">,
  { image, trust, skipInitialize, cold, direct, hostPaths }: WishFlags,
) => ({
  digest,
  // The helper may have been started from elsewhere: these are the variables of this terminal.
  localEnv: given(
    Object.fromEntries(localVariables.map((name) => [name, process.env[name]])),
  ) as Record<string, string>,
  ...given({
    image,
    direct,
    hostPaths,
    initialize:
      skipInitialize === true
        ? ("skip" as const)
        : trust === true
          ? ("run" as const)
          : undefined,
    warm: cold === true ? false : undefined,
  }),
});

/** What belongs to the person who brings a folder up, and not to the folder. */
export interface PersonalFlags {
  readonly secretsFile?: string;
  readonly dotfilesRepository?: string;
  readonly dotfilesInstallCommand?: string;
  readonly dotfilesTargetPath?: string;
  /** False by `--no-git-identity`. */
  readonly gitIdentity?: boolean;
  /** False by `--no-git-credentials`. */
  readonly gitCredentials?: boolean;
  readonly agentForwarding?: boolean;
}

/** Options by the names of the reference command line. */
export const addPersonalOptions = (command: Command): Command =>
  command
    .option(
      "--secrets-file <path>",
      "JSON of variables that its commands see, written down nowhere else",
    )
    .option(
      "--dotfiles-repository <repository>",
      "your dotfiles: an address, or owner/name on GitHub",
    )
    .option(
      "--dotfiles-install-command <command>",
      "default: install.sh, or another usual name",
    )
    .option("--dotfiles-target-path <path>", "in the VM; default ~/dotfiles")
    .option(
      "--no-git-identity",
      "don't give git in the guest your user.name and user.email",
    )
    .option(
      "--git-credentials",
      "let git in the VM ask this computer for the credentials of the folder's git servers",
    )
    .option("--no-git-credentials", "end that")
    .option(
      "-A, --agent-forwarding",
      "let a new VM use this computer's SSH agent while you are connected",
    );

/** The same as parameters of `workspaces.up`. `warn` is told where others may read the secrets. */
export async function personalParams(
  flags: PersonalFlags,
  warn: (sentence: string) => void,
): Promise<
  Pick<
    ParsedParams<"workspaces.up">,
    | "secrets"
    | "dotfiles"
    | "gitIdentity"
    | "gitCredentials"
    | "agentForwarding"
  >
> {
  const {
    secretsFile,
    dotfilesRepository: repository,
    agentForwarding,
    gitCredentials,
  } = flags;
  return {
    gitIdentity: flags.gitIdentity !== false,
    ...given({ agentForwarding, gitCredentials }),
    ...(secretsFile === undefined
      ? {}
      : { secrets: await readSecrets(secretsFile, warn) }),
    ...(repository === undefined
      ? {}
      : {
          dotfiles: {
            repository,
            ...given({
              targetPath: flags.dotfilesTargetPath,
              installCommand: flags.dotfilesInstallCommand,
            }),
          },
        }),
  };
}

async function readSecrets(
  path: string,
  warn: (sentence: string) => void,
): Promise<Record<string, string>> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) throw wrong(path, "it can't be read");
  const { mode } = await stat(path);
  if (process.platform !== "win32" && (mode & 0o077) !== 0)
    warn(`Others on this computer may read ${path}: chmod 600 keeps them out.`);
  const value = parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw wrong(path, "it is no JSON object of names and values");
  const entries: [string, unknown][] = Object.entries(value);
  return Object.fromEntries(
    entries.map(([name, each]): [string, string] => {
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || typeof each !== "string")
        throw wrong(path, `${name} is no variable with a text for its value`);
      return [name, each];
    }),
  );
}

/** Without the parser's own words, which quote what they stumble over. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const wrong = (path: string, why: string) =>
  refused("request.invalid", `${path} is no file of secrets: ${why}.`, {
    remedy: 'It looks like { "TOKEN": "its value" }.',
  });
