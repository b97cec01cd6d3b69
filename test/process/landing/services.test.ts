/*
 * What the host asks of a VM's engine (resources/guest/containers), of a real engine: the state of services, their logs,
 * and containers that run again.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { execa } from "execa";
import { afterAll, expect, test } from "vitest";
import {
  engineProgramIn,
  servicesIn,
} from "../../../src/helper/workspaces/container/engine.ts";
import { externalsScript } from "../../../src/helper/workspaces/container/guestScripts.ts";
import { type Engine, engineMissing, startEngine } from "./engine.ts";

let reason = await engineMissing();
let started: Engine | undefined;
if (reason === undefined)
  started = await startEngine().catch((error: unknown) => {
    reason = `no container engine runs here: ${String(error)}`;
    return undefined;
  });
const engine = started as Engine;
afterAll(() => started?.close());

const program = await engineProgramIn(
  resolve(import.meta.dirname, "../../../resources"),
)();
const args = (...words: string[]): string[] => ["-IS", "-c", program, ...words];
const ask = (...words: string[]) =>
  execa("/usr/bin/python3", args(...words), {
    env: { GUESTHOUSE_ENGINE: engine.socket },
    reject: false,
    stdin: "ignore",
  });

const ofCompose = (service: string, ...more: string[]): string[] => [
  ...["--label", "com.docker.compose.project=shop"],
  ...["--label", `com.docker.compose.service=${service}`],
  ...more,
];
const run = async (options: string[], command: string): Promise<string> =>
  engine.docker(
    ...["run", "--detach", "--network", "none", "--init", ...options],
    ...["box", "/bin/busybox", "sh", "-c", command],
  );
const ended = (id: string) => engine.docker("wait", id);
const inspected = (id: string, format: string) =>
  engine.docker("inspect", "--format", format, id);

test.skipIf(reason !== undefined)(
  "services with state, health and last words; logs that end; containers that run again",
  async () => {
    const tree = join(engine.folder, "box");
    await execa("mkdir", ["-p", join(tree, "bin")]);
    await execa("cp", ["/bin/busybox", join(tree, "bin")]);
    await execa("tar", ["-C", tree, "-cf", `${tree}.tar`, "."]);
    await engine.docker("import", `${tree}.tar`, "box");

    const sleeping = "/bin/busybox sleep 600 & wait";
    const dev = await run(
      ofCompose("app", "--label", "devcontainer.local_folder=/workspaces/shop"),
      sleeping,
    );
    const db = await run(
      ofCompose("db", "--name", "shop-db-1"),
      // The engine reads both streams by themselves: what is said at once has no order.
      "echo begins; /bin/busybox sleep 0.5; echo no space left >&2; exit 3",
    );
    const done = await run(ofCompose("migrate"), "exit 0");
    const sick = await run(
      ofCompose(
        "web",
        ...["--health-cmd", "exit 1", "--health-interval", "100ms"],
        ...["--health-retries", "1"],
      ),
      sleeping,
    );
    await run(["--name", "stranger"], sleeping);
    await Promise.all([ended(db), ended(done)]);
    await expect
      .poll(() => inspected(sick, "{{.State.Health.Status}}"), {
        timeout: 15_000,
      })
      .toBe("unhealthy");

    const listed = servicesIn((await ask("list", "5")).stdout, undefined);
    expect(
      listed.map(({ service, tail }) => [
        service.service,
        service.state,
        service.exitCode ?? service.health,
        tail,
      ]),
    ).toEqual([
      ["app", "running", undefined, []],
      ["db", "exited", 3, ["begins", "no space left"]],
      ["migrate", "exited", 0, []],
      ["web", "running", "unhealthy", []],
    ]);
    expect(listed[0]?.service).toMatchObject({ id: dev, devContainer: true });

    const log = await ask("logs", db, "all", "once");
    expect([log.stdout, log.stderr]).toEqual(["begins", "no space left"]);
    expect((await ask("logs", db, "0", "once")).stdout).toBe("");
    expect((await ask("logs", "nothing", "all", "once")).stderr).toMatch(
      /No such container/,
    );

    // Nobody stopped it before a boot; asked for by `up` it runs, with what is beside it.
    await engine.docker("kill", dev, sick);
    await Promise.all([ended(dev), ended(sick)]);
    expect((await ask("start", dev, "boot", "-")).stdout).toBe(
      '{"startedAt": ""}',
    );
    const again = JSON.parse(
      (await ask("start", "-", "always", "0")).stdout,
    ) as { startedAt: string; containers: { id: string; state: string }[] };
    expect(again.containers.find(({ id }) => id === dev)?.state).toBe(
      "running",
    );
    expect(again.startedAt).toBe(await inspected(dev, "{{.State.StartedAt}}"));
    expect(await inspected(sick, "{{.State.Running}}")).toBe("true");
    expect((await ask("start", "0".repeat(64), "always", "-")).stdout).toBe(
      "{}",
    );

    // Its folder is mounted after the engine has started it.
    const shared = join(engine.folder, "shared");
    await execa("mkdir", [shared]);
    const early = await run(["--volume", `${shared}:/seen`], sleeping);
    const other = await run([], sleeping);
    const since = await inspected(other, "{{.State.StartedAt}}");
    const inEngine = async (...command: string[]) => {
      const pid = await readFile(join(engine.folder, "pid"), "utf8");
      await execa("nsenter", ["-t", pid.trim(), "--mount", ...command]);
    };
    await inEngine("mount", "-t", "tmpfs", "shared", shared);
    await inEngine("touch", join(shared, "file"));
    const seen = () =>
      engine.docker("exec", early, "/bin/busybox", "ls", "/seen");
    expect(await seen()).toBe("");
    await ask("start", dev, "boot", "-", shared);
    expect(await seen()).toBe("file");
    expect(await inspected(other, "{{.State.StartedAt}}")).toBe(since);

    // As the shell of the VM's user runs it.
    const make = () =>
      execa(
        "sh",
        [
          "-c",
          externalsScript({ networks: ["net", "mine"], volumes: ["vol"] }),
        ],
        {
          env: { DOCKER_HOST: `unix://${engine.socket}` },
        },
      );
    await engine.docker("volume", "create", "vol");
    await engine.docker("network", "create", "mine");
    expect((await make()).stdout).toBe("net");
    expect((await make()).stdout).toBe("");
    expect(
      await engine.docker("network", "ls", "--format", "{{.Name}}"),
    ).toMatch(/^net$/m);

    const talker = await run(
      [],
      "while :; do echo tick; busybox sleep 0.1 || /bin/busybox sleep 0.1; done",
    );
    const follower = spawn(
      "/usr/bin/python3",
      args("logs", talker, "1", "follow"),
      { env: { GUESTHOUSE_ENGINE: engine.socket } },
    );
    await once(follower.stdout, "data");
    await once(follower.stdout, "data");
    const exit = once(follower, "exit");
    follower.stdin.end();
    expect(await exit).toEqual([0, null]);
  },
);
