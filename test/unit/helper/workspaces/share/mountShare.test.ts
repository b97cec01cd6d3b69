import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { promiseWithResolvers } from "../../../../../src/base/deadline.ts";
import type {
  ExecResult,
  SshSession,
} from "../../../../../src/helper/ssh/session.ts";
import { packFrame } from "../../../../../src/helper/workspaces/share/frames.ts";
import { mountShare } from "../../../../../src/helper/workspaces/share/mountShare.ts";

describe.skipIf(process.platform !== "linux")(
  "a guest that sends garbage",
  () => {
    const mount = async (said: readonly Buffer[]) => {
      const folder = await mkdtemp(join(tmpdir(), "gh-mount-"));
      const ended = promiseWithResolvers<ExecResult>();
      const stdout = new PassThrough();
      for (const frame of said) stdout.write(frame);
      const session = {
        start: () =>
          Promise.resolve({
            ...{ stdin: new PassThrough(), stdout, ended: ended.promise },
            stop: () => ended.resolve({ code: -1, stdout: "", stderr: "" }),
          }),
      } as unknown as SshSession;
      const spec = { folder, target: "/workspaces/web", readonly: false };
      try {
        const share = await mountShare(session, spec, Buffer.alloc(0));
        return { ...share, stdout };
      } finally {
        await rm(folder, { recursive: true });
      }
    };
    const hello = packFrame({ o: "hello" });
    const failure = {
      code: "workspaces.shareFailed",
      message: expect.stringContaining("invalid request") as string,
    };

    test("in place of its first word is not mounted, and it is said why", async () => {
      await expect(
        mount([Buffer.from("Welcome to Debian!")]),
      ).rejects.toMatchObject({ failure });
    });

    test("later on is let go, and it is said why; one that just goes is no failure", async () => {
      const share = await mount([hello]);
      share.stdout.write(packFrame({ o: "exec", i: 1 }));
      await expect(share.ended).rejects.toMatchObject({ failure });
      const other = await mount([hello]);
      await other.close();
      await expect(other.ended).resolves.toBeUndefined();
    });
  },
);
