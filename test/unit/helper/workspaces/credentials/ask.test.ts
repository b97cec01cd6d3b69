import { describe, expect, test } from "vitest";
import {
  answerLine,
  askedOf,
} from "../../../../../src/helper/workspaces/credentials/ask.ts";
import { serverOf } from "../../../../../src/helper/workspaces/credentials/hostCredentials.ts";

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

test.each([
  ["https://example.org/a.git", "example.org"],
  ["https://me:secret@Example.org:8443/a", "example.org:8443"],
  ["http://[::1]:3000/a", "[::1]:3000"],
  ["ssh://git@example.org:2222/a", "example.org"],
  ["git@example.org:a/b.git", "example.org"],
  ["example.org:a", "example.org"],
  ["file:///srv/a", undefined],
  ["/srv/a:b", undefined],
  ["../a", undefined],
  ["C:\\a", undefined],
  ["", undefined],
])("the server of %j is %j", (address, server) => {
  expect(serverOf(address)).toBe(server);
});
