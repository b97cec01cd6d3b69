import { expect, test } from "vitest";
import { meansUrl } from "../../../src/helper/cli/workspaces/place.ts";
import { nameOf } from "../../../src/helper/workspaces/branches/clones.ts";
import { repositoryUrlSchema } from "../../../src/protocol/branches.ts";

const isFine = (url: string): boolean =>
  repositoryUrlSchema.safeParse(url).success;

test.each([
  "https://example.com/me/web.git",
  "https://me@example.com:8443/~me/web",
  "ssh://git@example.com:2222/me/web.git",
  "ssh://[::1]/me/web.git",
  "git@example.com:me/web.git",
  "org-123@example.com:web",
  "file:///home/me/web",
])("%s may be cloned", (url) => {
  expect(isFine(url)).toBe(true);
  expect(meansUrl(url)).toBe(true);
});

test.each([
  "ext::sh -c touch% x",
  "ext::sh",
  "fd::17",
  "ext::a@b:c",
  "https::example.com/x",
  "http://example.com/me/web",
  "git://example.com/me/web",
  "https://me:password@example.com/web",
  "https://-oProxyCommand=x/web",
  "ssh://-oProxyCommand=touch%20x/web",
  "-oProxyCommand=x@example.com:web",
  "--upload-pack=touch x",
  "git@-oProxyCommand=x:web",
  "git@example.com:-x",
  "https://example.com/web\n--upload-pack=x",
  "file://server/share",
  "file:///",
  "/home/me/web",
  "",
])("%j may not", (url) => {
  expect(isFine(url)).toBe(false);
});

test("a path is a folder, whatever it is called", () => {
  for (const path of [".", "a:b", "./x@y:z", "/tmp/a@b:c", "--my wéb"])
    expect(meansUrl(path)).toBe(false);
  expect(meansUrl("ext::sh -c x")).toBe(true);
});

test("a clone is called as git would call it, and never leads anywhere", () => {
  expect(nameOf("https://example.com/me/web.git/")).toBe("web");
  expect(nameOf("git@example.com:wéb.git")).toBe("wéb");
  expect(nameOf("https://example.com/..")).toBe("repository");
  expect(nameOf("https://example.com/.git")).toBe("repository");
  expect(nameOf("https://example.com/a/..%2f..%2fx")).toBe("2f..-2fx");
});
