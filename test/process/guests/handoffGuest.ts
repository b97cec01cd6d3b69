import { execa } from "execa";
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, constants, openSync, readSync, writeSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { makeHandoffFifos } from "../../../src/helper/guests/handoff/port.ts";
import { fakeAgent, type FakeAgent, synced } from "../../fakes/agent.ts";

/** What guests run. */
export const program = join(
  import.meta.dirname,
  "../../../resources/guest/handoff/handoff",
);

const python = await execa("python3", ["--version"], { reject: false });

/** Why the tests with the service can't run here; undefined when they can. */
export const missing: string | undefined =
  process.platform !== "linux"
    ? "the service is Linux's"
    : python.exitCode === 0
      ? undefined
      : "Python is not installed";

/** A guest's files and its end of the port: the real service in a tree of its own, and FIFOs held open as QEMU does. */
export interface HandoffGuest {
  readonly folder: string;
  readonly root: string;
  readonly fifo: string;
  put(path: string, text: string): Promise<void>;
  read(path: string): Promise<string>;
  /** Starts the service, or another program in its place. */
  serve(script?: string): ChildProcess;
  /** A scripted agent that really runs the service's program; answers with its socket. */
  serveAgent(): Promise<string>;
  kill(child: ChildProcess): Promise<void>;
  /** Takes what lies in a FIFO, without waiting. */
  peek(end: "in" | "out"): string;
  inject(end: "in" | "out", text: string | Uint8Array): void;
  close(): Promise<void>;
}

export async function handoffGuest(): Promise<HandoffGuest> {
  const folder = await mkdtemp(join(tmpdir(), "handoff-"));
  const root = join(folder, "root");
  const fifo = join(folder, "port");
  const children: ChildProcess[] = [];
  let agent: FakeAgent | undefined;
  const put = (path: string, text: string): Promise<void> =>
    writeFile(join(root, path), text);
  await fillTree(root, put);
  await makeHandoffFifos(fifo);
  const flags = constants.O_RDWR | constants.O_NONBLOCK;
  const held = {
    in: openSync(`${fifo}.in`, flags),
    out: openSync(`${fifo}.out`, flags),
  };
  return {
    ...{ folder, root, fifo, put },
    read: (path) => readFile(join(root, path), "utf8"),
    serve: (script = program) => {
      const child = spawn(
        "python3",
        ["-IS", script, "--root", root, "--port", `${fifo}.in`, `${fifo}.out`],
        { stdio: "ignore" },
      );
      children.push(child);
      return child;
    },
    serveAgent: async () => {
      agent = await programRunner(root);
      return agent.socket;
    },
    kill,
    peek: (end) => {
      const bytes = Buffer.alloc(64 * 1024);
      try {
        return bytes.toString("utf8", 0, readSync(held[end], bytes));
      } catch {
        return "";
      }
    },
    inject: (end, text) => {
      writeSync(held[end], Buffer.from(text));
    },
    close: async () => {
      await Promise.all(children.map(kill));
      await agent?.close();
      closeSync(held.in);
      closeSync(held.out);
      await rm(folder, { recursive: true });
    },
  };
}

async function fillTree(root: string, put: HandoffGuest["put"]): Promise<void> {
  const { uid, gid } = userInfo();
  for (const path of ["etc/ssh", "etc/apt/apt.conf.d", "run", "home/dev"])
    await mkdir(join(root, path), { recursive: true });
  await put("etc/hostname", "parent\n");
  await put("etc/hosts", "127.0.0.1\tlocalhost\n127.0.1.1\tparent parent\n");
  await put("etc/machine-id", `${"0".repeat(32)}\n`);
  await put("etc/environment", "EDITOR=nano\n");
  await put(
    "etc/passwd",
    `root:x:0:0::/root:/bin/sh\ndev:x:${String(uid)}:${String(gid)}::/home/dev:/bin/sh\n`,
  );
  for (const type of ["rsa", "ed25519"])
    await put(`etc/ssh/ssh_host_${type}_key`, "the parent's");
}

function programRunner(root: string): Promise<FakeAgent> {
  const results = new Map<number, object>();
  let started = 0;
  return fakeAgent(({ command, args, socket }) => {
    const answer = (value: unknown): string =>
      `${JSON.stringify({ return: value })}\n`;
    if (command === "guest-sync-delimited") return synced(args);
    if (command === "guest-exec-status")
      return answer(results.get(Number(args["pid"])) ?? { exited: false });
    if (args["path"] !== "/usr/lib/guesthouse/handoff")
      return '{"error": {"class": "GenericError", "desc": "no such program"}}\n';
    const pid = ++started;
    void execa(
      "python3",
      ["-IS", program, "--root", root, ...(args["arg"] as string[])],
      {
        input: Buffer.from(args["input-data"] as string, "base64"),
        reject: false,
      },
    ).then(({ exitCode, stdout }) =>
      results.set(pid, {
        exited: true,
        exitcode: exitCode,
        "out-data": Buffer.from(stdout).toString("base64"),
      }),
    );
    socket.write(answer({ pid }));
    return undefined;
  });
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}
