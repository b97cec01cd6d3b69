import { describe, expect, test } from "vitest";
import {
  decideHostPaths,
  type HostPath,
  HostPaths,
  type HostPathsDecision,
  type HostPathsWord,
} from "../../../../../src/helper/workspaces/container/hostPaths.ts";
import { filesWays } from "../../../../../src/protocol/filesWays.ts";

describe("what becomes of paths of this computer", () => {
  const path = (host: string): HostPath => ({
    host,
    guest: `/var/lib/x${host}`,
    target: host,
  });
  const found = [path("/home/me/.aws"), path("/srv")];
  const earlier = { wish: "copy", paths: ["/home/me/.aws", "/srv"] } as const;
  const decide = (
    paths: readonly HostPath[],
    wanted: HostPathsWord["wanted"],
    before: HostPathsDecision | undefined,
    platform: NodeJS.Platform = "linux",
  ) =>
    decideHostPaths(paths, {
      ...{ wanted, earlier: before, platform },
      dataFolder: "/home/me/.local/share/guesthouse",
    });

  test("the caller's word goes first, then the one that was given for the same paths", () => {
    expect(decide(found, "empty", earlier)).toEqual({
      wish: "empty",
      paths: ["/home/me/.aws", "/srv"],
    });
    expect(decide(found, undefined, earlier)).toEqual(earlier);
    expect(decide([], "refuse", undefined)).toBeUndefined();
  });

  test.each([
    ["nobody said anything", found, undefined, undefined],
    ["the caller refuses", found, "refuse", earlier],
    ["a path came on", [...found, path("/etc")], undefined, earlier],
  ] as const)("refused where %s", (_, paths, wanted, before) => {
    expect(() => decide(paths, wanted, before)).toThrow(
      /wants to see paths of this computer[^]*\/srv/,
    );
  });

  test.each(["/", "/home/me", "/home/me/.local/share/guesthouse"])(
    "%s has the keys of all VMs in it: it goes into none",
    (host) => {
      for (const wish of filesWays)
        expect(() => decide([path(host)], wish, undefined)).toThrow(/keys/);
      expect(decide([path(host)], "empty", undefined)?.wish).toBe("empty");
    },
  );

  test("nor does it by a word that was given earlier", () => {
    for (const wish of filesWays)
      expect(() =>
        decide([path("/home/me")], undefined, { wish, paths: ["/home/me"] }),
      ).toThrow(/keys/);
  });

  test("a workspace below a path that systems have of their own is the workspace", () => {
    const paths = new HostPaths("/workspaces/app", "/usr/src/app");
    expect(paths.source("/usr/src/app/data", "/data")).toBe(
      "/workspaces/app/data",
    );
    expect(paths.source("/usr/src/linux", "/linux")).toBe("/usr/src/linux");
    expect(paths.own).toEqual(["/usr/src/linux"]);
  });

  test("folders are shared from Linux only, and copied from anywhere", () => {
    expect(decide(found, "share-readonly", undefined)?.wish).toBe(
      "share-readonly",
    );
    expect(() => decide(found, "share", undefined, "darwin")).toThrow(
      /from Linux/,
    );
    expect(decide(found, "copy", undefined, "darwin")?.wish).toBe("copy");
  });
});
