import { describe, expect, test } from "vitest";
import {
  answerLine,
  askedOf,
} from "../../../../../src/helper/workspaces/credentials/ask.ts";
import {
  answersTo,
  remoteOf,
} from "../../../../../src/helper/workspaces/credentials/hostCredentials.ts";

describe("what a guest's git asks", () => {
  test("is read by git's names, and nothing else of it counts", () => {
    expect(
      askedOf(
        "a1B get protocol=https\thost=example.org:8443\tpath=a/b.git\tusername=me\tpassword=x\twwwauth[]=Basic\t",
      ),
    ).toEqual({
      id: "a1B",
      question: {
        protocol: "https",
        host: "example.org:8443",
        path: "a/b.git",
        username: "me",
      },
    });
  });

  test.each([
    ["no server", "a get protocol=https"],
    ["an empty server", "a get protocol=https\thost="],
    ["another protocol", "a get protocol=ssh\thost=example.org"],
    ["a control character", "a get protocol=https\thost=example.org\rx"],
    ["a mark of direction", "a get protocol=https\thost=example\u202e.org"],
  ])("%s: asked, and not answered", (_what, line) => {
    expect(askedOf(line)).toEqual({ id: "a", question: undefined });
  });

  test.each([
    ["another verb", "a erase protocol=https\thost=example.org"],
    ["a path for an id", "../a get protocol=https\thost=example.org"],
    ["no id", " get protocol=https\thost=example.org"],
    ["a long id", `${"a".repeat(33)} get host=example.org`],
    ["something else", "motd: welcome"],
  ])("%s is no question", (_what, line) => {
    expect(askedOf(line)).toBeUndefined();
  });

  test("an answer is one line, whose end is no blank", () => {
    expect(answerLine("a", [])).toBe("a \n");
    expect(
      answerLine("a", [
        ["username", "me"],
        ["password", "s3cret "],
      ]),
    ).toBe("a username=me\tpassword=s3cret \tquit=0\n");
  });
});

describe("a remote", () => {
  test.each([
    ["https://example.org/a.git", "example.org"],
    ["https://me:secret@Example.org:8443/a", "example.org:8443"],
    ["http://[::1]:3000/a", "[::1]:3000"],
    ["https://example.org:/a", "example.org"],
    ["ssh://git@example.org:2222/a", "example.org"],
    ["git@example.org:a/b.git", "example.org"],
    ["example.org:a", "example.org"],
    ["file:///srv/a", undefined],
    ["/srv/a:b", undefined],
    ["../a", undefined],
    ["C:\\a", undefined],
    ["", undefined],
  ])("%j is at the server %j", (address, host) => {
    expect(remoteOf(address)?.host).toBe(host);
  });

  const means = (address: string, asked: object): boolean => {
    const remote = remoteOf(address);
    return (
      remote !== undefined &&
      answersTo(remote, { protocol: "https", host: "example.org", ...asked })
    );
  };
  const plain = "https://example.org/team/a.git";

  test.each<[string, object, boolean]>([
    [plain, {}, true],
    [plain, { host: "EXAMPLE.org" }, true],
    [plain, { path: "team/a" }, true],
    [plain, { path: "/team/a.git/" }, true],
    [plain, { path: "board/b.git" }, false],
    [plain, { username: "boss" }, false],
    [plain, { protocol: "http" }, false],
    [plain, { host: "example.org:443" }, false],
    ["http://example.org/a", { protocol: "http" }, true],
    ["http://example.org/a", {}, true],
    ["https://m%40e@example.org/a", { username: "m@e" }, true],
    ["https://m%40e@example.org/a", { username: "boss" }, false],
    ["git@example.org:team/a.git", { path: "team/a.git" }, true],
    ["git@example.org:team/a.git", { username: "git" }, false],
    ["ssh://git@example.org:22/team/a", {}, true],
  ])("%j and the question %j: %j", (address, asked, answers) => {
    expect(means(address, asked)).toBe(answers);
  });
});
