/**
 * The container engine as a feature of ours, installed over a real SSH server as `up` does it. The distribution's package
 * manager and engine are stand-ins, in a root of the server's own: what they are asked for, and in which order, is what counts.
 */
import { join } from "node:path";
import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  test,
} from "vitest";
import {
  connectSsh,
  type SshSession,
} from "../../../src/helper/ssh/session.ts";
import { engineFeature } from "../../../src/helper/workspaces/features/engine.ts";
import { setUpFeatures } from "../../../src/helper/workspaces/features/stage.ts";
import { type RealSshd, startSshd } from "../ssh/realSshd.ts";
import { apart, failure, reason } from "./upOverSsh.ts";

const resources = join(import.meta.dirname, "../../../resources");

/** A guest whose system is systemd, and which has no engine, whatever this host has. */
const [unshare = "", mount = "", sh = "", c = "", script = "", zero = ""] =
  apart;
const bare = [
  ...[unshare, mount, sh, c],
  `set -e; mount -t tmpfs run /run; mkdir -p /run/sshd /run/systemd/system
engine=$(command -v dockerd) || engine=; [ -z "$engine" ] || mount --bind /dev/null "$engine"
${script}`,
  zero,
];

/** Programs that note how they are called in /root/calls, before anything that this host has. */
const standIns = (programs: Readonly<Record<string, string>>): string =>
  `rm -rf /root/bin /root/calls /etc/docker /etc/systemd/system/docker.service.d /var/lib/guesthouse; mkdir -p /root/bin /var/lib/guesthouse/workspace
${Object.entries({
  systemctl: "",
  usermod: "",
  docker: "[ -e /root/bin/dockerd ]",
  ...programs,
})
  .map(
    ([name, text]) =>
      `printf '#!/bin/sh\\necho ${name} "$@" >> /root/calls\\n%s\\n' '${text}' > /root/bin/${name}; chmod +x /root/bin/${name}`,
  )
  .join("\n")}`;

const knows = (...names: string[]): string =>
  `case $2 in ${names.join("|")}) echo "  Candidate: 1.0";; *) echo "  Candidate: (none)";; esac`;
/** Starts the engine while it installs it, as Debian's does. */
const apt = `[ "$1" != install ] && [ "$2" != install ] || { ls /etc/docker /etc/systemd/system/docker.service.d >> /root/calls; printf "" > /root/bin/dockerd; chmod +x /root/bin/dockerd; }`;

describe.skipIf(reason !== undefined)(
  `a container engine for an image without one${reason === undefined ? "" : ` (${reason})`}`,
  () => {
    let sshd: RealSshd;
    let guest: SshSession;
    let log: string;

    beforeAll(async () => {
      sshd = await startSshd(bare, {
        settings: ["SetEnv PATH=/root/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
      });
      guest = await connectSsh(sshd.target);
    });
    afterAll(async () => {
      guest.close();
      await sshd.close();
    });
    beforeEach(() => {
      log = "";
    });

    const install = async (): Promise<string[]> => {
      const write = (text: string): void => void (log += text);
      await setUpFeatures(
        {
          session: guest,
          marks: new Map(),
          log: {
            path: "the log",
            mark: write,
            write,
            note: write,
            flush: () => Promise.resolve(),
          },
        },
        [await engineFeature(resources)],
        {
          users: { remote: "root", container: undefined },
          stage: (work) => work(),
        },
        new AbortController().signal,
      );
      return (await guest.exec("cat /root/calls")).stdout.split("\n");
    };

    test("Debian's packages, of those that it has, with our settings there before the engine starts", async () => {
      await guest.exec(
        standIns({
          "apt-get": apt,
          "apt-cache": knows("docker.io", "docker-compose"),
        }),
      );
      const calls = await install();
      expect(calls).toContain(
        "apt-get install -qy --no-install-recommends ca-certificates iptables docker.io docker-compose",
      );
      expect(calls).toContain("daemon.json");
      expect(calls).toContain("50-guesthouse.conf");
      expect(calls).toContain("usermod -aG docker root");
      const { stdout } = await guest.exec(
        "cat /etc/docker/daemon.json /etc/systemd/system/docker.service.d/50-guesthouse.conf",
      );
      expect(stdout).toContain('"shutdown-timeout"');
      expect(stdout).toContain("\n[Service]\n");
      expect(stdout).not.toContain("[Unit]");
    });

    test("an engine that is there stays, with its settings", async () => {
      await guest.exec(
        `${standIns({ "apt-get": apt, dockerd: "" })}; mkdir -p /etc/docker; echo mine > /etc/docker/daemon.json`,
      );
      const calls = await install();
      expect(calls.join("\n")).not.toContain("apt-get");
      const { stdout } = await guest.exec("cat /etc/docker/daemon.json");
      expect(stdout).toBe("mine\n");
    });

    test.each([
      ["has no package of one", { "apt-get": "", "apt-cache": knows("x") }],
      ["can't install it", { "apt-get": "exit 100", "apt-cache": "" }],
    ])(
      "a distribution that %s: said, with what helps",
      async (_what, programs) => {
        await guest.exec(standIns(programs));
        const { message } = await failure(install());
        expect(message).toContain("container engine");
        expect(log).toMatch(/Use the image “containers”/);
      },
    );

    test("an engine that doesn't come up is told in its own words", async () => {
      await guest.exec(
        standIns({
          "apt-get": apt,
          "apt-cache": knows("docker.io"),
          docker: 'echo "Cannot connect to the Docker daemon" >&2; exit 1',
          sleep: "",
        }),
      );
      await failure(install());
      expect(log).toMatch(
        /doesn't answer:\n.*Cannot connect to the Docker daemon/s,
      );
    });
  },
);
