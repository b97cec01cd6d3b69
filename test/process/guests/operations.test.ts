import {
  chmod,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connectAgent } from "../../../src/helper/guests/agent/agent.ts";
import {
  type GuestOperations,
  guestOperations,
  withGuest,
} from "../../../src/helper/guests/programs/operations.ts";
import { decodedScript } from "../../../src/helper/guests/programs/powershell.ts";
import {
  applyToWindows,
  renameWindows,
} from "../../../src/helper/guests/handoff/windowsIdentity.ts";
import {
  fakeAgent,
  synced,
  type FakeAgent,
  type Script,
} from "../../fakes/agent.ts";
import {
  addAccount,
  letsIn,
  readText,
  removeGuest,
  type WindowsGuest,
  windowsGuest,
} from "../../fakes/windows/guest.ts";
import { type Call, serve } from "../../fakes/windows/play.ts";
import { missing, startAgent } from "./realAgent.ts";

const timeoutMs = 5_000;

/** Every command that there is a program for instead. */
const replaceable = [
  ...["guest-file-open", "guest-set-time", "guest-network-get-interfaces"],
  ...["guest-get-users", "guest-ssh-add-authorized-keys"],
];

let folder: string;
let path: string | undefined;
let endWindows: (() => Promise<void>) | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "operations-"));
  path = process.env["PATH"];
});
afterEach(async () => {
  process.env["PATH"] = path;
  await endWindows?.();
  endWindows = undefined;
  await rm(folder, { recursive: true, force: true });
});

