import { expect, test } from "vitest";
import { remotePath } from "../../../../../src/base/remotePath.ts";
import {
  systemOfAgent,
  systems,
} from "../../../../../src/helper/guests/programs/systems.ts";

test("a user's files are where the guest's system keeps them; root's are elsewhere", () => {
  expect([
    systems.linux.homeFolder("root"),
    systems.linux.homeFolder("guest"),
    systems.windows.homeFolder("dev"),
  ]).toEqual(["/root", "/home/guest", String.raw`C:\Users\dev`]);
});

test("URIs and SFTP get the drive as a folder, in lower case", () => {
  expect(
    [String.raw`C:\Users\dev\x`, "d:/x", "/home/dev", "x/y"].map(remotePath),
  ).toEqual(["/c:/Users/dev/x", "/d:/x", "/home/dev", "x/y"]);
});

test("what an agent calls its system is Windows or some Linux", () => {
  expect(["mswindows", "debian", "Windows", ""].map(systemOfAgent)).toEqual([
    "windows",
    "linux",
    "linux",
    "linux",
  ]);
});
