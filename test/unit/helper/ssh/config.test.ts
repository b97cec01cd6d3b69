import { expect, test } from "vitest";
import {
  configPath,
  includePattern,
  sshConfigText,
} from "../../../../src/helper/ssh/config.ts";
import { launcherText } from "../../../../src/helper/ssh/launcher.ts";
import { withInclude } from "../../../../src/helper/ssh/include.ts";
import { bannerIn } from "../../../../src/helper/ssh/banner.ts";
import { shellCommand, shellQuote } from "../../../../src/helper/ssh/quote.ts";

const files = {
  identity: "/data dir/ssh/id",
  knownHosts: "/data dir/ssh/known_hosts",
  launcher: "/data dir/it's 100%/launcher.sh",
};

test("each machine has a concrete Host of its own, sorted, with strict checking (B23)", () => {
  const text = sshConfigText(files, [
    { alias: "gh-b", user: "dev", agentForwarding: true },
    { alias: "gh-a", user: "root", agentForwarding: false },
  ]);
  const [first = "", second = ""] = text.split("Host gh-").slice(1);
  expect(first).toMatch(/^a\n/);
  expect(first).toContain("ForwardAgent no");
  expect(second).toContain("ForwardAgent yes");
  for (const block of [first, second]) {
    expect(block).toContain("StrictHostKeyChecking yes");
    expect(block).toContain(`IdentityFile "/data dir/ssh/id"`);
    expect(block).toContain("IdentitiesOnly yes");
    expect(block).toContain("HostKeyAlias gh-");
  }
  expect(text).not.toMatch(/StrictHostKeyChecking (no|off|accept-new)/);
  expect(text).not.toContain("Port ");
});

test("the launcher's path survives the shell and ssh's own percent signs", () => {
  const text = sshConfigText(files, [
    { alias: "gh-a", user: "dev", agentForwarding: false },
  ]);
  expect(text).toContain(
    `ProxyCommand "/data dir/it's 100%%/launcher.sh" proxy gh-a`,
  );
  expect(configPath("/a b/%h")).toBe('"/a b/%%h"');
});

/** As clients do that start the command without a shell: double quotes hold a word together, a backslash takes one character. */
function split(command: string): string[] {
  const words = command.match(/(?:"(?:\\.|[^"\\])*"|\\.|[^\s"\\])+/g) ?? [];
  return words.map((word) =>
    word.replace(/\\(.)|"/g, (_, character: string | undefined) =>
      character === undefined ? "" : character,
    ),
  );
}

test.each([
  ...["/data/launcher.sh", "/data dir/launcher.sh", "/it's (mine)/l.sh"],
  ...['/a "b"/l.sh', "/back\\slash/l.sh", "/$HOME/`id`/l.sh"],
])(
  "a client that splits the proxy's command without a shell finds %s (F65)",
  (launcher) => {
    const text = sshConfigText({ ...files, launcher }, [
      { alias: "gh-a", user: "dev", agentForwarding: false },
    ]);
    const command = /ProxyCommand (.*)/.exec(text)?.[1] ?? "";
    expect(command).not.toContain("'/");
    expect(split(command)).toEqual([launcher, "proxy", "gh-a"]);
  },
);

const include = "/home/u/data/ssh/guesthouse.conf";

test("B24: our line comes first, once, however often it is asked for", () => {
  const user = "Host x\n  User y\n";
  const once = withInclude(user, include, true);
  expect(once.split("\n")[1]).toBe(`Include "${include}"`);
  expect(once.endsWith(`\n\n${user}`)).toBe(true);
  expect(withInclude(once, include, true)).toBe(once);
});

test("B24: taking it out gives back the user's text, byte for byte", () => {
  for (const user of ["", "Host x\n  User y\n", "# c\r\nHost x\r\n", "Host x"])
    expect(withInclude(withInclude(user, include, true), include, false)).toBe(
      user,
    );
});

test("B24: a line of ours that got behind others comes first again", () => {
  const moved = `Host x\n  User y\nInclude "${include}"\n`;
  const mended = withInclude(moved, include, true);
  expect(mended.split("\n")[1]).toBe(`Include "${include}"`);
  expect(mended.match(/Include/g)).toHaveLength(1);
});

test("B24: the Include line of another data folder is left alone", () => {
  const other = withInclude("", "/other/guesthouse.conf", true);
  const both = withInclude(other, include, true);
  expect(withInclude(both, include, false)).toBe(other);
});

test("characters that mean something to Include are matched by its glob", () => {
  expect(includePattern("/a b/100%/$x/[1]/c.conf")).toBe(
    '"/a b/100?/?x/?1]/c.conf"',
  );
});

test("a POSIX launcher quotes what the shell would read", () => {
  expect(
    launcherText(
      {
        command: ["/opt/My Editor/editor", "/x/helper.js"],
        env: { ELECTRON_RUN_AS_NODE: "1", A: "it's $HOME" },
      },
      "linux",
    ),
  ).toBe(
    [
      "#!/bin/sh",
      "# Written by Guesthouse.",
      `export A='it'\\''s $HOME'`,
      "export ELECTRON_RUN_AS_NODE=1",
      `exec '/opt/My Editor/editor' /x/helper.js "$@"`,
      "",
    ].join("\n"),
  );
});

test("a Windows launcher doubles percent signs", () => {
  const text = launcherText(
    { command: ["C:\\a b\\node.exe", "h.js"], env: { P: "50%" } },
    "win32",
  );
  expect(text.split("\r\n").slice(2)).toEqual([
    `set "P=50%%"`,
    `"C:\\a b\\node.exe" "h.js" %*`,
    "",
  ]);
});

test("a banner counts when its line is whole, also after other lines (RFC 4253)", () => {
  expect(bannerIn("SSH-2.0-Open")).toBeUndefined();
  expect(bannerIn("SSH-2.0-OpenSSH_9.2p1\r\n")).toBe("SSH-2.0-OpenSSH_9.2p1");
  expect(bannerIn("welcome\r\nSSH-2.0-x\n")).toBe("SSH-2.0-x");
  expect(bannerIn("HTTP/1.1 400 SSH-2.0\r\n")).toBeUndefined();
});

test("words for a shell", () => {
  expect(shellQuote("plain/path-1.txt")).toBe("plain/path-1.txt");
  expect(shellQuote("")).toBe("''");
  expect(shellCommand(["echo", "a b", "$x", "it's"])).toBe(
    `echo 'a b' '$x' 'it'\\''s'`,
  );
});
