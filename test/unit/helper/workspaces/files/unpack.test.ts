import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { pack } from "tar-stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { packInto } from "../../../../../src/helper/workspaces/files/pack.ts";
import { unpackFrom } from "../../../../../src/helper/workspaces/files/unpack.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "unpack-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const quiet = (): void => undefined;

test("what is packed comes out the same: content, modes, links, long and odd names", async () => {
  const from = join(folder, "from");
  const long = `${"long".repeat(30)}/${"name".repeat(40)}`;
  await mkdir(join(from, "long".repeat(30)), { recursive: true });
  await writeFile(join(from, "run.sh"), "#!/bin/sh\n", { mode: 0o750 });
  await writeFile(join(from, "big"), Buffer.alloc(3_000_000, 7));
  await writeFile(join(from, "empty"), "");
  await writeFile(join(from, long), "deep");
  await writeFile(join(from, "ü 'q' $x"), "odd");
  await symlink("run.sh", join(from, "link"));
  const names = [
    "run.sh",
    "big",
    "empty",
    "long".repeat(30),
    long,
    "ü 'q' $x",
    "link",
  ];
  const stream = new PassThrough();
  const to = join(folder, "to");
  const [packed, unpacked] = await Promise.all([
    packInto(
      stream,
      names.map((name) => ({ local: join(from, name), name: `top/${name}` })),
      quiet,
    ),
    unpackFrom(stream, { folder: to, rename: "renamed" }, quiet),
  ]);
  expect(packed).toEqual({ files: 6, bytes: 3_000_000 + 10 + 4 + 3 });
  expect(unpacked).toEqual(packed);
  const at = (name: string): string => join(to, "renamed", name);
  expect((await stat(at("run.sh"))).mode & 0o777).toBe(0o750);
  expect((await readFile(at("big"))).equals(Buffer.alloc(3_000_000, 7))).toBe(
    true,
  );
  expect(await readFile(at(long), "utf8")).toBe("deep");
  expect(await readFile(at("ü 'q' $x"), "utf8")).toBe("odd");
  expect(await readlink(at("link"))).toBe("run.sh");
  expect((await stat(at("empty"))).size).toBe(0);
});

test("a file that vanished meanwhile is left out", async () => {
  await writeFile(join(folder, "a"), "a");
  const stream = new PassThrough();
  stream.resume();
  const packed = await packInto(
    stream,
    ["a", "gone"].map((name) => ({ local: join(folder, name), name })),
    quiet,
  );
  expect(packed.files).toBe(1);
});

test("packing ends with the error of a target that breaks", async () => {
  await writeFile(join(folder, "big"), Buffer.alloc(5_000_000));
  const stream = new PassThrough();
  const packing = packInto(
    stream,
    [{ local: join(folder, "big"), name: "big" }],
    quiet,
  );
  setTimeout(() => stream.destroy(new Error("gone")), 20);
  await expect(packing).rejects.toThrow();
});

/** A guest that wants to write elsewhere. */
function hostile(
  entries: readonly {
    name: string;
    content?: string;
    linkname?: string;
    type?: "link";
  }[],
): Readable {
  const archive = pack();
  for (const { name, content, linkname, type } of entries)
    if (linkname !== undefined)
      archive.entry({ name, type: type ?? "symlink", linkname });
    else archive.entry({ name }, content ?? "x");
  archive.finalize();
  return Readable.from(archive);
}

test.each(["../out", "a/../../out", "../../tmp/out"])(
  "a name that leaves the folder is refused: %s",
  async (name) => {
    const to = join(folder, "to");
    await mkdir(to);
    await expect(
      unpackFrom(hostile([{ name }]), { folder: to }, quiet),
    ).rejects.toMatchObject({ failure: { code: "ssh.transferFailed" } });
    expect(await readdir(folder)).toEqual(["to"]);
  },
);

test("an absolute name lands below the folder", async () => {
  await unpackFrom(hostile([{ name: "/etc/x" }]), { folder }, quiet);
  expect(await readFile(join(folder, "etc", "x"), "utf8")).toBe("x");
});

test("nothing is written through a link, neither the guest's nor one that lies there already", async () => {
  const outside = join(folder, "outside");
  await mkdir(outside);
  const to = join(folder, "to");
  await mkdir(to);
  await writeFile(join(folder, "victim"), "safe");
  await symlink(join(folder, "victim"), join(to, "f"));
  await unpackFrom(
    hostile([
      { name: "d", linkname: outside },
      { name: "f", content: "new" },
    ]),
    { folder: to },
    quiet,
  );
  expect(await readFile(join(folder, "victim"), "utf8")).toBe("safe");
  expect(await readFile(join(to, "f"), "utf8")).toBe("new");
  expect((await lstat(join(to, "d"))).isSymbolicLink()).toBe(true);
  // The guest sends the link first and the file that should go through it second.
  await expect(
    unpackFrom(
      hostile([
        { name: "e", linkname: outside },
        { name: "e/owned", content: "x" },
      ]),
      { folder: to },
      quiet,
    ),
  ).rejects.toThrow();
  // Nor through the link that an earlier copy left.
  await expect(
    unpackFrom(hostile([{ name: "d/owned" }]), { folder: to }, quiet),
  ).rejects.toMatchObject({ failure: { code: "ssh.transferFailed" } });
  expect(await readdir(outside)).toEqual([]);
});

test("a second name of a file becomes a copy, and only of what was sent", async () => {
  await writeFile(join(folder, "secret"), "host's own");
  const to = join(folder, "to");
  await unpackFrom(
    hostile([
      { name: "a", content: "A" },
      { name: "b", linkname: "a", type: "link" },
    ]),
    { folder: to },
    quiet,
  );
  expect(await readFile(join(to, "b"), "utf8")).toBe("A");
  await expect(
    unpackFrom(
      hostile([{ name: "c", linkname: "../secret", type: "link" }]),
      { folder: to },
      quiet,
    ),
  ).rejects.toMatchObject({ failure: { code: "ssh.transferFailed" } });
});

test("a second name of a file that is here, and wasn't sent, is refused: its content belongs to the host (F59)", async () => {
  await writeFile(join(folder, ".env"), "TOKEN=secret");
  await writeFile(join(folder, "notes.txt"), "mine");
  for (const linkname of [".env", "./.env", "notes.txt", "d/../.env"])
    await expect(
      unpackFrom(
        hostile([
          { name: "sent", content: "A" },
          { name: "notes.txt", linkname, type: "link" },
        ]),
        { folder },
        quiet,
      ),
    ).rejects.toMatchObject({
      failure: {
        code: "ssh.transferFailed",
        message: expect.stringContaining("didn't send") as string,
      },
    });
  expect(await readFile(join(folder, "notes.txt"), "utf8")).toBe("mine");
});

test("what comes is writable for others only where it is already", async () => {
  await writeFile(join(folder, "shared"), "x");
  await chmod(join(folder, "shared"), 0o664);
  const archive = pack();
  for (const name of ["new", "shared"])
    archive.entry({ name, mode: 0o6777 }, "y");
  archive.finalize();
  await unpackFrom(Readable.from(archive), { folder }, quiet);
  const modeOf = async (name: string): Promise<number> =>
    (await stat(join(folder, name))).mode & 0o7777;
  expect(await modeOf("new")).toBe(0o755);
  expect(await modeOf("shared")).toBe(0o775);
});
