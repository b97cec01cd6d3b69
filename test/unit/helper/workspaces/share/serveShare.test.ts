import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  BadFrame,
  packFrame,
} from "../../../../../src/helper/workspaces/share/frames.ts";
import {
  serveShare,
  type ShareServer,
} from "../../../../../src/helper/workspaces/share/serveShare.ts";

const waiting = { timeout: 8_000, interval: 5 };

describe.skipIf(process.platform !== "linux")(
  "what a guest says on a shared folder's connection",
  () => {
    let here: string;
    let guest: PassThrough;
    let answers: Buffer[];
    let broken: unknown[];
    let server: ShareServer;

    beforeEach(async () => {
      here = await mkdtemp(join(tmpdir(), "gh-serve-"));
      await mkdir(join(here, "shared"));
      await writeFile(join(here, "secret"), "outside");
      await writeFile(join(here, "shared", "inside"), "inside");
      [guest, answers, broken] = [new PassThrough(), [], []];
      const output = new PassThrough();
      output.on("data", (data: Buffer) => answers.push(data));
      server = await serveShare(guest, output, {
        folder: join(here, "shared"),
        readonly: false,
        onHello: () => undefined,
        onBroken: (error) => broken.push(error),
      });
    });
    afterEach(async () => {
      await server.close();
      await rm(here, { recursive: true });
    });

    const said = (): string => Buffer.concat(answers).toString("latin1");
    /** Waits until the host has said this, however slow the machine is. */
    const hears = (text: string): Promise<void> =>
      vi.waitFor(() => expect(said()).toContain(text), waiting);
    const breaks = (): Promise<void> =>
      vi.waitFor(() => expect(broken).toEqual([expect.any(BadFrame)]), waiting);
    const open = (p: string): Buffer =>
      packFrame({ o: "open", i: 1, p, h: 1, f: 0 });
    const read = packFrame({ o: "read", i: 2, h: 1, s: 0, c: 100 });

    test("a file in the folder is read; by a path out of it nothing is, and the connection ends", async () => {
      guest.write(Buffer.concat([open("inside"), read]));
      await hears('"i":2}inside');
      expect(broken).toEqual([]);

      guest.write(Buffer.concat([open("\u012e\u012e\u012fsecret"), read]));
      await breaks();
      expect(said()).not.toContain("outside");
    });

    test("after garbage nothing is done any more, neither of what came with it nor of what follows", async () => {
      const mkdirOf = (p: string, i: number): Buffer =>
        packFrame({ o: "mkdir", i, p, m: 0o755 });
      guest.write(mkdirOf("before", 1));
      await hears('"i":1');
      guest.write(
        Buffer.concat([mkdirOf("with", 2), packFrame({ o: "mkdir", i: 3 })]),
      );
      guest.write(mkdirOf("after", 4));
      await breaks();
      // The server has nothing under way any more once it is closed.
      await server.close();
      expect((await readdir(join(here, "shared"))).sort()).toEqual([
        "before",
        "inside",
      ]);
      expect(await readdir(here)).toEqual(["secret", "shared"]);
    });

    test("handles that it never opened, or opened twice, are errors of the one request", async () => {
      guest.write(Buffer.concat([read, open("inside"), open("inside"), read]));
      await hears('{"i":2,"e":9}');
      await hears('{"i":1,"e":22}');
      await hears('"i":2}inside');
      expect(broken).toEqual([]);
      expect(await readFile(join(here, "secret"), "utf8")).toBe("outside");
    });
  },
);
