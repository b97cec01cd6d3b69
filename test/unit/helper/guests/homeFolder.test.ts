import { expect, test } from "vitest";
import { remotePath } from "../../../../src/base/remotePath.ts";
import { homeFolderOf } from "../../../../src/helper/guests/homeFolder.ts";

test("a user's files are where the guest's system keeps them; root's are elsewhere", () => {
  expect([
    homeFolderOf({ os: "linux", user: "root" }),
    homeFolderOf({ os: "linux", user: "guest" }),
    homeFolderOf({ os: "windows", user: "dev" }),
  ]).toEqual(["/root", "/home/guest", String.raw`C:\Users\dev`]);
});

test("URIs and SFTP get the drive as a folder, in lower case", () => {
  expect(
    [String.raw`C:\Users\dev\x`, "d:/x", "/home/dev", "x/y"].map(remotePath),
  ).toEqual(["/c:/Users/dev/x", "/d:/x", "/home/dev", "x/y"]);
});
