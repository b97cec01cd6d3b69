import { execa } from "execa";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  answerMedium,
  mediumFiles,
} from "../../../src/helper/images/windows/answers/medium.ts";
import { readScriptSources } from "../../../src/helper/images/windows/steps/scripts.ts";

const found = async (program: string, args: readonly string[]) =>
  (await execa(program, args, { reject: false })).exitCode === 0;
const has = {
  isoinfo: await found("isoinfo", ["--version"]),
  sevenZip: await found("7z", ["i"]),
  bsdtar: await found("bsdtar", ["--version"]),
};

// Stands in for the package of 5 MB that a real medium carries.
const openSsh = Buffer.alloc(300_001, "an installer ");
const sha256 = createHash("sha256").update(openSsh).digest("hex");

describe("the Windows answer medium, read by others' programs", () => {
  let folder: string;
  let iso: string;
  let files: { name: string; content: Buffer }[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "medium-"));
    iso = join(folder, "answers.iso");
    const sources = await readScriptSources(
      join(import.meta.dirname, "../../../resources"),
    );
    const made = mediumFiles(
      {
        architecture: "amd64",
        language: "en-US",
        editionIndex: 1,
        computerName: "GUESTHOUSE",
        user: "dev",
        password: "pass & <word>",
        driverSystems: ["w11"],
        tpm: true,
        authorizedKeys: ["ssh-ed25519 AAAA ü"],
        viosock: false,
        openSsh,
      },
      sources,
      { sha256, file: "OpenSSH-Win64.msi" },
    );
    await writeFile(iso, answerMedium(made));
    files = made.map(({ name, content }) => ({
      name,
      content: Buffer.from(content),
    }));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const compare = async (read: (name: string) => Promise<Buffer>) => {
    for (const { name, content } of files)
      expect([name, (await read(name)).equals(content)]).toEqual([name, true]);
  };
  const output = async (program: string, args: string[]): Promise<Buffer> =>
    Buffer.from(
      (
        await execa(program, args, {
          encoding: "buffer",
          stripFinalNewline: false,
        })
      ).stdout,
    );

  test.skipIf(!has.isoinfo)(
    "isoinfo: the label, the names, and every byte (skipped without isoinfo)",
    async () => {
      const about = await execa("isoinfo", ["-d", "-i", iso]);
      expect(about.stdout).toContain("Volume id: GUESTHOUSE");
      const list = await execa("isoinfo", ["-J", "-f", "-i", iso]);
      expect(list.stdout.split("\n").sort()).toEqual(
        files.map(({ name }) => `/${name}`).sort(),
      );
      await compare((name) =>
        output("isoinfo", ["-J", "-x", `/${name}`, "-i", iso]),
      );
    },
  );

  test.skipIf(!has.sevenZip)(
    "7z: every byte, and its own test of the archive (skipped without 7z)",
    async () => {
      await execa("7z", ["t", iso]);
      await compare((name) => output("7z", ["x", "-so", iso, name]));
    },
  );

  test.skipIf(!has.bsdtar)(
    "bsdtar: every byte (skipped without bsdtar)",
    async () => {
      const target = await mkdtemp(join(folder, "x-"));
      await execa("bsdtar", ["-x", "-f", iso, "-C", target]);
      expect((await readdir(target)).sort()).toEqual(
        files.map(({ name }) => name).sort(),
      );
      await compare((name) => readFile(join(target, name)));
    },
  );

  test.skipIf(!has.isoinfo)(
    "B31: one flipped byte on the medium is found (skipped without isoinfo)",
    async () => {
      const bytes = await readFile(iso);
      const at = bytes.indexOf("$Steps = @(");
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      const damaged = join(folder, "damaged.iso");
      await writeFile(damaged, bytes);
      const different: string[] = [];
      for (const { name, content } of files) {
        const args = ["-J", "-x", `/${name}`, "-i", damaged];
        if (!(await output("isoinfo", args)).equals(content))
          different.push(name);
      }
      expect(different).toHaveLength(1);
      expect(different[0]).toMatch(/\.ps1$/);
    },
  );
});

test("B32: a package that isn't the pinned one never gets onto a medium", async () => {
  const sources = await readScriptSources(
    join(import.meta.dirname, "../../../resources"),
  );
  const spec = {
    architecture: "amd64",
    language: "en-US",
    editionIndex: 1,
    computerName: "GUESTHOUSE",
    user: "dev",
    password: "x",
    driverSystems: [],
    tpm: true,
    authorizedKeys: [],
    viosock: false,
    openSsh,
  } as const;
  expect(() => mediumFiles(spec, sources)).toThrow(/not the pinned one/);
});
