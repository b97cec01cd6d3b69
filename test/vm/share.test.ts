import {
  mkdir,
  mkdtemp,
  readFile,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { CameUp } from "../../src/protocol/workspaces.ts";
import { eventually, type Household, household } from "./household.ts";
import { shapeInFile } from "./warmGuests.ts";

let house: Household;
let scratch: string;
let folder: string;
let name: string;

/** Runs a command in the workspace's folder, as its user. */
const run = async (command: string): Promise<string> => {
  const { exitCode, stdout, stderr } = await house.guesthouse([
    ...["exec", "-C", folder, "sh", "-c", command],
  ]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return stdout.trim();
};

beforeAll(async () => {
  house = await household();
  scratch = await mkdtemp(join(tmpdir(), "gh-shared-"));
  folder = join(scratch, "web");
  await mkdir(join(folder, "src"), { recursive: true });
  await writeFile(join(scratch, "secret"), "outside\n");
  await writeFile(join(folder, "src", "a"), "here\n", { mode: 0o640 });
  await writeFile(
    join(folder, ".devcontainer.json"),
    JSON.stringify({
      postCreateCommand: "cp src/a made",
      customizations: { guesthouse: { files: "share", ...shapeInFile } },
    }),
  );
});
afterAll(async () => {
  await house[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true, force: true });
});

test("a file that wants its folder mounted gets nothing without the user's word; with it both sides see the same files", async () => {
  const refused = await house.guesthouse(["up", folder]);
  expect(refused.exitCode).toBe(3);
  expect(refused.stderr).toContain("--files share");

  const came = await house.json<CameUp>(["up", folder, "--files", "share"]);
  name = came.workspace.machine?.name ?? "";
  expect(came.workspace.files).toBe("share");
  // Its command ran in the mounted folder.
  expect(await readFile(join(folder, "made"), "utf8")).toBe("here\n");
  expect(
    await run(
      'pwd; stat -c "%U %a" src/a; mkdir -p d && mv made d/m && ln -s /etc/hostname d/l && chmod 700 d',
    ),
  ).toBe(`/workspaces/web\n${came.user} 640`);
  expect((await stat(join(folder, "d"))).mode & 0o777).toBe(0o700);
  await writeFile(join(folder, "src", "a"), "changed on the host\n");
  await eventually("the change in the guest", 5_000, async () =>
    (await run("cat src/a")) === "changed on the host" ? true : undefined,
  );
});

test("a link out of the folder leads nowhere on the host", async () => {
  await run(`ln -s ${scratch} out && ln -s ../secret up`);
  // The same ways within the folder lead somewhere, so the mount is in order.
  await writeFile(join(folder, "inside"), "inside\n");
  await run("ln -s src in && ln -s inside next");
  const outcome = (attempt: string): Promise<string> =>
    run(`(${attempt}) > /dev/null 2>&1 && echo reached || echo kept`);
  for (const attempt of [
    ...["cat inside", "cat next", "ls in/", "cat in/a", "echo x > in/made"],
  ])
    expect([attempt, await outcome(attempt)]).toEqual([attempt, "reached"]);
  expect(await readFile(join(folder, "src", "made"), "utf8")).toBe("x\n");
  for (const attempt of ["cat out/secret", "cat up", "echo x > out/made"])
    expect([attempt, await outcome(attempt)]).toEqual([attempt, "kept"]);
  expect(await readFile(join(scratch, "secret"), "utf8")).toBe("outside\n");
  await expect(stat(join(scratch, "made"))).rejects.toThrow();
});

test("a program of the guest that waits for changes hears of the host's (inotify)", async () => {
  const hears = house.guesthouse([
    ...["exec", "-C", folder, "python3", "-c"],
    `import ctypes, os
libc = ctypes.CDLL(None)
fd = libc.inotify_init()
libc.inotify_add_watch(fd, b"src", 0x100)
print(os.listdir("src"), flush=True)
print(os.read(fd, 4096)[16:].rstrip(bytes(1)).decode())`,
  ]);
  let round = 0;
  const making = setInterval(() => {
    round += 1;
    void writeFile(join(folder, "src", `new${String(round)}`), "");
  }, 1_000);
  const { stdout } = await hears.finally(() => clearInterval(making));
  expect(stdout).toMatch(/\nnew\d+$/);
});

test("it outlives the helper, a suspension and a restart; a fork is refused, and nothing is lost by deleting", async () => {
  await house.guesthouse(["daemon", "stop"]);
  await writeFile(join(folder, "src", "a"), "without a helper\n");
  expect(await run("cat src/a")).toBe("without a helper");

  await house.json(["suspend", name]);
  await writeFile(join(folder, "src", "a"), "while it slept\n");
  expect(await run("cat src/a && echo awake > src/b")).toBe("while it slept");
  expect(await readFile(join(folder, "src", "b"), "utf8")).toBe("awake\n");

  const fork = await house.guesthouse(["fork", name, "twin"]);
  expect(fork.exitCode).toBe(3);
  expect(fork.stderr).toContain("mounted");

  await house.json(["restart", name]);
  expect(await run("cat src/b")).toBe("awake");
  await house.json(["delete", name]);
  expect(await readFile(join(folder, "src", "b"), "utf8")).toBe("awake\n");
});