/** A program of the guest's that goes before the real one; agents that start from now on find it. */
async function program(name: string, script: string): Promise<void> {
  const bin = join(folder, "bin");
  await mkdir(bin, { recursive: true });
  await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`);
  await chmod(join(bin, name), 0o755);
  process.env["PATH"] = `${bin}:${path ?? ""}`;
}

/** Agents that start from now on find Windows' PowerShell, which is played on this guest's state. */
async function windowsInPath(): Promise<{
  readonly windows: WindowsGuest;
  readonly calls: readonly Call[];
}> {
  const windows = windowsGuest();
  const { bin, calls, unknown, close } = await serve(windows);
  process.env["PATH"] = `${bin}:${path ?? ""}`;
  endWindows = async () => {
    await close();
    removeGuest(windows);
    expect(unknown).toEqual([]);
  };
  return { windows, calls };
}

/** All that a list of processes would show of a call. */
const commandText = (args: readonly string[]): string =>
  `${args.join(" ")} ${decodedScript(args.at(-1) ?? "")}`;

async function onRealAgent<T>(
  options: readonly string[],
  work: (guest: GuestOperations, socket: string) => Promise<T>,
): Promise<T> {
  const real = await startAgent(...options);
  const agent = await connectAgent(real.socket, { timeoutMs });
  try {
    return await work(await guestOperations(agent, "linux"), real.socket);
  } finally {
    agent.close();
    await real.close();
  }
}

const blocked = ["-b", replaceable.join(",")];

describe.skipIf(missing)(
  `what is done in a guest by QEMU's own agent (skipped where ${missing ?? "it is missing"})`,
  () => {
    // More than one chunk of the agent's, and no text.
    const content = Buffer.from(
      Array.from({ length: 150_000 }, (_, i) => (i * 7) % 256),
    );

    test.each([
      ["by its own commands", []],
      ["by programs, where those are forbidden", blocked],
    ])("files are written and read whole, %s", (_, options) =>
      onRealAgent(options, async (guest) => {
        const file = join(folder, "it's a file");
        await guest.writeFile(file, content);
        expect(await readFile(file)).toEqual(content);
        expect(await guest.readFile(file)).toEqual(content);
        await guest.writeFile(file, Buffer.from("short"));
        expect((await guest.readFile(file)).toString()).toBe("short");
        await guest.writeFile(file, Buffer.alloc(0));
        expect(await guest.readFile(file)).toHaveLength(0);
        await expect(guest.readFile(join(folder, "none"))).rejects.toThrow(
          /none/,
        );
      }),
    );

    test("both ways tell the same of its cards", async () => {
      // As iproute2 prints it; the host of the tests need not have it.
      await program(
        "ip",
        `cat <<'JSON'
[{"ifname":"lo","address":"00:00:00:00:00:00","addr_info":[{"local":"127.0.0.1","prefixlen":8}],"stats64":{"rx":{"bytes":5},"tx":{"bytes":6}}}]
JSON`,
      );
      const lo = (options: readonly string[]) =>
        onRealAgent(options, async (guest) =>
          (await guest.networkInterfaces()).find(({ name }) => name === "lo"),
        );
      const own = await lo([]);
      const replaced = await lo(blocked);
      expect(own?.addresses).toContain("127.0.0.1/8");
      expect(replaced).toEqual({
        name: "lo",
        macAddress: "00:00:00:00:00:00",
        addresses: ["127.0.0.1/8"],
        receivedBytes: 5,
        sentBytes: 6,
      });
    });

    test("without the agent's commands programs set the clock, find users and take in keys", async () => {
      await program("date", `echo "$@" > '${folder}/date'`);
      await program(
        "who",
        "echo 'ann pts/0 2026-03-01 12:00'; echo 'ann tty1 2026-03-01 12:01'",
      );
      await program("getent", `echo "$2:x:0:0::${folder}/home:/bin/sh"`);
      await program("chown", ":");
      await mkdir(join(folder, "home"));
      await onRealAgent(blocked, async (guest) => {
        expect(guest.system).toBe("linux");
        await guest.setTime(new Date("2026-03-01T12:00:00.400Z"));
        expect(await guest.users()).toEqual([{ user: "ann" }]);
        await guest.authorizeKeys("ann", ["ssh-ed25519 AAAA one", "key two"]);
      });
      expect(await readFile(join(folder, "date"), "utf8")).toBe(
        "-u -s @1772366400\n",
      );
      const keys = join(folder, "home/.ssh/authorized_keys");
      expect(await readFile(keys, "utf8")).toBe(
        "ssh-ed25519 AAAA one\nkey two\n",
      );
      expect((await stat(keys)).mode & 0o777).toBe(0o600);
    });

    test("a program that fails says why, and where neither way is allowed the agent does", async () => {
      await program("getent", "exit 2");
      await onRealAgent(blocked, async (guest) => {
        await expect(guest.authorizeKeys("nobody-here", [])).rejects.toThrow(
          "taking in the key of nobody-here: there is no user nobody-here",
        );
      });
      await onRealAgent(
        ["-b", [...replaceable, "guest-exec"].join(",")],
        async (guest) => {
          await expect(guest.users()).rejects.toMatchObject({
            failure: {
              kind: "refused",
              message: expect.stringContaining("guest-exec") as string,
            },
          });
        },
      );
    });

    test("who it says that it is goes before what its image is known as; silent, it is the image's", async () => {
      const systemOf = async (...options: string[]): Promise<string> => {
        const real = await startAgent(...options);
        try {
          return await withGuest(
            real.socket,
            { expected: "windows", timeoutMs },
            ({ system }) => Promise.resolve(system),
          );
        } finally {
          await real.close();
        }
      };
      expect(await systemOf()).toBe("linux");
      expect(await systemOf("-b", "guest-get-osinfo")).toBe("windows");
    });

    test("Windows is made itself by programs that get their values as input alone", async () => {
      const hostKey = { private: "PRIVATE\nKEY\n", public: "ssh-ed25519 AAAA" };
      const user = { name: "dev", authorizedKeys: ["ssh-ed25519 BBBB ü"] };
      const { windows, calls } = await windowsInPath();
      addAccount(windows, "dev", false);
      const real = await startAgent(
        "-b",
        ["guest-get-osinfo", ...replaceable].join(","),
      );
      try {
        const outcome = await applyToWindows(
          real.socket,
          { user, hostKey },
          { timeoutMs: 30_000 },
        );
        expect(outcome).toMatchObject({
          kind: "applied",
          by: "agent",
          applied: ["timeNs", "user", "hostKey"],
          sshd: true,
        });
        await renameWindows(real.socket, "web-1");
      } finally {
        await real.close();
      }
      expect(
        Math.abs(Date.now() - (windows.clock?.getTime() ?? 0)),
      ).toBeLessThan(60_000);
      expect(letsIn(windows, "dev")).toEqual(user.authorizedKeys);
      const key = String.raw`C:\ProgramData\ssh\ssh_host_ed25519_key`;
      expect(readText(windows, key)).toBe(hostKey.private);
      expect(windows.shownHostKey).toBe(hostKey.public);
      expect(windows.nextComputerName).toBe("web-1");
      expect(
        calls.map(
          ({ stdin }) => (JSON.parse(stdin) as { values: unknown }).values,
        ),
      ).toEqual([
        { ms: windows.clock?.getTime() },
        { user: "dev", text: "ssh-ed25519 BBBB ü\n" },
        { hostKey },
        { name: "web-1" },
      ]);
      for (const { args } of calls)
        expect(commandText(args)).not.toMatch(/PRIVATE|BBBB|web-1/);
    });

    test("a part that Windows can't take on is named, and the others are done", async () => {
      const { windows } = await windowsInPath();
      windows.clockRefuses = "broken";
      windows.services.set("SessionEnv", {
        ...{ running: true, starts: 1, broken: "no" },
      });
      const real = await startAgent("-b", "guest-get-osinfo,guest-set-time");
      try {
        const outcome = await applyToWindows(
          real.socket,
          { hostKey: { private: "a", public: "b" } },
          { timeoutMs: 30_000 },
        );
        expect(outcome).toMatchObject({
          kind: "partly",
          applied: ["hostKey"],
          failed: [
            {
              what: "timeNs",
              why: expect.stringContaining("broken") as string,
            },
            { what: "remoteDesktop", why: "no" },
          ],
        });
      } finally {
        await real.close();
      }
    });
  },
);

