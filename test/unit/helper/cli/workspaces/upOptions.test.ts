import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { personalParams } from "../../../../../src/helper/cli/workspaces/upOptions.ts";
import { toFailure } from "../../../../../src/protocol/failure.ts";

let folder: string;
let secretsFile: string;
let warnings: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "secrets-"));
  secretsFile = join(folder, "secrets.json");
  warnings = [];
});
afterEach(() => rm(folder, { recursive: true }));

const read = async (text: string, mode = 0o600): Promise<unknown> => {
  await writeFile(secretsFile, text);
  await chmod(secretsFile, mode);
  return personalParams({ secretsFile }, (each) => warnings.push(each)).catch(
    (error: unknown) => toFailure(error).message,
  );
};

test("a file of secrets is names and values", async () => {
  expect(await read('{"TOKEN": "t", "B": ""}')).toEqual({
    gitIdentity: true,
    secrets: { TOKEN: "t", B: "" },
  });
  expect(warnings).toEqual([]);
});

test("others who may read it are a warning", async () => {
  await read("{}", 0o644);
  expect(warnings.join()).toContain("chmod 600");
});

test("what is wrong with it is told without a word of it", async () => {
  for (const text of [
    "hunter2",
    '["hunter2"]',
    '{"TOKEN": ["hunter2"]}',
    '{"a b": "hunter2"}',
    '{"TOKEN": "hunter2"',
  ]) {
    const told = await read(text);
    expect(told).toContain("is no file of secrets");
    expect(told).not.toContain("hunter2");
  }
});

test("dotfiles need a repository; git's name and address go along unless that is refused", async () => {
  const none = (): void => undefined;
  expect(await personalParams({ dotfilesTargetPath: "~/x" }, none)).toEqual({
    gitIdentity: true,
  });
  expect(
    await personalParams(
      {
        dotfilesRepository: "me/dots",
        dotfilesTargetPath: "~/x",
        gitIdentity: false,
        agentForwarding: true,
      },
      none,
    ),
  ).toEqual({
    gitIdentity: false,
    agentForwarding: true,
    dotfiles: { repository: "me/dots", targetPath: "~/x" },
  });
});
