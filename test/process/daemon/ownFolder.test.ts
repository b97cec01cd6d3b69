import { chmod, chown, mkdir, symlink } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { helperSocketOf, runFolderOf } from "../../../src/rpc/address.ts";
import { greet } from "../../../src/rpc/launch.ts";
import { scratch } from "../../fakes/scratch.ts";

/** A data folder whose path is too long for sockets, so that they lie in a shared folder (F44). */
let home: string;
let run: string;
const look = () => greet({ home, version: "1.0.0", client: "cli" });

beforeEach(async () => {
  const shared = await scratch();
  vi.stubEnv("XDG_RUNTIME_DIR", shared);
  home = join(shared, "x".repeat(100));
  run = runFolderOf(home);
  expect(run.startsWith(home)).toBe(false);
});
afterEach(() => vi.unstubAllEnvs());

test("where nobody has made a folder for sockets, or it is ours and empty, no helper runs", async () => {
  expect(await look()).toBeUndefined();
  await mkdir(run, { mode: 0o700 });
  expect(await look()).toBeUndefined();
});

test("a folder that is open to others, or another user's, isn't believed, whoever answers there (F44)", async ({
  onTestFinished,
}) => {
  await mkdir(run);
  let asked = 0;
  const server = createServer((socket) => {
    asked += 1;
    socket.destroy();
  });
  onTestFinished(() => void server.close());
  await new Promise<void>((done) => server.listen(helperSocketOf(home), done));
  for (const mode of [0o755, 0o770, 0o701]) {
    await chmod(run, mode);
    await expect(look()).rejects.toMatchObject({
      failure: {
        code: "helper.unreachable",
        message: expect.stringContaining(run) as string,
      },
    });
  }
  await chmod(run, 0o700);
  if (process.getuid?.() === 0) {
    await chown(run, 65_534, 65_534);
    await expect(look()).rejects.toThrow(/another user/);
    await chown(run, 0, 0);
  }
  expect(asked).toBe(0);
});

test("a link to a folder is no folder of ours", async () => {
  const elsewhere = join(run, "..", "elsewhere");
  await mkdir(elsewhere, { mode: 0o700 });
  await symlink(elsewhere, run);
  await expect(look()).rejects.toThrow(/another user/);
});
