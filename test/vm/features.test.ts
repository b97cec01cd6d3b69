import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CameUp } from "../../src/protocol/workspaces.ts";
import {
  type FeatureRegistry,
  missingRegistry,
  startFeatureRegistry,
} from "../fakes/featureRegistry.ts";
import { type Ended, type Household, household } from "./household.ts";

describe.skipIf(missingRegistry !== undefined)(
  `a folder with features (${missingRegistry ?? "of a real registry"})`,
  () => {
    let house: Household;
    let registry: FeatureRegistry;
    let root: string;
    let folder: string;

    const up = (...flags: string[]): Promise<Ended> =>
      house.guesthouse(["up", ...flags, "--", folder]);
    const upJson = async (): Promise<CameUp> => {
      const { stdout, stderr, exitCode } = await up("--json");
      expect(exitCode, stderr).toBe(0);
      return JSON.parse(stdout) as CameUp;
    };
    const inWorkspace = async (...command: string[]): Promise<string> =>
      (await house.guesthouse(["exec", "-C", folder, "--", ...command])).stdout;
    const put = (features: object): Promise<void> =>
      writeFile(
        join(folder, ".devcontainer", "devcontainer.json"),
        JSON.stringify({
          image: "debian-12",
          remoteUser: "vscode",
          customizations: { guesthouse: { memory: "768mb", cpus: 1 } },
          features,
          onCreateCommand: "tool >> ~/ran",
        }),
      );
    /** The folder's own feature, which needs one of the registry. */
    const putLocal = async (install: string): Promise<void> => {
      const place = join(folder, ".devcontainer", "greeting");
      await mkdir(place, { recursive: true });
      await writeFile(join(place, "install.sh"), `#!/bin/sh\n${install}\n`);
      await writeFile(
        join(place, "devcontainer-feature.json"),
        JSON.stringify({
          id: "greeting",
          dependsOn: {
            [`${registry.name}/acme/tool:1`]: { words: "good day" },
          },
          onCreateCommand: "echo greeting >> ~/ran",
          postAttachCommand: "echo attached >> ~/ran",
        }),
      );
    };
    const wanted = (): object => ({
      "./greeting": {},
      [`${registry.name}/acme/base`]: "7",
    });

    beforeAll(async () => {
      registry = await startFeatureRegistry();
      await registry.push(
        "acme/base",
        ["latest"],
        {
          id: "base",
          version: "1.0.0",
          options: { version: { type: "string", default: "0" } },
        },
        '#!/bin/sh\necho "base $VERSION $(id -un)" >> /opt/installed\n',
      );
      await registry.push(
        "acme/tool",
        ["1", "1.0.0"],
        {
          id: "tool",
          version: "1.0.0",
          options: { words: { type: "string", default: "hello" } },
          installsAfter: [`${registry.name}/acme/base`],
          containerEnv: { TOOL: "/opt/tool", PATH: "/opt/tool/bin:${PATH}" },
        },
        `#!/bin/sh
set -e
mkdir -p /opt/tool/bin
printf '#!/bin/sh\\necho "%s from %s"\\n' "$WORDS" '$TOOL' > /opt/tool/bin/tool
chmod +x /opt/tool/bin/tool
chown "$_REMOTE_USER" /opt/tool
echo "tool $_REMOTE_USER $_REMOTE_USER_HOME" >> /opt/installed
`,
      );
      await registry.push("acme/evil", ["latest"], { id: "evil" }, "", [
        { name: "../../../../../../../../tmp/gh-evil-was-here", content: "x" },
      ]);
      house = await household();
      await house.json(["image", "pull", "debian-12"]);
      root = await mkdtemp(join(tmpdir(), "project-"));
      folder = join(root, "featured");
      await putLocal("echo 'no luck'; exit 5");
      await put(wanted());
    });
    afterAll(async () => {
      await house[Symbol.asyncDispose]();
      await registry.close();
      await rm(root, { recursive: true, force: true });
    });

    test("one that fails ends the up, by its name, and the VM is kept", async () => {
      const { exitCode, stderr } = await up();
      expect(stderr).toContain("Feature ./greeting ended with exit code 5");
      expect(exitCode).toBe(1);
      expect(stderr).toMatch(/── feature localhost:\d+\/acme\/base ──/);
      expect((await house.machine("featured")).state.kind).toBe("running");
      expect(await inWorkspace("cat", "/opt/installed")).toBe(
        "base 7 root\ntool vscode /home/vscode",
      );
    });

    test("the next goes on with it; environment and hooks are there", async () => {
      // And what the usual feature for an SSH server does.
      await putLocal(
        String.raw`echo greeting >> /opt/installed
sed -i -E 's/#?\s*Port\s+.+/Port 2222/' /etc/ssh/sshd_config`,
      );
      const { stages } = await upJson();
      expect(stages.map(({ stage }) => stage)).toEqual([
        ...["configuration", "machine", "features", "files", "environment"],
        ...["onCreateCommand", "onCreateCommand", "postAttachCommand"],
      ]);
      expect((await inWorkspace("cat", "/opt/installed")).split("\n")).toEqual([
        "base 7 root",
        "tool vscode /home/vscode",
        "greeting",
      ]);
      const ran = () => inWorkspace("sh", "-c", "cat ~/ran");
      await expect
        .poll(ran, { timeout: 60_000 })
        .toBe("greeting\ngood day from /opt/tool\nattached");
      const { alias } = await house.machine("featured");
      for (const shell of [["tool"], ["bash", "-lc", "tool"]])
        expect((await house.ssh(alias, shell)).stdout).toBe(
          "good day from /opt/tool",
        );
      expect((await house.ssh(alias, ["stat -c %U /opt/tool"])).stdout).toBe(
        "vscode",
      );
    });

    test("a feature that gives sshd another port doesn't take ours (F6)", async () => {
      const { alias } = await house.machine("featured");
      const { stdout } = await house.ssh(alias, [
        "sudo /usr/sbin/sshd -T | grep -i '^port ' | sort",
      ]);
      expect(stdout.toLowerCase().split("\n")).toEqual([
        ...["port 22", "port 2222"],
      ]);
    });

    test("a second up installs nothing and needs no registry; the lockfile is obeyed", async () => {
      const locked = await house.json<{ path: string }>(["lock", folder]);
      const digest = /@(sha256:\w{64})/.exec(
        await readFile(locked.path, "utf8"),
      )?.[1];
      await registry.stop();
      const { stages } = await upJson();
      expect(stages.map(({ stage }) => stage)).toEqual([
        ...["configuration", "machine", "environment", "postAttachCommand"],
      ]);
      expect(await inWorkspace("wc", "-l", "/opt/installed")).toMatch(/^3 /);
      const text = await readFile(locked.path, "utf8");
      const other = text.replaceAll(digest ?? "", `sha256:${"0".repeat(64)}`);
      await writeFile(locked.path, other);
      const refused = await up();
      expect(refused.stderr).toContain("could not be fetched");
      expect(refused.exitCode).toBe(1);
      await rm(locked.path);
    });

    test("an archive that writes outside does nothing on the host", async () => {
      await registry.restart();
      await put({ [`${registry.name}/acme/evil`]: {} });
      const { exitCode, stderr } = await up();
      expect(stderr).toContain("which lies outside of it");
      expect(exitCode).toBe(3);
      expect(existsSync("/tmp/gh-evil-was-here")).toBe(false);
    });
  },
);
