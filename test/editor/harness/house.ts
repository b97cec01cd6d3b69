import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { type Household, household } from "../../vm/household.ts";
import { packFolder } from "./packFolder.ts";
import { type EditorServer, startEditorServer } from "./server.ts";
import { writeSshExtension } from "./sshExtension.ts";

const checkout = fileURLToPath(new URL("../../..", import.meta.url));

/**
 * Small machines: several tests share few processors, without hardware acceleration. They resume from the warm template of
 * test/vm/warmGuests.ts where a test brings that into its house.
 */
export const smallMachines = {
  "guesthouse.cpus": 1,
  "guesthouse.memoryMiB": 512,
};

/** A data folder, a user's home and the variables that make the extension and the command line share both. */
export interface TestHouse {
  readonly house: Household;
  /** HOME of the editor and of the helper: the user's own ssh config and settings stay out of it. */
  readonly homeDir: string;
  readonly sshConfigFile: string;
  /** GUESTHOUSE_… variables only. */
  readonly env: Readonly<Record<string, string>>;
  /** Plain OpenSSH with the config that the user would have; asks nothing. */
  ssh(
    alias: string,
    command: readonly string[],
  ): Promise<{ exitCode: number; stdout: string; stderr: string }>;
  /** Deletes the machines, ends the helper, removes the folders. */
  readonly close: () => Promise<void>;
}

/** @param surroundings variables of the helper, such as a proxy */
export async function openHouse(
  surroundings: Readonly<Record<string, string>> = {},
): Promise<TestHouse> {
  const homeDir = await mkdtemp(join(tmpdir(), "gh-user-"));
  const sshConfigFile = join(homeDir, ".ssh", "config");
  const house = await household({ HOME: homeDir, ...surroundings });
  const env = {
    GUESTHOUSE_HOME: house.home,
    GUESTHOUSE_IDLE_SECONDS: "600",
    GUESTHOUSE_WARM: "manual",
    ...passedOn("GUESTHOUSE_IMAGE_CACHE"),
    ...passedOn("GUESTHOUSE_TEMPLATE_CACHE"),
  };
  return {
    house,
    homeDir,
    sshConfigFile,
    env,
    async ssh(alias, command) {
      // OpenSSH takes the home folder from the user database, so the sandbox's file has to be named.
      const args = ["-F", sshConfigFile, "-o", "BatchMode=yes", alias];
      const result = await execa("ssh", [...args, ...command], {
        reject: false,
        stdin: "ignore",
      });
      return {
        exitCode: result.exitCode ?? -1,
        stdout: result.stdout,
        stderr: result.stderr,
      };
    },
    async close() {
      await house[Symbol.asyncDispose]();
      await rm(homeDir, { recursive: true, force: true });
    },
  };
}

function passedOn(name: string): Record<string, string> {
  const value = process.env[name];
  return value === undefined ? {} : { [name]: value };
}

/** Packs the extension as `npm run package` does, unless `npm test` has for all files; the path of the .vsix. */
export async function packExtension(): Promise<string> {
  const packed = process.env["GUESTHOUSE_PACKED_EXTENSION"];
  if (packed !== undefined) return packed;
  const folder = join(checkout, "dist-test");
  await mkdir(folder, { recursive: true });
  const vsix = join(folder, "guesthouse.vsix");
  await execa(
    process.execPath,
    [join(checkout, "scripts", "package.mjs"), "--out", vsix],
    { cwd: checkout },
  );
  return vsix;
}

/** VS Code's server with the packed extension in it, and the stand-in for an SSH extension. */
export async function startEditor(
  at: TestHouse,
  settings: Record<string, unknown> = {},
): Promise<EditorServer> {
  const vsix = [
    await packExtension(),
    await packFolder(
      await writeSshExtension(join(at.homeDir, "ssh-extension")),
    ),
  ];
  return startEditorServer({
    vsix,
    env: { ...at.env, HOME: at.homeDir },
    settings: {
      ...smallMachines,
      "remote.SSH.configFile": at.sshConfigFile,
      ...settings,
    },
  });
}