describe("an agent that has the commands", () => {
  let fake: FakeAgent;
  afterEach(() => fake.close());

  // Those that would change the clock and the keys of this very host.
  test("is asked by them, once it said so, and no program is started", async () => {
    const asked: [string, unknown][] = [];
    const script: Script = ({ command, args }) => {
      if (command === "guest-sync-delimited") return synced(args);
      if (command === "guest-info")
        return `${JSON.stringify({ return: { supported_commands: [...replaceable, "guest-get-osinfo"].map((name) => ({ name, enabled: true })) } })}\n`;
      if (command === "guest-get-osinfo")
        return '{"return": {"id": "mswindows"}}\n';
      asked.push([command, args]);
      return '{"return": {}}\n';
    };
    fake = await fakeAgent(script);
    const at = new Date("2026-03-01T12:00:00Z");
    await withGuest(
      fake.socket,
      { expected: "linux", timeoutMs },
      async (guest) => {
        expect(guest.system).toBe("windows");
        await guest.setTime(at);
        await guest.authorizeKeys("dev", ["ssh-ed25519 AAAA"]);
      },
    );
    expect(asked).toEqual([
      ["guest-set-time", { time: at.getTime() * 1_000_000 }],
      [
        "guest-ssh-add-authorized-keys",
        { username: "dev", keys: ["ssh-ed25519 AAAA"], reset: true },
      ],
    ]);
    expect(fake.heard.filter((each) => each === "guest-info")).toHaveLength(1);
  });
});

test.each(["a-name-that-is-too-long", "12345", "-x", "ä"])(
  "“%s” is no name of a computer, and Windows isn't asked",
  async (name) => {
    await expect(
      renameWindows(join(folder, "none"), name),
    ).rejects.toMatchObject({ failure: { code: "machines.badRequest" } });
  },
);
