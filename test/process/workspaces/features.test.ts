import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import {
  failure,
  reason,
  stagesOf,
  type UpOverSsh,
  upOverSsh,
} from "./upOverSsh.ts";

const isZombie = async (pid: string): Promise<boolean> =>
  / Z /.test(await readFile(`/proc/${pid}/stat`, "utf8").catch(() => " Z "));

describe.skipIf(reason !== undefined)(
  `features are installed over OpenSSH's server (${reason ?? "with mounts of its own"})`,
  () => {
    const at = upOverSsh("mkdir -p /etc/profile.d", { user: "root" });
    const { put, up } = at;
    let guest: UpOverSsh["guest"];
    let folder: UpOverSsh["folder"];
    let remote: UpOverSsh["remote"];
    beforeEach(() => {
      ({ guest, folder, remote } = at);
    });

    const feature = async (
      id: string,
      install: string,
      metadata: object = {},
    ): Promise<void> => {
      const place = join(folder, ".devcontainer", id);
      await mkdir(place, { recursive: true });
      await writeFile(join(place, "install.sh"), `#!/bin/sh\n${install}\n`);
      await writeFile(
        join(place, "devcontainer-feature.json"),
        JSON.stringify({ id, ...metadata }),
      );
    };
    const installed = async (): Promise<string[]> =>
      (await guest.exec("cat /var/lib/ran")).stdout.trim().split("\n");

    test("a group that a feature puts the user into is the commands' in the same up", async () => {
      await feature("group", "groupadd -f tools && usermod -aG tools root");
      await put({
        features: { "./group": {} },
        postCreateCommand: "id -nG > groups",
      });
      await up();
      const groups = await readFile(join(remote, "groups"), "utf8");
      expect(groups.trim().split(" ")).toContain("tools");
    });

    test("in order, each once, with options, users and the environment of those before; hooks before the file's", async () => {
      await guest.exec(
        "rm -f /var/lib/ran; echo 'http_proxy=\"http://proxy:1\"' > /etc/environment",
      );
      await feature("late", 'echo "late $TOOL_HOME $PATH" >> /var/lib/ran', {
        installsAfter: ["./early"],
        postCreateCommand: 'echo "late hook" >> hooks',
      });
      await feature(
        "early",
        'echo "early $VERSION|$WITH_SPACE|$_REMOTE_USER|$_REMOTE_USER_HOME|$_CONTAINER_USER|$http_proxy" >> /var/lib/ran; [ -f devcontainer-features.env ]',
        {
          options: {
            version: { type: "string", default: "1" },
            "with space": { type: "string", default: "" },
          },
          containerEnv: {
            TOOL_HOME: "/opt/it's",
            PATH: "/opt/tool/bin:${PATH}",
          },
          onCreateCommand: 'echo "early hook $TOOL_HOME" >> hooks',
          postCreateCommand: ["sh", "-c", 'echo "early too" >> hooks'],
        },
      );
      const file = {
        containerUser: "nobody-here",
        features: {
          "./late": {},
          "./early": {
            version: "2'; echo evil >> /var/lib/ran; '",
            "with space": "$(id) `id`",
          },
        },
        onCreateCommand: 'echo "file $PATH" >> hooks',
        postCreateCommand: 'echo "file too" >> hooks',
      };
      await put(file);
      const first = await up();
      expect(stagesOf(first)).toEqual([
        ...["configuration", "machine", "features", "files", "environment"],
        ...["onCreateCommand", "onCreateCommand"],
        ...["postCreateCommand", "postCreateCommand", "postCreateCommand"],
      ]);
      const [early, late] = await installed();
      expect(early).toBe(
        "early 2'; echo evil >> /var/lib/ran; '|$(id) `id`|root|/root|root|http://proxy:1",
      );
      expect(late).toMatch(/^late \/opt\/it's \/opt\/tool\/bin:\/usr\/local/);
      expect(at.log).toContain("── machine ──");
      expect(at.log).toMatch(
        /── feature \.\/early ──[^]*── feature \.\/late ──/,
      );
      const hooks = (await readFile(join(remote, "hooks"), "utf8")).split("\n");
      expect(hooks[0]).toBe("early hook /opt/it's");
      expect(hooks[1]).toMatch(/^file \/opt\/tool\/bin:/);
      expect(hooks.slice(2)).toEqual([
        ...["early too", "late hook", "file too", ""],
      ]);
      const logins = await guest.exec(
        "cat /etc/environment; ls /var/lib/guesthouse/features; . /etc/profile.d/guesthouse-features.sh; echo $PATH",
      );
      expect(logins.stdout).toContain('http_proxy="http://proxy:1"');
      expect(logins.stdout).toMatch(
        /PATH="\/opt\/tool\/bin:\/usr\/local\/sbin/,
      );
      expect(logins.stdout).toMatch(/\n\/opt\/tool\/bin:.*\n$/);

      expect(stagesOf(await up())).toEqual([
        ...["configuration", "machine", "environment"],
      ]);
      expect(await installed()).toHaveLength(2);
      // Other options are another feature; the rest stays as it is.
      await put({ ...file, features: { "./late": {}, "./early": "3" } });
      await up();
      expect((await installed()).slice(2)).toEqual([
        "early 3||root|/root|root|http://proxy:1",
      ]);
    });

    test("the first that fails ends it, by its name; the next up goes on with it", async () => {
      await guest.exec("rm -f /var/lib/ran");
      await feature("a", "echo a >> /var/lib/ran");
      await feature("b", "echo no luck; exit 9", {
        dependsOn: { "./a": {} },
      });
      await feature("c", "echo c >> /var/lib/ran", {
        dependsOn: { "./b": {} },
      });
      await put({ features: { "./c": {} }, onCreateCommand: "touch created" });
      expect(await failure(up())).toMatchObject({
        kind: "failed",
        code: "workspaces.commandFailed",
        message:
          "Feature ./b ended with exit code 9. Its last words:\n    no luck",
        actions: ["retry", "showLog"],
      });
      expect(await at.state()).toMatchObject({
        kind: "failed",
        stage: "features",
        exitCode: 9,
        tail: ["no luck"],
      });
      expect(await installed()).toEqual(["a"]);
      await feature("b", "echo b >> /var/lib/ran", {
        dependsOn: { "./a": {} },
      });
      await up();
      expect(await installed()).toEqual(["a", "b", "c"]);
      expect(await at.state()).toEqual({ kind: "ready" });
    });

    test("cancelled, it ends in the guest too, and the next up begins it anew", async () => {
      await guest.exec("rm -f /var/lib/ran");
      const witness = join(at.sshd.folder, `pid of ${at.home}`);
      await feature(
        "slow",
        `trap '' HUP; echo begun >> /var/lib/ran; sleep 300 & echo $! > '${witness}.new'; mv '${witness}.new' '${witness}'; wait; echo never >> /var/lib/ran`,
      );
      await put({ features: { "./slow": {} } });
      const controller = new AbortController();
      const attempt = failure(up({}, controller.signal));
      while (!existsSync(witness))
        await new Promise((wake) => setTimeout(wake, 50));
      controller.abort();
      expect((await attempt).kind).toBe("cancelled");
      const pid = (await readFile(witness, "utf8")).trim();
      while (existsSync(`/proc/${pid}/cmdline`) && !(await isZombie(pid)))
        await new Promise((wake) => setTimeout(wake, 50));
      expect(await installed()).toEqual(["begun"]);
      await feature("slow", "echo quick >> /var/lib/ran");
      await up();
      expect(await installed()).toEqual(["begun", "quick"]);
    });

    test("what can't be found or read ends it before there is a VM", async () => {
      await put({ features: { "../../etc": {} } });
      expect(await failure(up())).toMatchObject({
        kind: "refused",
        code: "workspaces.outsideFolder",
      });
      await put({ features: { "ghcr.io/x": 3 } });
      expect(await failure(up())).toMatchObject({
        kind: "refused",
        code: "workspaces.featureInvalid",
      });
      expect(await at.state()).toMatchObject({ stage: "configuration" });
      expect(at.log).not.toContain("── machine ──");
    });
  },
);
