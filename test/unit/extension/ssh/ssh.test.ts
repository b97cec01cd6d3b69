import { expect, test, vi } from "vitest";
import {
  addressOf,
  aliasOf,
  authorityOf,
  isWholePath,
} from "../../../../src/extension/ssh/address.ts";
import {
  installedSshExtension,
  sshExtensionFor,
} from "../../../../src/extension/ssh/editors.ts";
import {
  raisedTimeout,
  withoutPlatforms,
  withPlatform,
} from "../../../../src/extension/ssh/remoteSettings.ts";
import { quoted } from "../../../../src/extension/window/shellQuoting.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

test("a guest's folder is addressed by alias, without a port", () => {
  expect(addressOf("gh-debian-12", "/home/guest/my project")).toEqual({
    scheme: "vscode-remote",
    authority: "ssh-remote+gh-debian-12",
    path: "/home/guest/my project",
  });
});

test("a Windows folder gets the editor's form of a drive", () => {
  expect(addressOf("gh-win", String.raw`C:\Users\dev\project`).path).toBe(
    "/c:/Users/dev/project",
  );
});

test("an authority gives its alias back, and only one of ssh does", () => {
  expect(aliasOf(authorityOf("gh-web"))).toBe("gh-web");
  expect(aliasOf("wsl+ubuntu")).toBeUndefined();
});

test("a path is whole as the guest's system spells it", () => {
  expect(
    ["/srv", String.raw`C:\srv`, "c:/srv", "srv", "C:srv"].map((path) => [
      isWholePath(path, "linux"),
      isWholePath(path, "windows"),
    ]),
  ).toEqual([
    [true, false],
    [false, true],
    [false, true],
    [false, false],
    [false, false],
  ]);
});

test.each([
  ["ms-vscode-remote.remote-ssh", "vscode"],
  ["jeanp413.open-remote-ssh", "vscodium"],
  ["anysphere.remote-ssh", "cursor"],
  ["codeium.windsurf-remote-openssh", "windsurf"],
  ["google.antigravity-remote-openssh", "antigravity"],
])("%s is known and offered in %s", (id, uriScheme) => {
  expect(installedSshExtension((each) => each === id)?.id).toBe(id);
  expect(sshExtensionFor(uriScheme)).toBe(id);
});

test("without any of them nothing is found", () => {
  expect(installedSshExtension(() => false)).toBeUndefined();
});

test("the platform is written under the exact alias, once, and removed with the machine", () => {
  const users = { "build-server": "linux" };
  const written = withPlatform(users, "gh-web", "linux");
  expect(written).toEqual({ "build-server": "linux", "gh-web": "linux" });
  expect(withPlatform(written ?? {}, "gh-web", "linux")).toBeUndefined();
  expect(withoutPlatforms(written ?? {}, ["gh-web", "gh-x"])).toEqual(users);
  expect(withoutPlatforms(users, ["gh-web"])).toBeUndefined();
});

test("the connect timeout is only raised, never lowered", () => {
  expect(raisedTimeout(15, 120)).toBe(120);
  expect(raisedTimeout(120, 120)).toBeUndefined();
  expect(raisedTimeout(600, 120)).toBeUndefined();
});

test("a copied command can be pasted into a shell", () => {
  const command = ["ssh", "-F", "/home/o'neil/my data/ssh.conf", "gh-web"];
  expect(quoted(command, "linux")).toBe(
    String.raw`ssh -F '/home/o'\''neil/my data/ssh.conf' gh-web`,
  );
  expect(quoted(["ssh", "-F", String.raw`C:\My Data\x`], "win32")).toBe(
    String.raw`ssh -F "C:\My Data\x"`,
  );
  expect(quoted(["a", "$(id)", ""], "linux")).toBe("a '$(id)' ''");
});
