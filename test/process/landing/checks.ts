// What a person does over SSH, one function each: they throw, or fail an expectation, where the landing doesn't do it.
import { execa } from "execa";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { join } from "node:path";
import { expect } from "vitest";
import { freePort } from "../ssh/realSshd.ts";
import type { Bed, Target } from "./bed.ts";

/** A container to connect to. */
export interface Place {
  readonly target: Target;
  /** A folder that the user may write to. */
  readonly writable: string;
  /** The port of its loopback with a web server, and what that says. */
  readonly web: number;
  readonly says: string;
  readonly has: readonly ("rsync" | "ssh-add" | "service")[];
}

export type Check = (bed: Bed, place: Place) => Promise<void>;

const many = randomBytes(8 << 20);
const hash = (bytes: Uint8Array) =>
  createHash("sha256").update(bytes).digest("hex");

/** Tries until it succeeds, for up to 10 s. */
export async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
  for (let i = 0; ; i++)
    try {
      return await attempt();
    } catch (error) {
      if (i === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
}

/** Runs work while a client with these options (a forward) is there. */
async function during<T>(
  bed: Bed,
  args: readonly string[],
  work: () => Promise<T>,
): Promise<T> {
  const client = execa(
    "ssh",
    [
      ...[...bed.client, "-N"],
      ...["-o", "ExitOnForwardFailure=yes", ...args, "landing"],
    ],
    { reject: false },
  );
  try {
    return await eventually(work);
  } finally {
    client.kill();
    await client;
  }
}

async function get(socket: Socket, path = "/"): Promise<string> {
  socket.setTimeout(5000, () => socket.destroy(new Error("no answer")));
  socket.write(`GET ${path} HTTP/1.0\r\n\r\n`);
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  return text;
}

/** A web server of the host, for what is forwarded to it. */
async function withHostServer<T>(
  work: (port: number) => Promise<T>,
): Promise<T> {
  const server = createServer((_, answer) => answer.end("hello from the host"));
  await new Promise<void>((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve()),
  );
  try {
    return await work((server.address() as AddressInfo).port);
  } finally {
    server.close();
  }
}

async function withFolder<T>(
  bed: Bed,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(bed.folder, "client-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const inTerminal = `
import fcntl, os, pty, select, signal, struct, sys, termios
size = lambda fd, rows, columns: fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
pid, terminal = pty.fork()
if pid == 0:
    size(0, 24, 80)
    os.execvp(sys.argv[1], sys.argv[1:])
signal.signal(signal.SIGUSR1, lambda *_: size(terminal, 33, 101))
while True:
    for fd in select.select([0, terminal], [], [])[0]:
        try:
            data = os.read(fd, 65536)
        except OSError:
            data = b""
        if not data:
            sys.exit()
        os.write(terminal if fd == 0 else 1, data)
`;

/** A shell in a terminal of 24 lines and 80 columns; `grow` makes it 33 and 101. */
async function terminal(
  bed: Bed,
  work: (shell: {
    write: (text: string) => void;
    grow: () => void;
    output: () => string;
  }) => Promise<void>,
): Promise<void> {
  const client = execa(
    "/usr/bin/python3",
    ["-c", inTerminal, "ssh", ...bed.client, "-tt", "landing"],
    { reject: false, env: { TERM: "xterm" }, buffer: false },
  );
  let text = "";
  client.stdout.on("data", (chunk) => (text += String(chunk)));
  try {
    await work({
      write: (words) => void client.stdin.write(words),
      grow: () => void client.kill("SIGUSR1"),
      output: () => text,
    });
  } finally {
    client.kill("SIGKILL");
    await client;
  }
}

const seen = (output: () => string, pattern: RegExp) =>
  eventually(() => {
    expect(output()).toMatch(pattern);
    return Promise.resolve();
  });

export const checks: Readonly<Record<string, Check>> = {
  "a command has the user, the folder and the environment": async (
    bed,
    place,
  ) => {
    const { target } = place;
    const done = await bed.ssh([
      ...["landing", 'id -u; pwd; echo "$FROM_IMAGE $FROM_TARGET $HOME"'],
    ]);
    expect(done).toEqual({
      code: 0,
      stdout: `${String(target.uid)}\n${target.workspaceFolder || "/"}\nimage it's "here" ${target.home}\n`,
      stderr: "",
    });
  },
  "a command of ours is run by sh; a locale that isn't there is left out":
    async (bed) => {
      const sent = {
        GUESTHOUSE_COMMAND: "1",
        LC_ALL: "xx_YY.UTF-8",
        LANG: "C",
      };
      const done = await bed.ssh(
        [
          ...Object.keys(sent).flatMap((name) => ["-o", `SendEnv=${name}`]),
          ...["landing", 'echo "$0 [$LC_ALL] $LANG$GUESTHOUSE_COMMAND"'],
        ],
        { env: sent },
      );
      expect(done.stderr).toBe("");
      expect(done.stdout).toMatch(/^\/(dev\/\.guesthouse\/)?bin\/sh \[\] C\n$/);
    },
  "exit codes and both outputs come back": async (bed) => {
    const done = await bed.ssh(["landing", "echo out; echo err >&2; exit 7"]);
    expect(done).toEqual({ code: 7, stdout: "out\n", stderr: "err\n" });
  },
  "8 MB come back as they were sent": async (bed) => {
    const done = await execa("ssh", [...bed.client, "landing", "cat"], {
      input: many,
      encoding: "buffer",
      env: {},
    });
    expect(hash(done.stdout)).toBe(hash(many));
  },
  "SFTP starts in the home folder and carries files": async (bed, place) =>
    withFolder(bed, async (folder) => {
      await writeFile(join(folder, "up"), many.subarray(0, 1 << 20));
      const remote = `${place.writable}/sftp file`;
      const done = await bed.run("sftp", [...bed.client, "-b-", "landing"], {
        input: `pwd\nput ${folder}/up "${remote}"\nget "${remote}" ${folder}/down\nrm "${remote}"\n`,
      });
      expect(done.code, done.stderr).toBe(0);
      expect(hash(await readFile(join(folder, "down")))).toBe(
        hash(many.subarray(0, 1 << 20)),
      );
      expect(done.stdout).toContain(`directory: ${place.target.home}\n`);
    }),
  "scp carries files": async (bed, place) =>
    withFolder(bed, async (folder) => {
      await writeFile(join(folder, "up"), "by scp");
      const remote = `landing:${place.writable}/scp`;
      for (const [from, to] of [
        [join(folder, "up"), remote],
        [remote, join(folder, "down")],
      ] as const) {
        const done = await bed.run("scp", ["-q", ...bed.client, from, to]);
        expect(done.code, done.stderr).toBe(0);
      }
      expect(await readFile(join(folder, "down"), "utf8")).toBe("by scp");
    }),
  "rsync carries folders": async (bed, place) =>
    withFolder(bed, async (folder) => {
      if (!place.has.includes("rsync")) return;
      await writeFile(join(folder, "a"), "by rsync");
      const remote = `landing:${place.writable}/rsync/`;
      const by = ["-a", "-e", `ssh ${bed.client.join(" ")}`];
      expect(
        await bed.run("rsync", [...by, `${folder}/`, remote]),
      ).toMatchObject({ code: 0 });
      await bed.run("rsync", [...by, remote, `${folder}/back/`]);
      expect(await readFile(join(folder, "back/a"), "utf8")).toBe("by rsync");
    }),
  "-L reaches the container's loopback": async (bed, place) => {
    const port = await freePort();
    const to = `${String(port)}:127.0.0.1:${String(place.web)}`;
    await during(bed, ["-L", to], async () =>
      expect(await get(connect(port, "127.0.0.1"))).toContain(place.says),
    );
  },
  "-L reaches a service by its name": async (bed, place) => {
    if (!place.has.includes("service")) return;
    const done = await bed.ssh(["-W", "db:8080", "landing"], {
      input: "GET / HTTP/1.0\r\n\r\n",
    });
    expect(done.stdout).toContain("hello from busybox");
  },
  "-R and -L carry unix sockets": async (bed, place) =>
    withHostServer(async (port) =>
      withFolder(bed, async (folder) => {
        const there = `${place.writable}/forward.sock`;
        const here = join(folder, "s");
        await during(
          bed,
          [
            "-R",
            `${there}:127.0.0.1:${String(port)}`,
            "-L",
            `${here}:${there}`,
          ],
          async () =>
            expect(await get(connect(here))).toContain("hello from the host"),
        );
      }),
    ),
  "-R brings a port of the host": async (bed, place) =>
    withHostServer(async (port) => {
      const read = "wget -qO- http://127.0.0.1:18080/";
      const done = await bed.ssh([
        ...["-R", `18080:127.0.0.1:${String(port)}`, "landing"],
        place.target.uid === 65532 ? `/busybox ${read}` : read,
      ]);
      expect(done.stdout, done.stderr).toBe("hello from the host");
    }),
  "-D reaches the container's loopback": async (bed, place) => {
    const port = await freePort();
    await during(bed, ["-D", String(port)], async () => {
      const socket = connect(port, "127.0.0.1");
      const next = () =>
        new Promise<Buffer>((resolve, reject) =>
          socket.once("data", resolve).once("error", reject),
        );
      socket.write(Buffer.from([5, 1, 0]));
      await next();
      const to = [127, 0, 0, 1, place.web >> 8, place.web & 255];
      socket.write(Buffer.from([5, 1, 0, 1, ...to]));
      expect((await next())[1]).toBe(0);
      expect(await get(socket)).toContain(place.says);
    });
  },
  "the client's agent is forwarded": async (bed, place) =>
    withFolder(bed, async (folder) => {
      const env = { SSH_AUTH_SOCK: join(folder, "agent") };
      const agent = execa("ssh-agent", ["-D", "-a", env.SSH_AUTH_SOCK], {
        reject: false,
      });
      try {
        await eventually(async () =>
          expect(
            await bed.run("ssh-add", ["-q", join(bed.folder, "id")], { env }),
          ).toMatchObject({ code: 0 }),
        );
        const ask = place.has.includes("ssh-add")
          ? "ssh-add -l"
          : 'test -S "$SSH_AUTH_SOCK" && echo ED25519';
        const done = await bed.ssh(["-A", "landing", ask], { env });
        expect(done.stdout, done.stderr).toContain("ED25519");
      } finally {
        agent.kill();
        await agent;
      }
    }),
  "a terminal follows its window, and Ctrl-C interrupts": async (bed, place) =>
    terminal(bed, async ({ write, grow, output }) => {
      write("stty size\n");
      await seen(output, /\b24 80\b/);
      grow();
      await new Promise((resolve) => setTimeout(resolve, 300));
      write(
        "stty size; echo ready $((40+1)); sleep 600; echo came $((40+2))\n",
      );
      await seen(output, /\b33 101\b[^]*ready 41/);
      await new Promise((resolve) => setTimeout(resolve, 300));
      write("\x03");
      write('echo "after $((40+3)) $PWD"\n');
      await seen(output, /after 43/);
      expect(output()).not.toContain("came 42");
      expect(output()).toContain(
        `after 43 ${place.target.workspaceFolder || "/"}`,
      );
    }),
  "nothing is left when the client is gone": async (bed, place) => {
    const client = execa(
      "ssh",
      [...bed.client, "-tt", "landing", "sleep 31337"],
      { reject: false },
    );
    const sleeping = async () =>
      (await bed.engine.docker("top", place.target.container)).includes(
        "31337",
      );
    await eventually(async () => expect(await sleeping()).toBe(true));
    client.kill("SIGKILL");
    await client;
    await eventually(async () => expect(await sleeping()).toBe(false));
  },
  "a master carries many sessions": async (bed) =>
    withFolder(bed, async (folder) => {
      const shared = ["-S", join(folder, "m")];
      const master = execa(
        "ssh",
        [...bed.client, "-M", ...shared, "-N", "landing"],
        {
          reject: false,
        },
      );
      await eventually(async () =>
        expect(
          await bed.ssh([...shared, "-O", "check", "landing"]),
        ).toMatchObject({ code: 0 }),
      );
      const all = await Promise.all(
        [1, 2, 3, 4, 5, 6].map((n) =>
          bed.ssh([...shared, "landing", `echo ${String(n)}`]),
        ),
      );
      expect(all.map(({ stdout }) => stdout.trim())).toEqual([
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
      ]);
      await bed.ssh([...shared, "-O", "exit", "landing"]);
      await master;
    }),
};
